/* ctx_with_timeout: three tasks; the quick one finishes, the slow ones are cut off together. */
#include <runnel.h>
#include <stdio.h>

static void do_work(rn_context *ctx, rn_duration takes, chan_send_only(const char *) out)
{
    if (rn_sleep_ctx(ctx, takes) == 0)
        chan_try_send(out, "the result"); /* nobody may be waiting any more */
}

static void task(rn_context *ctx, int id, rn_duration takes)
{
    chan(const char *) out = chan_make(const char *, 1);
    rn_waitgroup work = RN_WAITGROUP_INIT;
    wg_go(&work, do_work, ctx, takes, out);
    const char *result;
    switch (chan_select(on_done(ctx), on_recv(out, &result))) {
    case 0:
        printf("task %d: cancelled: %s\n", id, rn_strerror(ctx_err(ctx)));
        break;
    case 1:
        printf("task %d: done: %s\n", id, result);
        break;
    }
    wg_wait(&work);
    chan_free(out);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_SECOND);
    defer(ctx_cancel, ctx); /* also when the time is over: it gives back what the context holds */
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, task, ctx, 1, RN_MILLISECOND);
    wg_go(&wg, task, ctx, 2, RN_HOUR);
    wg_go(&wg, task, ctx, 3, RN_HOUR);
    wg_wait(&wg);
    return 0;
}
