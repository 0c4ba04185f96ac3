/* Waiting without one, or with the one that the wait gives back. */
#include <runnel.h>

struct cache {
    rn_mutex mu;
    rn_rwmutex rw;
    rn_cond changed;
    chan(int) out;
    rn_waitgroup wg;
    int n;
};

static void copies(struct cache *c)
{
    mutex_lock(&c->mu);
    int n = c->n;
    mutex_unlock(&c->mu);
    chan_send(c->out, n);
}

static void in_block(struct cache *c)
{
    int n;
    {
        mutex_lock(&c->mu);
        defer(mutex_unlock, &c->mu);
        n = c->n;
    }
    chan_send(c->out, n);
}

static int waits(struct cache *c)
{
    mutex_lock(&c->mu);
    defer(mutex_unlock, &c->mu);
    while (c->n == 0)
        cond_wait(&c->changed, &c->mu);
    return c->n--;
}

static bool tries(struct cache *c)
{
    mutex_lock(&c->mu);
    bool sent = chan_try_send(c->out, c->n) == 0;
    chan_select(on_send(c->out, c->n), on_default());
    mutex_unlock(&c->mu);
    return sent;
}

static void either(struct cache *c, int n)
{
    if (n > 0)
        mutex_lock(&c->mu);
    else
        rwmutex_rlock(&c->rw);
    c->n++;
    if (n > 0)
        mutex_unlock(&c->mu);
    else
        rwmutex_runlock(&c->rw);
    chan_send(c->out, n);
}

static void loops(struct cache *c)
{
    for (int i = 0; i < 3; i++) {
        mutex_lock(&c->mu);
        c->n++;
        if (c->n > 10) {
            mutex_unlock(&c->mu);
            break;
        }
        mutex_unlock(&c->mu);
        chan_send(c->out, i);
    }
    rn_sleep(RN_MILLISECOND);
}

static void relocks(struct cache *c)
{
    mutex_unlock(&c->mu);
    chan_send(c->out, 1);
    mutex_lock(&c->mu);
}

static void gives_back(struct cache *c)
{
    mutex_lock(&c->mu);
    relocks(c);
    mutex_unlock(&c->mu);
}

static void nested(struct cache *c)
{
    rn_mutex inner = {0};
    mutex_lock(&c->mu);
    mutex_lock(&inner);
    c->n++;
    mutex_unlock(&inner);
    mutex_unlock(&c->mu);
    chan_send(c->out, 1);
}

static void publish(chan(int) out)
{
    chan_send(out, 1);
}

static void starts(struct cache *c)
{
    mutex_lock(&c->mu);
    wg_go(&c->wg, publish, c->out); /* another goroutine waits, not this one */
    mutex_unlock(&c->mu);
    wg_wait(&c->wg);
}

static int tried(struct cache *c, rn_context *ctx)
{
    if (!mutex_try_lock(&c->mu)) {
        rn_sleep(RN_MILLISECOND);
        return 1;
    }
    mutex_unlock(&c->mu);
    int err = mutex_lock_ctx(ctx, &c->mu);
    if (err) {
        chan_send(c->out, 1);
        return err;
    }
    mutex_unlock(&c->mu);
    chan_send(c->out, 2);
    return 0;
}

/* The newest value takes the place of the one before: a channel that was emptied has room. */
static void newest(chan(int) one, int n)
{
    chan_select(on_recv(one, NULL), on_default());
    chan_send(one, n);
}

static void tells(struct cache *c)
{
    int old;
    mutex_lock(&c->mu);
    newest(c->out, c->n);
    if (chan_try_recv(c->out, &old) == 0)
        c->n -= old;
    chan_send(c->out, c->n);
    mutex_unlock(&c->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct cache c = {.out = chan_make(int, 100), .n = 1};
    copies(&c), in_block(&c), waits(&c), tries(&c), either(&c, argc), loops(&c), gives_back(&c), nested(&c), starts(&c),
        tells(&c);
    return tried(&c, NULL);
}
