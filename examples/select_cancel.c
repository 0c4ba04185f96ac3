/* Cancellation is one more case of a select: a worker waits for jobs and for the end at once. */
#include <runnel.h>
#include <stdio.h>

static void do_work(rn_context *ctx, chan_recv_only(int) jobs, chan_send_only(rn_unit) seen)
{
    for (;;) {
        int job;
        bool open;
        switch (chan_select(on_recv_ok(jobs, &job, &open), on_done(ctx))) {
        case 0:
            if (!open)
                return;
            printf("job %d\n", job);
            chan_send(seen, RN_UNIT);
            break;
        case 1:
            printf("cancelled: %s\n", rn_strerror(ctx_err(ctx)));
            return;
        }
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *ctx = ctx_with_cancel(ctx_background());
    defer(ctx_cancel, ctx);
    chan(int) jobs = chan_make(int, 0);
    chan(rn_unit) seen = chan_make(rn_unit, 0);
    defer(chan_free, jobs);
    defer(chan_free, seen);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, do_work, ctx, jobs, seen);
    for (int j = 1; j <= 3; j++) {
        chan_send(jobs, j);
        chan_recv(seen);
    }
    ctx_cancel(ctx);
    wg_wait(&wg);
    return 0;
}
