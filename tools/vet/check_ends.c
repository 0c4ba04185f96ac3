/* mainends: a goroutine that main starts and does not wait for, so that the program may end before it has begun. */
#include "vet.h"
#include <string.h>

/* May main wait in n, behind the go?  What is deferred and what stands in a loop with the go comes behind it as well, a
 * loop may wait for another value of a variable, and so may a call of which nobody knows.  The call in a K_GO is none of
 * main's. */
static bool may_wait(struct node *n, struct node *go, bool behind)
{
    if (!n || n == go)
        return false;
    bool around = is_loop(n) && is_within(n, go);
    behind |= around || n->kind == K_DEFER || n->at.offset > go->at.offset;
    if (n->kind == K_GOTO || (behind && is_loop(n) && !around) || (behind && n->kind == K_CALL && !never_waits(n)))
        return true;
    for (int i = 0; i < n->n && n->kind != K_GO; i++)
        if (may_wait(n->child[i], go, behind))
            return true;
    return false;
}

/* Who waits behind the last go may wait for those before it, too; what goes on for ever can't be waited for. */
void check_main(struct function *f)
{
    struct node *last = NULL;
    if (strcmp(f->name, "rn_main") != 0)
        return;
    for (int i = 0; i < f->events; i++)
        if (f->event[i].op == OP_GO && f->event[i].site && !f->event[i].via)
            last = f->event[i].node;
    bool plain = last && (strcmp(last->name, "go") == 0 || strcmp(last->name, "rn_go_with") == 0 ||
                          strcmp(last->name, "wg_go") == 0);
    struct function *g = plain ? callee(last->child[1]) : NULL;
    if (plain && !(g && is_endless(g)) && !may_wait(f->body, last, false))
        report(
            &last->at, "mainends",
            "main ends without a wait behind this, and the program with it, perhaps before the goroutine has begun: wait for "
            "it (wg_wait, scope_end, a receive)");
}
