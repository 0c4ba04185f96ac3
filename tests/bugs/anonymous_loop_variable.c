/* category: anonymous captures / the loop's variable
 * found-by: race, vet
 *
 * Every goroutine of the loop gets a pointer to the one loop variable, which moves on meanwhile. */
#include <runnel.h>

#ifdef FIXED
static void show(int id, rn_atomic_int *sum)
{
    rn_atomic_add(sum, id);
}
#else
static void show(const int *id, rn_atomic_int *sum)
{
    rn_atomic_add(sum, *id);
}
#endif

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    rn_atomic_int sum = {0};
    int id;
    for (id = 1; id <= 3; id++) {
#ifdef FIXED
        wg_go(&wg, show, id, &sum);
#else
        wg_go(&wg, show, &id, &sum);
#endif
    }
    wg_wait(&wg);
    return rn_atomic_load(&sum) > 0 ? 0 : 1;
}
