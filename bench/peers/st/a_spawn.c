/* (a) start and join one by one.  A million at once do not fit: each has a mapping of its own. */
#include "../../stat.h"
#include <st.h>

enum { N = 1000000 };

static void *nothing(void *arg)
{
    return arg;
}

static void one_by_one(void)
{
    for (int i = 0; i < N; i++) {
        st_thread_t t = st_thread_create(nothing, NULL, 1, 0);
        stat_check(t && st_thread_join(t, NULL) == 0);
    }
}

int main(void)
{
    stat_check(st_init() == 0);
    stat_bench("a.spawn_join_one_by_one.P1", 11, N, one_by_one);
    return 0;
}
