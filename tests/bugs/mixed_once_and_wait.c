/* category: mixed deadlock / a once that waits for the one who runs it
 * found-by: deadlock
 *
 * Any worker may end the pool, once; and the end comes when all workers have ended, also the one that waits for it. */
#include <runnel.h>

struct pool {
    chan(int) jobs;
    chan(rn_unit) closing;
    rn_once closed;
    rn_waitgroup workers;
};

static void close_and_wait(struct pool *p)
{
    chan_close(p->closing);
    wg_wait(&p->workers);
}

static void end(struct pool *p)
{
    once_do(&p->closed, close_and_wait, p);
}

static void work(struct pool *p)
{
    for (int job; chan_select(on_recv(p->jobs, &job), on_recv(p->closing, NULL)) == 0;)
        if (job < 0) {
#ifdef FIXED
            go(end, p);
            return;
#else
            end(p);
#endif
        }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct pool p = {.jobs = chan_make(int, 0), .closing = chan_make(rn_unit, 0)};
    for (int i = 0; i < 2; i++)
        wg_go(&p.workers, work, &p);
    chan_send(p.jobs, 1);
    chan_send(p.jobs, -1);
    end(&p);
    return 0;
}
