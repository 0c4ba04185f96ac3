// (c) one producer, one consumer, capacity 127 (a power of two less one is what the channel has) and 0; one operation
// is one message; fewer than the others do.
#include "../../stat.h"
#include <boost/fiber/all.hpp>

static const long N = 2000000;

template <class Channel> static void run(Channel &c, long n)
{
    long sum = 0;
    boost::fibers::fiber consumer([&] {
        for (long v; c.pop(v) == boost::fibers::channel_op_status::success;)
            sum += v;
    });
    for (long i = 0; i < n; i++)
        c.push(i);
    c.close();
    consumer.join();
    stat_check(sum == n * (n - 1) / 2);
}

static void buffered()
{
    boost::fibers::buffered_channel<long> c(128);
    run(c, N);
}

static void unbuffered()
{
    boost::fibers::unbuffered_channel<long> c;
    run(c, N / 5);
}

int main()
{
    stat_bench("c.spsc_cap128.P1", 11, N, buffered);
    stat_bench("c.oneway_unbuf.P1", 11, N / 5, unbuffered);
}
