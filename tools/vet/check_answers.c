/* selectcase: a variable that only one case of a select sets, and that is read although nobody has looked which case it
 * was. */
#include "vet.h"
#include <string.h>

struct received {
    struct decl *to;
    struct node *select;
    bool set, read; /* before the select; behind it */
};

static bool is_call(const struct node *n, const char *name)
{
    return n && n->kind == K_CALL && strcmp(n->name, name) == 0;
}

/* Set by an assignment, or by whoever gets its address. */
static void see_use(struct node *n, void *arg)
{
    struct received *r = arg;
    bool writes = (n->kind == K_ASSIGN && n->op && strcmp(n->op, "=") == 0) || n->kind == K_ADDR;
    struct node *target = writes && n->n ? strip(n->child[0]) : NULL;
    if (is_within(r->select, n))
        return;
    if (target && target->kind == K_REF && target->decl == r->to)
        r->set = true; /* behind it as well: whatever is read then may be that */
    if (n->kind == K_REF && n->decl == r->to && n->at.offset > r->select->at.offset)
        r->read = true;
}

/* The local variable without a first value that the case receives into, or NULL.  Not where the case tells by another
 * that it was taken. */
static struct decl *receives_into(struct node *n)
{
    struct node *c = strip(n);
    bool receives = is_call(c, "rn__vet_on_recv") && c->n == 3;
    struct node *open = receives ? strip(c->child[2]) : NULL, *to = receives ? strip(c->child[1]) : NULL;
    to = to && to->kind == K_ADDR ? strip(to->child[0]) : NULL;
    if (!to || to->kind != K_REF || !to->decl || !open || open->kind != K_LITERAL || open->value != 0)
        return NULL;
    return to->decl->kind == D_LOCAL && !to->decl->is_static && !to->decl->init ? to->decl : NULL;
}

/* Whichever case it is.  The first argument of rn__vet_select is none. */
static bool is_set_by_all(const struct node *select, const struct decl *d)
{
    for (int i = 1; i < select->n; i++)
        if (receives_into(select->child[i]) != d)
            return false;
    return true;
}

static void see_select(struct function *f, struct node *select)
{
    for (int i = 1; i < select->n; i++) {
        struct received r = {.to = receives_into(select->child[i]), .select = select};
        if (!r.to || is_set_by_all(select, r.to))
            continue;
        each_node(f->body, see_use, &r);
        if (r.read && !r.set)
            report(
                &select->at, "selectcase",
                "%s has a value only if case %d was taken, and nobody looks which one it was: look at what chan_select "
                "returns",
                r.to->name, i - 1);
    }
}

static void see_block(struct node *n, void *arg)
{
    for (int i = 0; n->kind == K_BLOCK && i < n->n; i++) {
        struct node *statement = strip(n->child[i]);
        if (is_call(statement, "rn__vet_select"))
            see_select(arg, statement);
    }
}

void check_answers(struct function *f)
{
    each_node(f->body, see_block, f);
}
