/* category: special libraries / a timer's function sends to one who has left
 * found-by: leaks
 *
 * The worker gives up its job; the timer that would have told it of a timeout fires all the same.  To stop it is not enough,
 * since it may have fired just before: there must be room for what it sends. */
#include <runnel.h>
#include <stdlib.h>

struct worker {
    rn_timer timer;
    chan(rn_unit) expired;
};

static void expire(void *w)
{
    chan_send(((struct worker *)w)->expired, RN_UNIT);
}

static void work(struct worker *w, rn_context *ctx)
{
    rn_unit u;
    rn_after_func(&w->timer, 50 * RN_MILLISECOND, expire, w);
    chan_select(on_recv(w->expired, &u), on_done(ctx));
#ifdef FIXED
    rn_timer_stop(&w->timer);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    struct worker *w = calloc(1, sizeof *w);
#ifdef FIXED
    w->expired = chan_make(rn_unit, 1);
#else
    w->expired = chan_make(rn_unit, 0);
#endif
    ctx_cancel(ctx);
    go(work, w, ctx);
    rn_sleep(60 * RN_MILLISECOND);
    return 0;
}
