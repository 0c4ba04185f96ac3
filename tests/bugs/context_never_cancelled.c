/* category: communication deadlock / channel and context: nobody cancels
 * found-by: leaks
 *
 * Each query starts a goroutine that gives its rows back at the end of a context; the query that has them all
 * forgets to end it. */
#include <runnel.h>
#include <stdlib.h>

struct rows {
    rn_context *ctx;
    int left;
};

static void await_done(struct rows *r)
{
    ctx_wait(r->ctx);
    r->left = 0;
}

static void query(void)
{
    rn_context *ctx = ctx_with_cancel(ctx_background());
    struct rows *r = calloc(1, sizeof *r);
    r->ctx = ctx;
    go(await_done, r);
#ifdef FIXED
    ctx_cancel(ctx);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    query();
    rn_sleep(RN_MILLISECOND);
    return 0;
}
