// (d) 8 producers, 8 consumers, capacity 127; one operation is one message.
#include "../../stat.h"
#include <boost/fiber/all.hpp>
#include <vector>

static const long N = 4000000, SIDES = 8;

static void mpmc()
{
    boost::fibers::buffered_channel<long> c(128);
    std::vector<boost::fibers::fiber> producers, consumers;
    long sum = 0, m = N / SIDES;
    for (int k = 0; k < SIDES; k++) {
        producers.emplace_back([&] {
            for (long i = 0; i < m; i++)
                c.push(i);
        });
        consumers.emplace_back([&] {
            for (long v; c.pop(v) == boost::fibers::channel_op_status::success;)
                sum += v;
        });
    }
    for (auto &f : producers)
        f.join();
    c.close();
    for (auto &f : consumers)
        f.join();
    stat_check(sum == SIDES * m * (m - 1) / 2);
}

int main()
{
    stat_bench("d.mpmc_8x8_cap128.P1", 11, N, mpmc);
}
