/* category: mixed deadlock / a context is waited for with a lock held
 * found-by: leaks
 *
 * shut_down() needs, before it cancels, the lock that serve() holds until it is cancelled. */
#include <runnel.h>
#include <stdlib.h>

struct service {
    rn_mutex mu;
    rn_context *ctx;
    chan(rn_unit) started;
    bool down;
};

static void serve(struct service *s)
{
    mutex_lock(&s->mu);
    chan_send(s->started, RN_UNIT);
#ifdef FIXED
    mutex_unlock(&s->mu);
    ctx_wait(s->ctx);
#else
    ctx_wait(s->ctx);
    mutex_unlock(&s->mu);
#endif
}

static void shut_down(struct service *s)
{
    mutex_lock(&s->mu);
    s->down = true;
    ctx_cancel(s->ctx);
    mutex_unlock(&s->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct service *s = calloc(1, sizeof *s);
    s->ctx = ctx_with_cancel(ctx_background());
    s->started = chan_make(rn_unit, 0);
    go(serve, s);
    chan_recv(s->started);
    go(shut_down, s);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
