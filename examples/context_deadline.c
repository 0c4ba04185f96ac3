/* ctx_with_deadline: the earlier deadline of parent and child wins, and ending a parent ends its
 * children, never the other way round. */
#include <runnel.h>
#include <stdio.h>

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_time soon = rn_now() + 20 * RN_MILLISECOND;
    rn_context *parent = ctx_with_deadline(ctx_background(), soon);
    rn_context *child = ctx_with_timeout(parent, RN_HOUR);
    defer(ctx_cancel, parent);
    defer(ctx_cancel, child);

    rn_time when;
    if (ctx_deadline(child, &when))
        printf("the child ends with its parent: %s\n", when == soon ? "yes" : "no");

    printf("child: %s\n", rn_strerror(ctx_wait(child)));
    printf("not before its time: %s\n", rn_now() >= soon ? "yes" : "no");

    rn_context *late = ctx_with_timeout(ctx_background(), RN_HOUR);
    rn_context *early = ctx_with_deadline(late, soon);
    defer(ctx_cancel, late);
    defer(ctx_cancel, early);
    printf("child: %s\n", rn_strerror(ctx_wait(early)));
    printf("a child that ends leaves its parent: %s\n", rn_strerror(ctx_err(late)));
    return 0;
}
