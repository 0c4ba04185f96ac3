/* category: data race / atomic write, plain read
 * found-by: race
 *
 * The writer stores the state atomically; the health check reads it as if it were its own. */
#include <runnel.h>

static rn_atomic_int state;

static void advance(void)
{
    for (int i = 1; i <= 3; i++)
        rn_atomic_store(&state, i);
}

static void check(int *seen)
{
#ifdef FIXED
    *seen = rn_atomic_load(&state);
#else
    *seen = state.rn_value;
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    int seen = -1;
    wg_go(&wg, advance);
    wg_go(&wg, check, &seen);
    wg_wait(&wg);
    return seen >= 0 && seen <= 3 ? 0 : 1;
}
