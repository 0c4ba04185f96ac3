/* (f) mutex, uncontended. */
#include "../../stat.h"
#include <st.h>

enum { N = 20000000 };

static st_mutex_t mu;
static volatile long x;

static void alone(void)
{
    for (long i = 0; i < N; i++) {
        st_mutex_lock(mu);
        x++;
        st_mutex_unlock(mu);
    }
}

int main(void)
{
    stat_check(st_init() == 0);
    mu = st_mutex_new();
    stat_bench("f.mutex_uncontended", 11, N, alone);
    stat_check(x % N == 0 && x > 0);
    return 0;
}
