/* category: communication deadlock / channel and context: the end of another context is waited for
 * found-by: leaks
 *
 * Each call has a context of its own; what copies its answers looks at the one of the whole connection. */
#include <runnel.h>

static void copy(chan_recv_only(rn_unit) done, chan(int) answers)
{
    int answer;
    while (chan_select(on_recv(answers, &answer), on_recv(done, NULL)) == 0)
        continue;
    chan_free(answers);
}

static void call(rn_context *connection)
{
    rn_context *ctx = ctx_with_cancel(connection);
    defer(ctx_cancel, ctx);
    chan(int) answers = chan_make(int, 0);
#ifdef FIXED
    go(copy, ctx_done(ctx), answers);
#else
    go(copy, ctx_done(connection), answers);
#endif
    chan_send(answers, 1);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_context *connection = ctx_with_cancel(ctx_background());
    for (int i = 0; i < 3; i++)
        call(connection);
    return 0;
}
