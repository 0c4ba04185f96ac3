/* category: special libraries / wg_add in the goroutine
 * found-by: explore, vet
 *
 * Each worker counts itself when it begins: wg_wait may find the counter at zero before any of them has run. */
#include <runnel.h>

static rn_waitgroup wg;
static rn_atomic_int done;

static void worker(void)
{
#ifndef FIXED
    wg_add(&wg, 1);
#endif
    rn_atomic_add(&done, 1);
    wg_done(&wg);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_atomic_store(&done, 0);
    for (int i = 0; i < 2; i++) {
#ifdef FIXED
        wg_add(&wg, 1);
#endif
        go(worker);
    }
    wg_wait(&wg);
    return rn_atomic_load(&done) == 2 ? 0 : 1;
}
