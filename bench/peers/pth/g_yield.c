/* (g) pth_yield between 2 threads; one operation is one yield; a hundredth as many as the others do: it is slow. */
#include "../../stat.h"
#include <pth.h>

enum { N = 50000 };

static void *yield_often(void *arg)
{
    for (int i = 0; i < N; i++)
        pth_yield(NULL);
    return arg;
}

static void two(void)
{
    pth_t a = pth_spawn(PTH_ATTR_DEFAULT, yield_often, NULL), b = pth_spawn(PTH_ATTR_DEFAULT, yield_often, NULL);
    stat_check(a && b && pth_join(a, NULL) && pth_join(b, NULL));
}

int main(void)
{
    stat_check(pth_init());
    stat_bench("g.gosched_2g.P1", 11, 2L * N, two);
    return 0;
}
