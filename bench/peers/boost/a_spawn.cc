// (a) start and join one by one.
#include "../../stat.h"
#include <boost/fiber/all.hpp>

static const int N = 1000000;

static void one_by_one()
{
    long ran = 0;
    for (int i = 0; i < N; i++)
        boost::fibers::fiber([&ran] { ran++; }).join();
    stat_check(ran == N);
}

int main()
{
    stat_bench("a.spawn_join_one_by_one.P1", 11, N, one_by_one);
}
