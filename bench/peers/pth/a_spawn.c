/* (a) start and join one by one, a fiftieth as often as the others do: it is slow. */
#include "../../stat.h"
#include <pth.h>

enum { N = 20000 };

static void *nothing(void *arg)
{
    return arg;
}

static void one_by_one(void)
{
    for (int i = 0; i < N; i++) {
        pth_t t = pth_spawn(PTH_ATTR_DEFAULT, nothing, NULL);
        stat_check(t && pth_join(t, NULL));
    }
}

int main(void)
{
    stat_check(pth_init());
    stat_bench("a.spawn_join_one_by_one.P1", 11, N, one_by_one);
    return 0;
}
