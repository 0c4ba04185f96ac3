/* deferblock: a defer that is the last thing in its block.  It belongs to that block and not to the function, so what it
 * defers runs at once. */
#include "vet.h"

static const struct node *statement(const struct node *n)
{
    while (n && (n->kind == K_CASE || n->kind == K_DEFAULT || n->kind == K_LABEL) && n->n)
        n = n->child[0];
    return n;
}

static void see_block(struct node *n, void *arg)
{
    const struct function *f = arg;
    if (n->kind != K_BLOCK || n == f->body)
        return;
    for (int i = 0; i < n->n; i++) {
        const struct node *d = statement(n->child[i]), *next = i + 1 < n->n ? n->child[i + 1] : NULL;
        bool ends = !next || next->kind == K_BREAK || next->kind == K_CONTINUE;
        if (d && d->kind == K_DEFER && ends)
            report(&d->at, "deferblock",
                   "this defer runs at once: its block ends here, and a defer belongs to its block, not to the "
                   "function; put it into the block at whose end the call is wanted");
    }
}

void check_defers(struct function *f)
{
    each_node(f->body, see_block, f);
}
