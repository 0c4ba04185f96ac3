// (f) mutex, uncontended, a quarter as often as the others do.
#include "../../stat.h"
#include <boost/fiber/all.hpp>

static const long N = 5000000;
static volatile long x;

static void alone()
{
    static boost::fibers::mutex mu;
    for (long i = 0; i < N; i++) {
        mu.lock();
        x = x + 1;
        mu.unlock();
    }
}

int main()
{
    stat_bench("f.mutex_uncontended", 11, N, alone);
    stat_check(x % N == 0 && x > 0);
}
