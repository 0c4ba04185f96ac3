/* category: special libraries / a group with a limit waits for itself
 * found-by: deadlock
 *
 * Each task starts another one in the same group, which has room for one. */
#include <runnel.h>

static int visit(rn_group *g, int depth);

static int start(rn_group *g, int depth)
{
    group_go(g, visit, g, depth);
    return 0;
}

static int visit(rn_group *g, int depth)
{
    return depth > 0 ? start(g, depth - 1) : 0;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_group g = RN_GROUP_INIT;
#ifndef FIXED
    group_limit(&g, 1);
#endif
    start(&g, 2);
    return group_wait(&g);
}
