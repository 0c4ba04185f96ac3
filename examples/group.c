/* rn_group: parts of one task, at most so many at a time; the first error counts and cancels the
 * rest through the group's context.  (scope.c is the same as a block that can't be left early.) */
#include <runnel.h>
#include <errno.h>
#include <stdio.h>

static int fetch(rn_context *ctx, int id)
{
    if (id == 3)
        return -ECONNREFUSED;
    return rn_sleep_ctx(ctx, id < 3 ? 0 : RN_HOUR); /* the network; ends when another one has failed */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_group g = RN_GROUP_INIT;
    group_limit(&g, 4);
    rn_context *ctx = group_with_context(&g, ctx_background());
    for (int id = 1; id <= 6; id++)
        group_go(&g, fetch, ctx, id);
    printf("%s\n", rn_strerror(group_wait(&g)));
    return 0;
}
