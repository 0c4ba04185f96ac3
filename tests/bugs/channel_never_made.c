/* category: communication deadlock / channel: NULL
 * found-by: leaks
 *
 * Only the first of the two ways to make a pool makes its channel of results. */
#include <runnel.h>
#include <stdlib.h>

struct pool {
    chan(int) jobs, results;
};

static void worker(struct pool *p)
{
    for (int job; chan_next(p->jobs, &job);)
        chan_send(p->results, job * 2);
}

static struct pool *pool_make(bool quiet)
{
    struct pool *p = calloc(1, sizeof *p);
    p->jobs = chan_make(int, 1);
#ifdef FIXED
    quiet = false;
#endif
    if (!quiet)
        p->results = chan_make(int, 1);
    return p;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct pool *p = pool_make(true);
    go(worker, p);
    chan_send(p->jobs, 1);
    chan_close(p->jobs);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
