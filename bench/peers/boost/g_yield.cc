// (g) yield between 2 and 1000 fibers; one operation is one yield; a fifth as many as the others do.
#include "../../stat.h"
#include <boost/fiber/all.hpp>
#include <vector>

static const int N = 1000000;

static void among(int fibers)
{
    std::vector<boost::fibers::fiber> all;
    for (int k = 0; k < fibers; k++)
        all.emplace_back([fibers] {
            for (int i = 0; i < 2 * N / fibers; i++)
                boost::this_fiber::yield();
        });
    for (auto &f : all)
        f.join();
}

int main()
{
    stat_bench("g.gosched_2g.P1", 11, 2 * N, [] { among(2); });
    stat_bench("g.gosched_1000g.P1", 11, 2 * N, [] { among(1000); });
}
