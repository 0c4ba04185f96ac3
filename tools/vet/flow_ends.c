/* What must be true at the end of a block and of the function. */
#include "flow.h"
#include <string.h>

/* ---- contexts ---------------------------------------------------------------------------------- */

struct results {
    int made, others, depth;
    struct node *body;
};
static bool makes(const struct node *n, int depth);
static bool keeps_as_argument(const struct node *call, int i, int depth);

struct aside {
    const struct decl *d;
    bool kept;
};

static void see_aside(struct node *n, void *arg)
{
    struct aside *a = arg;
    bool assigns = n->kind == K_ASSIGN || n->kind == K_FIELDINIT || n->kind == K_INIT;
    for (int i = 0; i < n->n; i++) {
        struct node *c = strip(n->child[i]);
        if (c && c->kind == K_REF && c->decl == a->d)
            a->kept |= assigns ? i > 0 || n->kind != K_ASSIGN : n->kind == K_CALL && keeps_as_argument(n, i, 0);
    }
}

/* Others get it as well: not the caller alone is to end it. */
static bool is_kept_aside(struct node *body, const struct decl *d)
{
    struct aside a = {.d = d};
    each_node(body, see_aside, &a);
    return a.kept;
}

static void see_result(struct node *n, void *arg)
{
    struct results *r = arg;
    if (n->kind != K_RETURN || !n->n)
        return;
    struct node *v = strip(n->child[0]);
    if (v && v->kind == K_REF && v->decl && v->decl->kind == D_LOCAL && !v->decl->reassigned && !v->decl->is_static &&
        !is_kept_aside(r->body, v->decl))
        v = strip(v->decl->init);
    if (makes(v, r->depth + 1))
        r->made++;
    else if (!(v && v->kind == K_LITERAL && v->value == 0))
        r->others++;
}

/* A call of ctx_with_…, or of a function of the program that returns what one made. */
static bool makes(const struct node *n, int depth)
{
    const struct known *k = n && n->kind == K_CALL ? known_call(n) : NULL;
    struct function *g = n && n->kind == K_CALL && !k ? callee(n) : NULL;
    struct results r = {.depth = depth, .body = g ? g->body : NULL};
    if (k)
        return k->op == OP_CTX_MAKE;
    if (!g || depth > 4 || !is_context(n->type))
        return false;
    each_node(g->body, see_result, &r);
    return r.made && !r.others;
}

bool makes_context(const struct node *n)
{
    return makes(n, 0);
}

static bool keeps(struct node *n, struct decl *d, int depth);

static bool keeps_as_argument(const struct node *call, int i, int depth)
{
    const struct known *k = known_call(call);
    struct function *g = callee(call);
    if (k)
        return k->op == OP_CTX_END ||
               (i > k->object && (k->op == OP_SEND || k->op == OP_ON_SEND || k->op == OP_TRY_SEND));
    if (g)
        return depth > 6 || i >= g->params || keeps(g->body, g->param[i], depth + 1);
    return strncmp(call->name, "rn_", 3) != 0; /* nobody knows */
}

bool call_keeps_context(const struct node *call, int i)
{
    return keeps_as_argument(call, i, 0);
}

bool keeps_context(struct function *g, int i)
{
    return i >= g->params || keeps(g->body, g->param[i], 0);
}

bool variable_keeps_context(struct decl *d)
{
    return !d->within || keeps(d->within->body, d, 0);
}

bool is_ref(struct node *n, const struct decl *d)
{
    n = strip(n);
    return n && n->kind == K_REF && n->decl == d;
}

static bool chooses(struct node *n, struct decl *d, int depth);

static bool is_or_keeps_not(struct node *n, struct decl *d, int depth)
{
    return chooses(n, d, depth) || !keeps(n, d, depth);
}

/* Is n that variable, or a choice that may give it, as `fast ? NULL : d` does, and does nothing else with it? */
static bool chooses(struct node *n, struct decl *d, int depth)
{
    n = strip(n);
    if (!n || n->kind != K_COND)
        return is_ref(n, d);
    return !keeps(n->child[0], d, depth) && (chooses(n->child[1], d, depth) || chooses(n->child[2], d, depth)) &&
           is_or_keeps_not(n->child[1], d, depth) && is_or_keeps_not(n->child[2], d, depth);
}

/* Does the code below n end the context in d, or put it where others may? */
static bool keeps(struct node *n, struct decl *d, int depth)
{
    if (!n)
        return false;
    if (n->kind == K_REF)
        return n->decl == d;
    bool looks_only = n->kind == K_NOT || n->kind == K_IF || n->kind == K_WHILE ||
                      (n->kind == K_BINARY && n->op && strchr("=!&|<>", n->op[0])) ||
                      (n->kind == K_CAST && clang_getCanonicalType(n->type).kind == CXType_Void);
    for (int i = 0; i < n->n; i++) {
        struct node *c = n->child[i];
        if (n->kind == K_VAR && chooses(c, d, depth)) {
            if (n->decl->within && keeps(n->decl->within->body, n->decl, depth + 1))
                return true;
        } else if (n->kind == K_CALL && chooses(c, d, depth)) {
            if (keeps_as_argument(n, i, depth))
                return true;
        } else if (!(looks_only && is_ref(c, d)) && keeps(c, d, depth)) {
            return true;
        }
    }
    return false;
}

void context_lost(const struct fact *f, const struct place *at, const char *how)
{
    struct node *v = f->site;
    report(
        &v->at, "lostcancel",
        "the context in %s is not ended on every path: %s on line %u, and %s may still hold its timer and its place in "
        "the tree; put defer(ctx_cancel, %s) behind this line",
        f->decl->name, how, at->line, f->decl->name, f->decl->name);
}

/* ---- scopes ------------------------------------------------------------------------------------ */

static const char *target_name(const struct node *go)
{
    if (go->kind == K_CALL)
        return text("a goroutine that %s starts", go->name);
    return go->child[1] && *go->child[1]->name ? go->child[1]->name : "the goroutine";
}

static bool waits_or_sleeps(const struct function *f)
{
    for (int i = 0; i < f->events; i++)
        if (f->event[i].flags & BLOCKS || f->event[i].op == OP_JOIN)
            return true;
    return false;
}

static void outlived(struct flow *w, const struct fact *f, const struct place *at, bool whole)
{
    if (f->shared)
        return;
    /* When main returns the program ends; but if nothing in it waits, the goroutine hardly runs. */
    if (whole && is_main(w->f) && waits_or_sleeps(w->f))
        return;
    report(&f->site->at, "localptr",
           "%s gets %s%s, which is gone after line %u, when it may still run: wait for it before (wg_wait, "
           "scope_end, a receive), or give it memory of its own (malloc, or a copy as an argument)",
           target_name(f->site), f->decl && is_of_handler(f->decl->type) ? "" : "a pointer to ",
           f->decl ? f->decl->name : "a value of this block", at->line);
}

void end_of_scope(struct flow *w, struct node *scope, struct state *s, const struct place *at)
{
    bool whole = scope == w->f->body;
    for (int i = s->n; i-- > 0;) {
        struct fact f = s->fact[i];
        bool ends = f.decl && (f.decl->kind == D_PARAM ? whole : f.decl->scope == scope);
        if (f.kind == F_PENDING && (ends || (!f.decl && f.scope == scope))) {
            outlived(w, &f, at, whole);
            state_remove(s, i);
        } else if (f.kind == F_SENT && ends) {
            gift_outlived(w, &f, s, at);
            state_remove(s, i);
        } else if (f.kind == F_CONTEXT && ends) {
            context_lost(&f, at, whole ? "the function ends" : "its block is left");
            state_remove(s, i);
        } else if (f.kind == F_TIMER && ends) {
            timer_lost(w, &f, at, whole);
            state_remove(s, i);
        } else if (f.scope == scope &&
                   (((f.kind == F_HELD || f.kind == F_THREAD_LOCK) && f.deferred) || f.kind == F_TIMER_LATER)) {
            state_remove(s, i);
        } else if (f.scope == scope && f.kind == F_UNLOCKED && f.deferred) {
            if (!f.conditional)
                report(
                    &f.site->at, "doubleunlock",
                    "%s is unlocked here, and again by its defer on the way out (line %u), which ends the program; let "
                    "the defer do it",
                    path_show(&f.path), at->line);
            state_remove(s, i);
        } else if (f.scope == scope && f.kind == F_CLOSE_LATER) {
            s->fact[i].kind = F_CLOSED;
        } else if (f.scope == scope && f.kind == F_JOIN_LATER) {
            state_remove(s, i);
            effect_join(s);
            i = s->n;
        }
    }
}

/* ---- functions --------------------------------------------------------------------------------- */

static bool is_unlock(const struct event *e)
{
    return e->op == OP_UNLOCK || e->op == OP_RUNLOCK;
}

/* The first that f does with it: its caller holds it. */
static bool begins_by_unlocking(const struct function *f, const struct path *lock)
{
    for (int i = 0; i < f->events; i++)
        if (path_same(&f->event[i].path, lock) && !f->event[i].deferred)
            return is_unlock(&f->event[i]);
    return false;
}

/* The field that a call of lock or unlock names, or NULL. */
static const struct decl *field_of(const struct node *call)
{
    const struct known *k = call->kind == K_CALL ? known_call(call) : NULL;
    struct node *n = k && k->object < call->n ? strip(call->child[k->object]) : NULL;
    if (n && n->kind == K_ADDR)
        n = strip(n->child[0]);
    return n && n->kind == K_MEMBER ? n->decl : NULL;
}

/* Another function unlocks such a lock first of all: it may be handed over. */
static bool is_handed_over(const struct function *f, const struct fact *held)
{
    const struct decl *field = field_of(held->site);
    for (int i = 0; field && i < program.functions; i++) {
        struct function *g = program.function[i];
        for (int k = 0; g != f && k < g->events; k++) {
            const struct event *e = &g->event[k];
            if (is_unlock(e) && !e->via && field_of(e->node) == field && begins_by_unlocking(g, &e->path))
                return true;
        }
    }
    return false;
}

static void check_unlocked(struct flow *w, const struct state *s, const struct place *at, bool by_return)
{
    for (int i = 0; i < s->n; i++) {
        const struct fact *h = &s->fact[i];
        bool meant = false;
        if (h->kind != F_HELD || h->deferred || h->conditional)
            continue;
        for (int k = 0; k < w->f->events; k++) {
            const struct event *e = &w->f->event[k];
            meant |= is_unlock(e) && path_same(&e->path, &h->path);
        }
        if (meant && by_return && !begins_by_unlocking(w->f, &h->path) && !is_handed_over(w->f, h))
            report(at, "lockreturn",
                   "%s is still locked here (line %u), but unlocked on other ways out: unlock it before, or "
                   "defer the unlock behind the lock",
                   path_show(&h->path), h->site->at.line);
    }
}

/* `continue` with a lock that each round of the loop takes and gives back. */
void check_continue(struct flow *w, struct node *loop, const struct state *s, const struct place *at)
{
    for (int i = 0; i < s->n; i++) {
        const struct fact *h = &s->fact[i];
        int locks = 0, unlocks = 0;
        if (h->kind != F_HELD || h->deferred || h->conditional || !encloses(loop, h->site))
            continue;
        for (int k = 0; k < w->f->events && !(unlocks && !locks); k++) {
            const struct event *e = &w->f->event[k];
            if (!path_same(&e->path, &h->path) || !encloses(loop, e->node))
                continue;
            locks += e->op == OP_LOCK || e->op == OP_RLOCK;
            unlocks += is_unlock(e);
        }
        if (locks && unlocks)
            report(
                at, "lockreturn",
                "%s is still locked here (line %u), and the next round locks it again: unlock it before the continue",
                path_show(&h->path), h->site->at.line);
    }
}

static void check_done(struct flow *w, const struct state *s, const struct place *at, bool by_return)
{
    if (!w->f->started)
        return;
    for (int i = 0; i < w->f->events; i++) {
        const struct event *e = &w->f->event[i];
        if (e->op != OP_WG_DONE || e->deferred || e->in_loop || e->via || !e->path.ok || (e->maybe && !by_return) ||
            state_find(s, F_DONE, &e->path))
            continue;
        report(at, "waitgroup",
               "%s leaves out the wg_done of line %u: wg_wait will wait for ever; put defer(wg_done, "
               "…) at the function's beginning",
               by_return ? "this return" : "a goto to the end here", e->node->at.line);
    }
}

void end_of_function(struct flow *w, struct state *s, const struct place *at, bool by_return)
{
    check_unlocked(w, s, at, by_return);
    check_done(w, s, at, by_return);
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_SLEPT)
            report(
                &s->fact[i].site->at, "sleepsync",
                "this sleep is all that waits for the goroutine of line %u: no sleep is long enough on a busy machine; "
                "wait for its end (wg_wait, scope_end, a receive)",
                s->fact[i].other->at.line);
}
