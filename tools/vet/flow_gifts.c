/* What is sent through a channel is the receiver's, who may look at it at any time from then on: a pointer to a local
 * variable outlives it (localptr), memory is not the sender's to free (earlyfree).
 *
 * Whatever waits after the send is taken for the receiver's word that it has done with it. */
#include "flow.h"
#include <string.h>

/* ---- sends ------------------------------------------------------------------------------------------- */

static struct node *sent_by(const struct node *call)
{
    const struct known *k = known_call(call);
    bool sends = k && (k->op == OP_SEND || k->op == OP_TRY_SEND) && k->object + 1 < call->n;
    return sends ? strip(call->child[k->object + 1]) : NULL;
}

/* The variable of this function in which the pointer points, or NULL. */
static struct decl *local_at(struct node *pointer)
{
    struct path p = path_of(pointer);
    bool local = p.ok && p.root && (p.root->kind == D_PARAM || (p.root->kind == D_LOCAL && !p.root->is_static));
    bool inside = local && !strchr(p.suffix, '*') && (p.addr || is_array(pointer->type));
    return inside ? p.root : NULL;
}

static void give(struct node *call, struct state *s)
{
    struct node *value = sent_by(call);
    struct path p = value ? path_of(value) : (struct path){0};
    struct decl *local = value ? local_at(value) : NULL;
    bool own = p.ok && p.root && p.root->kind != D_GLOBAL && !*p.suffix; /* nobody else changes it */
    if (local)
        state_add(s, (struct fact){.kind = F_SENT, .decl = local, .site = call});
    else if (own && !p.addr && is_pointer(value->type))
        state_add(s, (struct fact){.kind = F_GIVEN, .path = p, .site = call});
}

/* A send that tells whether it was one: 0 says so. */
void gift_attempt(struct node *call, bool value, struct state *s)
{
    const struct known *k = known_call(call);
    if (k && !value && (k->op == OP_TRY_SEND || (k->op == OP_SEND && (k->flags & WITH_CTX))))
        give(call, s);
}

/* ---- what happens behind them ------------------------------------------------------------------------ */

/* Or takes it out of the channel again. */
static bool may_wait(const struct flow *w, const struct node *call)
{
    for (int i = 0; i < w->f->events; i++) {
        const struct event *e = &w->f->event[i];
        bool takes = e->op == OP_TRY_RECV || e->op == OP_SELECT || e->op == OP_CHAN_OTHER || e->op == OP_JOIN;
        if (e->node == call && (takes || (e->flags & (BLOCKS | JOINS))))
            return true;
    }
    const struct decl *d = call->decl;
    bool unknown = !known_call(call) && !callee(call) && strncmp(call->name, "rn_", 3) != 0;
    return strcmp(call->name, "rn_yield") == 0 ||
           (unknown && (!d || !clang_Location_isInSystemHeader(clang_getCursorLocation(d->cursor))));
}

struct refill {
    const struct flow *w;
    const struct fact *f;
    bool waits, fills;
};

/* A member that is only counted up is the sender's own, most likely, and so is an element each round's. */
static void see_refill(struct node *n, void *arg)
{
    struct refill *r = arg;
    struct node *to = n->kind == K_STEP ? NULL : target_of(n);
    struct path p = to ? path_of(to) : (struct path){0}, given = path_of(sent_by(r->f->site));
    bool whole = p.ok && p.root == r->f->decl && !strpbrk(p.suffix, "*[") && !strpbrk(given.suffix, "[@");
    size_t n1 = whole ? strlen(p.suffix) : 0, n2 = whole ? strlen(given.suffix) : 0;
    r->fills |= whole && strncmp(p.suffix, given.suffix, n1 < n2 ? n1 : n2) == 0;
    r->waits |= n->kind == K_CALL && n != r->f->site && may_wait(r->w, n);
}

bool gift_refilled(const struct flow *w, struct node *loop, const struct fact *f)
{
    struct refill r = {.w = w, .f = f};
    each_node(loop, see_refill, &r);
    return r.fills && !r.waits;
}

static void check_freed(struct node *call, const struct state *s)
{
    struct path p = call->n == 1 && strcmp(call->name, "free") == 0 ? path_of(call->child[0]) : (struct path){0};
    const struct fact *given = state_find(s, F_GIVEN, &p);
    if (given)
        report(
            &call->at, "earlyfree",
            "%s was sent on line %u, and is the receiver's: let it free this (of the sends that return something, 0 is "
            "success)",
            path_show(&p), given->site->at.line);
}

void effect_gift(struct flow *w, struct node *call, struct state *s)
{
    const struct known *k = known_call(call);
    check_freed(call, s);
    if (may_wait(w, call)) {
        state_drop(s, F_GIVEN);
        state_drop(s, F_SENT);
    }
    if (k && k->op == OP_SEND && !(k->flags & WITH_CTX))
        give(call, s);
}

void gift_outlived(struct flow *w, const struct fact *f, const struct state *s, const struct place *at)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_JOIN_LATER)
            return;
    if (is_main(w->f))
        return;
    report(
        &f->site->at, "localptr",
        "sends a pointer to %s, which is gone after line %u, when the receiver may still look at it: send it by value, or "
        "memory of its own (malloc), or wait for an answer",
        f->decl->name, at->line);
}
