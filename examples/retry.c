/* Errors are values: a call that fails is tried again, waiting longer each time, until it succeeds
 * or the time for all of it is over. */
#include <runnel.h>
#include <errno.h>
#include <stdio.h>

static int flaky(int attempt)
{
    return attempt < 3 ? -ECONNRESET : 0;
}

static int always_down(int attempt)
{
    (void)attempt;
    return -ECONNREFUSED;
}

static int with_retries(rn_context *ctx, int (*call)(int attempt))
{
    rn_duration pause = RN_MILLISECOND;
    for (int attempt = 1;; attempt++) {
        int err = call(attempt);
        if (!err) {
            printf("succeeded at attempt %d\n", attempt);
            return 0;
        }
        int late = rn_sleep_ctx(ctx, pause);
        if (late) {
            printf("gave up: %s (last: %s)\n", rn_strerror(late), rn_strerror(err));
            return late;
        }
        pause *= 2;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *patient = ctx_with_timeout(ctx_background(), RN_MINUTE);
    rn_context *hasty = ctx_with_timeout(ctx_background(), RN_SECOND / 10);
    defer(ctx_cancel, patient);
    defer(ctx_cancel, hasty);
    bool as_expected = with_retries(patient, flaky) == 0 && with_retries(hasty, always_down) == RN_ETIMEOUT;
    return as_expected ? 0 : 1;
}
