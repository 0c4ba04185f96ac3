/* category: special libraries / a context's value is changed
 * found-by: race
 *
 * A context's value is shared by all who have the context; one handler notes its user in the struct that the
 * others read. */
#include <runnel.h>

struct request {
    int user;
};
static const char key;

static void handle(rn_context *ctx, int user, int *seen)
{
    struct request *r = ctx_value(ctx, &key);
#ifdef FIXED
    struct request own = *r;
    own.user = user;
    *seen = own.user;
#else
    r->user = user;
    *seen = r->user;
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct request r = {0};
    int seen[2] = {0};
    rn_context *ctx = ctx_with_value(NULL, &key, &r);
    defer(ctx_cancel, ctx);
    for (int i = 0; i < 2; i++)
        wg_go(&wg, handle, ctx, i + 1, &seen[i]);
    wg_wait(&wg);
    return seen[0] > 0 && seen[1] > 0 ? 0 : 1;
}
