/* earlyfree: a channel that is freed although the goroutine that was given it may not have used it yet, because the only
 * wait for its answer can end without one; a channel or memory that is freed without any wait. */
#include "vet.h"
#include <string.h>

struct lent {
    struct decl *channel;
    struct node *go, *freed, *wait;
    bool deferred, leaves;
};

static bool names(struct node *n, const struct decl *d)
{
    n = strip(n);
    return n && n->kind == K_REF && n->decl == d;
}

static bool uses(struct node *n, const struct decl *d)
{
    bool found = n && n->kind == K_REF && n->decl == d;
    bool only_named = n && n->kind == K_CAST && clang_getCanonicalType(n->type).kind == CXType_Void; /* (void)d */
    for (int i = 0; n && !only_named && i < n->n && !found; i++)
        found = uses(n->child[i], d);
    return found;
}

static bool frees(struct node *n, const struct decl *d)
{
    n = strip(n);
    return n && n->kind == K_CALL && strcmp(n->name, "rn_chan_free") == 0 && names(n->child[0], d);
}

static void see_use(struct node *n, void *arg)
{
    struct lent *l = arg;
    struct node *call = n->kind == K_GO ? n->child[1] : n;
    bool plain = n->kind == K_GO && (strcmp(n->name, "go") == 0 || strcmp(n->name, "rn_go_with") == 0);
    for (int i = 0; plain && call && i < call->n; i++)
        if (names(call->child[i], l->channel))
            l->go = n;
    if (n->kind == K_DEFER && frees(n->child[0], l->channel)) {
        l->freed = n;
        l->deferred = true;
    }
}

/* Leaves between the wait and the free: who has got no answer does not come to it, perhaps. */
static void see_way_out(struct node *n, void *arg)
{
    struct lent *l = arg;
    if (n->kind == K_RETURN || n->kind == K_GOTO)
        l->leaves |= n->at.offset > l->wait->at.offset && n->at.offset < l->freed->at.offset;
}

/* In every case, not only if there was an answer. */
static bool is_freed_always(const struct function *f, struct lent *l)
{
    for (int i = 0; i < f->body->n && !l->deferred; i++)
        if (frees(f->body->child[i], l->channel))
            l->freed = strip(f->body->child[i]);
    if (l->freed && !l->deferred)
        each_node(f->body, see_way_out, l);
    return l->freed && !l->leaves;
}

/* Receives from d, or gives up: a select with a way out, or a receive with a context. */
static bool may_give_up(const struct event *e, const struct decl *d)
{
    bool receives = false, other = false;
    if (e->op == OP_RECV)
        return e->flags & WITH_CTX && names(e->node->child[1], d);
    for (int i = 0; e->op == OP_SELECT && i < e->node->n; i++) {
        struct node *c = strip(e->node->child[i]);
        if (!c || c->kind != K_CALL)
            continue;
        receives |= strcmp(c->name, "rn__vet_on_recv") == 0 && names(c->child[0], d);
        other |= strcmp(c->name, "rn__vet_on_timeout") == 0 || strcmp(c->name, "rn__vet_on_done") == 0;
    }
    return receives && other;
}

/* The only thing that f waits for, once, or NULL. */
static struct node *only_wait(const struct function *f, const struct decl *d)
{
    struct node *wait = NULL;
    for (int i = 0; i < f->events; i++) {
        const struct event *e = &f->event[i];
        bool gives_up = !e->via && may_give_up(e, d);
        if (!gives_up && !(e->flags & JOINS) && e->op != OP_JOIN)
            continue;
        if (!gives_up || wait || e->in_loop)
            return NULL;
        wait = e->node;
    }
    return wait;
}

static void see_channel(struct node *n, void *arg)
{
    const struct function *f = arg;
    struct lent l = {.channel = n->decl};
    if (n->kind != K_VAR || !n->decl || n->decl->kind != D_LOCAL || n->decl->is_static || !is_chan(n->decl->type))
        return;
    each_node(f->body, see_use, &l);
    l.wait = l.go ? only_wait(f, l.channel) : NULL;
    if (l.wait && is_freed_always(f, &l))
        report(
            &l.freed->at, "earlyfree",
            "%s is freed when the goroutine of line %u may not have used it yet: the wait of line %u may end without "
            "its answer; wait for its end before (wg_wait, a receive), or let whoever comes last free it",
            l.channel->name, l.go->at.line, l.wait->at.line);
}

/* ---- without any wait ------------------------------------------------------------------------------ */

/* The variable that a goroutine gets a pointer in, and uses, or NULL. */
static struct decl *lends(const struct node *go, const struct decl *freed)
{
    struct node *call = go->kind == K_GO ? go->child[1] : NULL;
    struct function *g = call ? callee(call) : NULL;
    for (int i = 0; call && i < call->n; i++)
        if (names(call->child[i], freed) && (!g || i >= g->params || uses(g->body, g->param[i])))
            return strip(call->child[i])->decl;
    return NULL;
}

/* May this statement wait, or give the variable another value?  A call of which nothing is known may. */
static bool may_wait_or_set(struct node *n, const struct decl *d)
{
    if (!n || n->kind == K_GO)
        return false;
    if (n->kind == K_CALL && !never_waits(n))
        return true;
    if (n->kind == K_ASSIGN && n->n && names(n->child[0], d))
        return true;
    for (int i = 0; i < n->n; i++)
        if (may_wait_or_set(n->child[i], d))
            return true;
    return false;
}

/* go(f, p); free(p); one behind the other in a block. */
static void see_block(struct node *n, void *arg)
{
    (void)arg;
    for (int i = 0; n->kind == K_BLOCK && i < n->n; i++) {
        struct node *call = strip(n->child[i]), *go = NULL;
        bool frees = call && call->kind == K_CALL && call->n == 1 && !callee(call) &&
                     (strcmp(call->name, "rn_chan_free") == 0 || strcmp(call->name, "free") == 0);
        struct node *freed = frees ? strip(call->child[0]) : NULL;
        struct decl *d = freed && freed->kind == K_REF ? freed->decl : NULL;
        for (int k = i - 1; d && !go && k >= 0 && !may_wait_or_set(n->child[k], d); k--)
            go = n->child[k]->kind == K_GO && lends(n->child[k], d) ? n->child[k] : NULL;
        if (go)
            report(
                &call->at, "earlyfree",
                "%s is freed when the goroutine of line %u may not have used it yet: wait for its end before (wg_wait, a "
                "receive), or let it free what it gets",
                d->name, go->at.line);
    }
}

void check_frees(struct function *f)
{
    each_node(f->body, see_channel, f);
    each_node(f->body, see_block, f);
}
