/* (n) context. */
#include "stat.h"

enum { N = 100000 };

static rn_context *child[N];
static rn_context *checked;

static void measure_children(void)
{
    static struct stat_samples made, canceled;
    for (int r = 0; r < stat_rounds(11); r++) {
        rn_context *root = ctx_with_cancel(ctx_background());
        rn_time start = rn_now();
        for (int i = 0; i < N; i++)
            child[i] = ctx_with_cancel(root);
        stat_add(&made, (double)rn_since(start) / N);
        start = rn_now();
        ctx_cancel(root);
        stat_add(&canceled, (double)rn_since(start) / N);
        for (int i = 0; i < N; i++) {
            stat_check(ctx_err(child[i]) != 0);
            ctx_cancel(child[i]);
        }
    }
    stat_report("n.withcancel_child_create", "ns/child", &made);
    stat_report("n.cancel_100k_children", "ns/child", &canceled);
}

static void wait_for(rn_context *ctx, chan_send_only(long) done)
{
    ctx_wait(ctx);
    chan_send(done, 1);
}

/* 100 k children, each with a goroutine that waits for it: from cancel until the last has returned. */
static void measure_waiting(void)
{
    static struct stat_samples s;
    for (int r = 0; r < stat_rounds(11); r++) {
        rn_context *root = ctx_with_cancel(ctx_background());
        chan(long) done = chan_make(long, 1024);
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        for (int i = 0; i < N; i++) {
            child[i] = ctx_with_cancel(root);
            wg_go(&wg, wait_for, child[i], done);
        }
        rn_sleep(100 * RN_MILLISECOND);
        rn_time start = rn_now();
        ctx_cancel(root);
        for (int i = 0; i < N; i++)
            chan_recv(done);
        stat_add(&s, (double)rn_since(start) / N);
        wg_wait(&wg);
        for (int i = 0; i < N; i++)
            ctx_cancel(child[i]);
        chan_free(done);
    }
    stat_report("n.cancel_100k_waiting_goroutines", "ns/child", &s);
}

static void with_timeout(void)
{
    for (int i = 0; i < N * 5; i++)
        ctx_cancel(ctx_with_timeout(ctx_background(), RN_HOUR));
}

static void with_cancel(void)
{
    for (int i = 0; i < N * 5; i++)
        ctx_cancel(ctx_with_cancel(ctx_background()));
}

static void check_error(void)
{
    for (int i = 0; i < N * 100; i++)
        stat_check(ctx_err(checked) == 0);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    measure_children();
    measure_waiting();
    stat_bench("n.withtimeout_create_cancel", 11, N * 5, with_timeout);
    stat_bench("n.withcancel_create_cancel", 11, N * 5, with_cancel);
    checked = ctx_with_cancel(ctx_background());
    stat_bench("n.ctx_err_check", 11, N * 100, check_error);
    ctx_cancel(checked);
    return 0;
}
