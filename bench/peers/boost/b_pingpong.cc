// (b) unbuffered ping-pong; one operation is one round trip.
#include "../../stat.h"
#include <boost/fiber/all.hpp>

static const long N = 1000000;

static void ping_pong()
{
    boost::fibers::unbuffered_channel<long> there, back;
    boost::fibers::fiber echo([&] {
        for (long v; there.pop(v) == boost::fibers::channel_op_status::success;)
            back.push(v);
    });
    for (long i = 0, v; i < N; i++) {
        there.push(i);
        stat_check(back.pop(v) == boost::fibers::channel_op_status::success && v == i);
    }
    there.close();
    echo.join();
}

int main()
{
    stat_bench("b.pingpong_roundtrip.P1", 11, N, ping_pong);
}
