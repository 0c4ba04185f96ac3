/* category: special library / a pool's job waits for another job of the pool
 * found-by: deadlock
 *
 * The job splits its work and waits for the part, which no worker is left to do. */
#include <runnel.h>

struct job {
    void (*f)(struct job *job);
    chan(struct job *) pool;
    chan(int) done;
};

static void work(chan(struct job *) pool)
{
    struct job *job;
    while (chan_next(pool, &job))
        job->f(job);
}

static void part(struct job *job)
{
    chan_send(job->done, 1);
}

static void whole(struct job *job)
{
    struct job half = {.f = part, .done = chan_make(int, 0)};
#ifdef FIXED
    go(part, &half);
#else
    chan_send(job->pool, &half);
#endif
    chan_recv(half.done);
    chan_free(half.done);
    chan_send(job->done, 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    chan(struct job *) pool = chan_make(struct job *, 8);
    struct job job = {.f = whole, .pool = pool, .done = chan_make(int, 0)};
    wg_go(&wg, work, pool);
    chan_send(pool, &job);
    chan_recv(job.done);
    chan_close(pool);
    wg_wait(&wg);
    chan_free(job.done);
    chan_free(pool);
    return 0;
}
