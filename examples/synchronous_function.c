/* Prefer synchronous functions: fetch_data just returns its result and an error; a caller who
 * wants it in the background says so in one line. */
#include <runnel.h>
#include <stdio.h>

static int fetch_data(rn_context *ctx, int key, int *data)
{
    int err = rn_sleep_ctx(ctx, RN_MILLISECOND); /* slow */
    if (!err)
        *data = key * 11;
    return err;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    int one, two, three;
    if (fetch_data(ctx_background(), 1, &one) != 0) /* in the foreground */
        return 1;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, fetch_data, ctx_background(), 2, &two); /* in the background */
    wg_go(&wg, fetch_data, ctx_background(), 3, &three);
    wg_wait(&wg);
    printf("%d %d %d\n", one, two, three);
    return 0;
}
