/* Waiting with a lock held. */
#include <runnel.h>
#include <unistd.h>

struct cache {
    rn_mutex mu;
    rn_rwmutex rw;
    rn_cond changed;
    chan(int) out;
    rn_waitgroup wg;
    int n;
};

static void sends(struct cache *c)
{
    mutex_lock(&c->mu);
    chan_send(c->out, c->n); // want lockheld
    mutex_unlock(&c->mu);
}

static int receives(struct cache *c)
{
    mutex_lock(&c->mu);
    defer(mutex_unlock, &c->mu);
    c->n++;
    return chan_recv(c->out); // want lockheld
}

static void sleeps(struct cache *c)
{
    rwmutex_rlock(&c->rw);
    rn_sleep(RN_SECOND); // want lockheld
    rwmutex_runlock(&c->rw);
    rn_rwmutex_lock(&c->rw);
    usleep(10); // want lockheld
    rn_rwmutex_unlock(&c->rw);
}

static void waits(struct cache *c)
{
    mutex_lock(&c->mu);
    wg_wait(&c->wg); // want lockheld
    mutex_unlock(&c->mu);
}

static void selects(struct cache *c, rn_context *ctx)
{
    int v;
    mutex_lock(&c->mu);
    chan_select(on_recv(c->out, &v), on_done(ctx)); // want lockheld
    mutex_unlock(&c->mu);
}

static void ranges(struct cache *c)
{
    mutex_lock(&c->mu);
    for (int v; chan_next(c->out, &v);) // want lockheld
        c->n += v;
    mutex_unlock(&c->mu);
}

static void publish(struct cache *c)
{
    chan_send(c->out, c->n);
}

static void by_helper(struct cache *c)
{
    mutex_lock(&c->mu);
    publish(c); // want lockheld
    mutex_unlock(&c->mu);
}

static void take(struct cache *c)
{
    mutex_lock(&c->mu);
}

static void locked_by_helper(struct cache *c)
{
    take(c);
    chan_send(c->out, 1); // want lockheld
    mutex_unlock(&c->mu);
}

static rn_mutex other;

static void other_lock(struct cache *c)
{
    mutex_lock(&other);
    mutex_lock(&c->mu);
    while (!c->n)
        cond_wait(&c->changed, &c->mu); // want lockheld
    mutex_unlock(&c->mu);
    mutex_unlock(&other);
}

static void one_of_two(struct cache *c, int v)
{
    mutex_lock(&c->mu);
    if (v > 0) {
        mutex_unlock(&c->mu);
        return;
    }
    chan_send(c->out, v); // want lockheld
    mutex_unlock(&c->mu);
}

static void tried(struct cache *c, rn_context *ctx)
{
    if (mutex_try_lock(&c->mu)) {
        chan_send(c->out, 1); // want lockheld
        mutex_unlock(&c->mu);
    }
    if (mutex_lock_ctx(ctx, &c->mu) != 0)
        return;
    chan_send(c->out, 1); // want lockheld
    mutex_unlock(&c->mu);
}

#define WITH_LOCK(m, ...)   \
    do {                    \
        rn_mutex_lock(m);   \
        __VA_ARGS__;        \
        rn_mutex_unlock(m); \
    } while (0)

static void wrapped(struct cache *c)
{
    WITH_LOCK(&c->mu, chan_send(c->out, 1)); // want lockheld
}

static void table(rn_mutex *locks, int i, chan(int) c)
{
    mutex_lock(&locks[i]);
    chan_send(c, i); // want lockheld
    mutex_unlock(&locks[i]);
}

static void emptied(struct cache *c, chan(int) other, bool first)
{
    mutex_lock(&c->mu);
    chan_select(on_recv(other, NULL), on_default());
    chan_send(c->out, 1); // want lockheld
    if (first)
        chan_select(on_recv(c->out, NULL), on_default());
    chan_send(c->out, 2); // want lockheld
    chan_select(on_recv(c->out, NULL), on_default());
    chan_send(c->out, 3);
    chan_send(c->out, 4); // want lockheld
    mutex_unlock(&c->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct cache c = {.out = chan_make(int, 100)};
    rn_mutex locks[2] = {0};
    sends(&c), receives(&c), sleeps(&c), waits(&c), selects(&c, NULL), by_helper(&c), locked_by_helper(&c),
        other_lock(&c);
    one_of_two(&c, argc), tried(&c, NULL), wrapped(&c), table(locks, 1, c.out), emptied(&c, c.out, argc > 1);
    chan_close(c.out);
    ranges(&c);
    return 0;
}
