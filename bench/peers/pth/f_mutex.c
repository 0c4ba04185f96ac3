/* (f) mutex, uncontended. */
#include "../../stat.h"
#include <pth.h>

enum { N = 5000000 };

static volatile long x;

static void alone(void)
{
    static pth_mutex_t mu = PTH_MUTEX_INIT;
    for (long i = 0; i < N; i++) {
        pth_mutex_acquire(&mu, FALSE, NULL);
        x++;
        pth_mutex_release(&mu);
    }
}

int main(void)
{
    stat_check(pth_init());
    stat_bench("f.mutex_uncontended", 11, N, alone);
    stat_check(x % N == 0 && x > 0);
    return 0;
}
