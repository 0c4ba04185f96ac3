/* Loops: that never look at their context (ctxloop), that wait by sleeping (sleepsync), and conditions
 * that are not tested again (condloop). */
#include "vet.h"
#include <string.h>

/* ---- ctxloop ----------------------------------------------------------------------------------- */

static enum CXVisitorResult see_field(CXCursor field, CXClientData data)
{
    *(bool *)data |= is_context(clang_getCursorType(field));
    return *(bool *)data ? CXVisit_Break : CXVisit_Continue;
}

static bool has_context_field(CXType t)
{
    bool found = false;
    t = clang_getCanonicalType(t);
    if (t.kind == CXType_Pointer)
        t = clang_getCanonicalType(clang_getPointeeType(t));
    if (t.kind == CXType_Record)
        clang_Type_visitFields(t, see_field, &found);
    return found;
}

struct derived { /* variables that have to do with the context */
    struct decl *d[64];
    int n;
    bool mentioned;
    bool grew;
};

static bool has(const struct derived *v, const struct decl *d)
{
    for (int i = 0; i < v->n; i++)
        if (v->d[i] == d)
            return true;
    return false;
}

static void add(struct derived *v, struct decl *d)
{
    if (!d || has(v, d) || v->n == (int)(sizeof v->d / sizeof *v->d))
        return;
    v->d[v->n++] = d;
    v->grew = true;
}

/* A struct with a context inside, used for another of its fields, does not count. */
static void mention(struct node *n, struct derived *v)
{
    if (!n || v->mentioned)
        return;
    if (n->kind == K_MEMBER && is_context(n->type)) {
        v->mentioned = true;
        return;
    }
    struct node *base = n->kind == K_MEMBER && n->n ? strip(n->child[0]) : NULL;
    if (base && base->kind == K_REF && base->decl && base->decl->kind == D_PARAM && has_context_field(base->decl->type))
        return;
    if (n->kind == K_REF && n->decl && has(v, n->decl))
        v->mentioned = true;
    for (int i = 0; i < n->n; i++)
        mention(n->child[i], v);
}

static bool mentions(struct node *n, struct derived *v)
{
    v->mentioned = false;
    mention(n, v);
    return v->mentioned;
}

/* What is made of it, or given together with it to a function that fills it in. */
static void spread(struct node *n, void *arg)
{
    struct derived *v = arg;
    struct node *target;
    if (n->kind == K_VAR && n->child[0] && mentions(n->child[0], v))
        add(v, n->decl);
    if (n->kind == K_ASSIGN && n->n == 2 && mentions(n->child[1], v)) {
        struct path p = path_of(n->child[0]);
        add(v, p.ok ? p.root : NULL);
    }
    if (n->kind == K_CALL && mentions(n, v))
        for (int i = 0; i < n->n; i++) {
            target = strip(n->child[i]);
            if (target && target->kind == K_ADDR) {
                struct path p = path_of(target);
                add(v, p.ok ? p.root : NULL);
            }
        }
}

static void see_watcher(struct node *n, void *arg)
{
    struct derived *v = arg; /* ctx_after_func(ctx, net_close, c): the context ends it from outside */
    if (n->kind == K_GO && strcmp(n->name, "ctx_after_func") == 0)
        v->mentioned = true;
}

bool is_loop(const struct node *n)
{
    return n->kind == K_FOR || n->kind == K_WHILE || n->kind == K_DO;
}

static struct node *condition(struct node *loop)
{
    return loop->kind == K_FOR ? loop->child[1] : loop->child[0];
}

static bool endless(struct node *loop)
{
    bool truth = true;
    struct node *c = condition(loop);
    return !c || (is_constant(c, &truth) && truth);
}

/* A way out of the loop: not a break of a loop or switch inside. */
static bool leaves(struct node *n, bool breaks)
{
    if (!n)
        return false;
    const struct known *k = n->kind == K_CALL ? known_call(n) : NULL;
    if (n->kind == K_RETURN || n->kind == K_GOTO || (n->kind == K_BREAK && breaks) || (k && k->op == OP_STOP))
        return true;
    for (int i = 0; i < n->n; i++)
        if (leaves(n->child[i], breaks && !is_loop(n) && n->kind != K_SWITCH))
            return true;
    return false;
}

static bool has_way_out(struct node *loop)
{
    for (int i = 0; i < loop->n; i++)
        if (leaves(loop->child[i], true))
            return true;
    return false;
}

bool is_endless(const struct function *f)
{
    for (int i = 0; i < f->body->n; i++) {
        struct node *n = f->body->child[i];
        if (is_loop(n) && endless(n) && !has_way_out(n))
            return true;
    }
    return false;
}

struct waits {
    bool sleeps, ranges, blocks;
};

static void see_wait(struct node *n, void *arg)
{
    struct waits *w = arg;
    const struct known *k = n->kind == K_CALL ? known_call(n) : NULL;
    struct function *g = n->kind == K_CALL && !k ? callee(n) : NULL;
    const struct event *e = g ? blocking_event(g) : NULL;
    if (k && k->op == OP_NEXT)
        w->ranges = true;
    if (k && k->op == OP_SLEEP)
        w->sleeps = true;
    if (k && (k->flags & BLOCKS))
        w->blocks = true;
    if (e) {
        w->blocks = true;
        w->sleeps |= e->op == OP_SLEEP;
    }
}

static void judge_loop(struct function *f, struct node *loop, struct derived *v)
{
    struct waits w = {0};
    each_node(loop, see_wait, &w);
    if (mentions(loop, v))
        return;
    bool forever = endless(loop) && !has_way_out(loop);
    bool may_wait =
        (endless(loop) || loop->kind == K_WHILE || loop->kind == K_DO) && (w.sleeps || w.blocks) && !w.ranges;
    if (loop->kind != K_FOR && !endless(loop) && !w.sleeps)
        may_wait = false; /* its condition says how it ends */
    if (forever || may_wait)
        report(
            &loop->at, "ctxloop",
            "%s has a context, and this loop %s without looking at it: it can't be canceled; test ctx_err(%s), or wait "
            "with on_done(%s) or a _ctx form",
            f->name, forever ? "goes on for ever" : "may wait again and again", v->d[0]->name, v->d[0]->name);
}

static void judge_loops(struct function *f, struct node *n, struct derived *v)
{
    if (!n)
        return;
    if (is_loop(n))
        judge_loop(f, n, v);
    for (int i = 0; i < n->n; i++)
        judge_loops(f, n->child[i], v);
}

void check_contexts_in_loops(struct function *f)
{
    struct derived v = {0};
    for (int i = 0; i < f->params; i++)
        if (is_context(f->param[i]->type) || (has_context_field(f->param[i]->type) && !lock_in(f->param[i]->type)))
            add(&v, f->param[i]);
    if (v.n == 0)
        return;
    /* A struct with a context inside counts as the context itself only where it is handed on whole. */
    for (v.grew = true; v.grew;) {
        v.grew = false;
        each_node(f->body, spread, &v);
    }
    v.mentioned = false;
    each_node(f->body, see_watcher, &v);
    if (!v.mentioned)
        judge_loops(f, f->body, &v);
}

/* ---- sleepsync: polling ------------------------------------------------------------------------ */

struct poll {
    bool sleeps, shared, other;
    int depth; /* of calls */
    const char *name;
};

static bool may_change_elsewhere(const struct node *n)
{
    const struct decl *d = n->decl;
    if (!d || d->kind == D_FUNCTION || d->kind == D_FIELD)
        return false;
    CXType t = clang_getCanonicalType(d->type);
    if (d->kind == D_GLOBAL || d->is_static || clang_isVolatileQualifiedType(t))
        return !is_chan(t);
    return false;
}

static void see_condition(struct node *n, void *arg)
{
    struct poll *p = arg;
    const struct known *k = n->kind == K_CALL ? known_call(n) : NULL;
    if (n->kind == K_CALL) {
        bool polls = k && (k->op == OP_TRY_RECV || k->op == OP_TRY_SEND || k->op == OP_TRYLOCK ||
                           k->op == OP_TRYRLOCK || k->op == OP_CHAN_OTHER || k->op == OP_CTX_USE);
        polls |= strcmp(n->name, "rn_num_goroutines") == 0;
        p->shared |= polls;
        if (!k && callee(n) && p->depth < 3) { /* while (!is_ready(s)) */
            p->depth++;
            each_node(callee(n)->body, see_condition, p);
            p->depth--;
            return;
        }
        p->other |= !polls && strncmp(n->name, "rn_", 3) != 0 && strncmp(n->name, "__atomic", 8) != 0;
        return;
    }
    if (n->kind == K_STEP) /* it counts: a delay that can be ended */
        p->other = true;
    if (n->kind == K_MEMBER && n->n && (is_pointer(n->child[0]->type) || strcmp(n->name, "rn_value") == 0))
        p->shared = true;
    if (n->kind == K_DEREF || (n->kind == K_REF && may_change_elsewhere(n)))
        p->shared = true;
}

/* In the body only: sleeping, locking, looking, leaving. */
static void see_body(struct node *n, void *arg)
{
    struct poll *p = arg;
    const struct known *k = n->kind == K_CALL ? known_call(n) : NULL;
    if (k && k->op == OP_SLEEP && !(k->flags & WITH_CTX))
        p->sleeps = true;
    else if (n->kind == K_CALL)
        p->other |= !k || (k->flags & BLOCKS) || k->op == OP_CLOSE || k->op == OP_WG_DONE;
    else if (n->kind == K_GO || n->kind == K_ASSIGN)
        p->other |= n->kind == K_GO;
}

/* `bool done = t->done; … if (done) break;` */
static void see_source(struct node *n, void *arg)
{
    if (n->kind == K_REF && n->decl && n->decl->kind == D_LOCAL && n->decl->init)
        each_node(n->decl->init, see_condition, arg);
}

static void see_exit(struct node *n, void *arg)
{
    struct poll *p = arg;
    if (n->kind == K_IF && (leaves(n->child[1], true) || (n->n > 2 && leaves(n->child[2], true)))) {
        each_node(n->child[0], see_condition, p);
        each_node(n->child[0], see_source, p);
    }
}

static void see_loop(struct node *n, void *arg)
{
    struct poll p = {0};
    (void)arg;
    if (!is_loop(n))
        return;
    struct node *body = n->kind == K_FOR ? n->child[3] : n->child[1];
    each_node(body, see_body, &p);
    if (endless(n))
        each_node(body, see_exit, &p);
    else
        each_node(condition(n), see_condition, &p);
    if (n->kind == K_FOR)
        each_node(n->child[2], see_body, &p);
    if (p.sleeps && p.shared && !p.other)
        report(
            &n->at, "sleepsync",
            "this loop sleeps until something has changed: too long or too often; wait for the change itself (a channel, "
            "cond_wait, wg_wait, ctx_wait)");
}

/* ---- condloop ---------------------------------------------------------------------------------- */

static bool contains_ref(struct node *n, const struct decl *d)
{
    bool found = n && n->kind == K_REF && n->decl == d;
    for (int i = 0; n && !found && i < n->n; i++)
        found = contains_ref(n->child[i], d);
    return found;
}

struct waiting_if {
    const struct event *wait;
    struct node *branch; /* the innermost if that the wait is in */
    bool again;          /* what it has tested is looked at once more behind the wait */
};

static void see_if(struct node *n, void *arg)
{
    struct waiting_if *w = arg;
    if (n->kind == K_IF && is_within(n, w->wait->node))
        w->branch = n;
}

static void see_again(struct node *n, void *arg)
{
    struct waiting_if *w = arg;
    if (n->kind == K_ASSIGN && n->at.offset > w->wait->node->at.offset && n->n) {
        struct path p = path_of(n->child[0]);
        w->again |= p.ok && p.root && contains_ref(w->branch->child[0], p.root);
    }
}

/* `if (n != 0) { cond_wait(…); n = queue->n; }` waits for a step, and looks again. */
static bool looks_again(struct function *f, const struct event *wait)
{
    struct waiting_if w = {.wait = wait};
    each_node(f->body, see_if, &w);
    if (w.branch)
        each_node(w.branch, see_again, &w);
    return w.again;
}

static void check_conditions(struct function *f)
{
    for (int i = 0; i < f->events; i++) {
        const struct event *e = &f->event[i];
        if (e->op == OP_COND_WAIT && !e->via && e->maybe && !e->in_loop && !looks_again(f, e))
            report(&e->node->at, "condloop",
                   "the condition is tested once before cond_wait, and not after: another may have come first; "
                   "while (!condition) cond_wait(…)");
    }
}

void check_polling(struct function *f)
{
    each_node(f->body, see_loop, NULL);
    check_conditions(f);
}
