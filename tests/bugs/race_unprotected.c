/* category: data race / unprotected variable
 * found-by: race
 *
 * A request handler counts what it has served in a plain variable, and so does every other one.  Two that
 * read the same value lose one of the two increments. */
#include <runnel.h>

enum { HANDLERS = 2 };
static int served;
static rn_mutex mu;

static void handle(rn_waitgroup *wg)
{
    defer(wg_done, wg);
#ifdef FIXED
    mutex_lock(&mu);
    served++;
    mutex_unlock(&mu);
#else
    int now = served;
    mutex_lock(&mu); /* of something else */
    mutex_unlock(&mu);
    served = now + 1;
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    served = 0;
    for (int i = 0; i < HANDLERS; i++) {
        wg_add(&wg, 1);
        go(handle, &wg);
    }
    wg_wait(&wg);
    return served == HANDLERS ? 0 : 1;
}
