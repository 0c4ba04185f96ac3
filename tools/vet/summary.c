/* What each function does, in order: its events.
 *
 * A call of a function of the program brings that function's events, in terms of the call's
 * arguments; so the checks see through helpers, at any depth.  Events say nothing about paths
 * beyond `maybe`; flow.c does. */
#define _GNU_SOURCE 1
#include "vet.h"
#include <stdlib.h>
#include <string.h>

struct walk {
    struct function *f;
    bool maybe, in_loop, deferred, in_condition, once;
    struct node *loop;
};

struct function *callee(const struct node *call)
{
    return call->kind == K_CALL && call->decl ? call->decl->body : NULL;
}

bool is_main(const struct function *f)
{
    return strcmp(f->name, "rn_main") == 0 || strcmp(f->name, "main") == 0;
}

static struct event *add_event(struct function *f, struct event e)
{
    if (f->events == f->event_room) {
        f->event_room = f->event_room ? 2 * f->event_room : 16;
        f->event = realloc(f->event, (size_t)f->event_room * sizeof *f->event);
        if (!f->event)
            die(STATUS_FAILED, "out of memory");
    }
    f->event[f->events] = e;
    return &f->event[f->events++];
}

static struct event plain(const struct walk *w, struct node *n)
{
    return (struct event){.node = n,
                          .origin = n,
                          .maybe = w->maybe,
                          .once = w->once,
                          .in_loop = w->in_loop,
                          .deferred = w->deferred,
                          .in_condition = w->in_condition,
                          .loop = w->loop};
}

static bool is_case(const struct node *n, const char *name)
{
    n = strip((struct node *)n);
    return n && n->kind == K_CALL && strcmp(n->name, name) == 0;
}

/* A select that has a way out other than its channels: no wait, or no join. */
static unsigned select_flags(const struct node *call)
{
    unsigned flags = BLOCKS | JOINS;
    for (int i = 0; i < call->n; i++) {
        if (is_case(call->child[i], "rn__vet_on_default"))
            return 0;
        if (is_case(call->child[i], "rn__vet_on_timeout"))
            flags &= ~(unsigned)JOINS;
        if (is_case(call->child[i], "rn__vet_on_done"))
            flags = (flags & ~(unsigned)JOINS) | WITH_CTX;
    }
    return flags;
}

/* `chan_select(on_recv(c, NULL), on_default()); chan_send(c, v);`: whoever has emptied a channel finds room in it.  What
 * such a channel holds is at most one value, the newest; an unbuffered one would not be emptied. */
static bool is_emptied_before(const struct function *f, const struct event *send)
{
    for (int i = f->events; i-- > 0;) {
        const struct event *e = &f->event[i];
        bool same = path_same(&e->path, &send->path);
        if ((e->op == OP_ON_RECV || e->op == OP_TRY_RECV) && same && !e->via)
            return e->loop == send->loop && (!e->maybe || send->maybe);
        if ((e->flags & BLOCKS) || same)
            return false;
    }
    return false;
}

static void known_event(const struct walk *w, struct node *n, const struct known *k)
{
    struct event e = plain(w, n);
    e.op = k->op;
    e.flags = k->flags;
    e.value = 1;
    if (k->op == OP_SELECT && strcmp(n->name, "rn__vet_select") == 0)
        e.flags = select_flags(n);
    if (k->object < n->n) {
        struct node *arg = n->child[k->object];
        bool pointer = is_chan(strip(arg)->type) || is_context(strip(arg)->type);
        e.path = pointer ? path_of(arg) : object_of(arg);
    }
    if (k->op == OP_SEND && is_emptied_before(w->f, &e))
        e.flags &= ~(unsigned)BLOCKS;
    if (k->op == OP_WG_ADD && n->n > 1) {
        CXEvalResult r = clang_Cursor_Evaluate(n->child[1]->cursor);
        if (r && clang_EvalResult_getKind(r) == CXEval_Int)
            e.value = clang_EvalResult_getAsLongLong(r);
        if (r)
            clang_EvalResult_dispose(r);
        if (e.value < 0)
            e.op = OP_WG_DONE;
    }
    add_event(w->f, e);
}

static void called_events(const struct walk *w, struct node *n, struct function *g)
{
    summarize(g);
    if (!g->collected || g == w->f) /* recursion */
        return;
    for (int i = 0; i < g->events; i++) {
        struct event e = g->event[i];
        if (e.op == OP_GO)
            continue;
        e.path = path_translate(&e.path, g, n);
        e.node = n;
        e.via = g;
        e.maybe |= w->maybe;
        e.once |= w->once;
        e.in_loop |= w->in_loop;
        e.loop = w->loop;
        e.deferred = w->deferred;
        e.in_condition = false;
        add_event(w->f, e);
    }
}

/* .stack of (struct rn_go_call){…}. */
static void look_for_stack(struct node *n, void *to)
{
    if (n->kind != K_FIELDINIT || strcmp(n->name, "stack") != 0)
        return;
    CXEvalResult r = clang_Cursor_Evaluate(n->child[0]->cursor);
    *(long long *)to = r && clang_EvalResult_getKind(r) == CXEval_Int ? clang_EvalResult_getAsLongLong(r) : -1;
    if (r)
        clang_EvalResult_dispose(r);
}

static void go_event(const struct walk *w, struct node *n)
{
    struct go_site *s = calloc(1, sizeof *s);
    if (!s)
        die(STATUS_FAILED, "out of memory");
    *s = (struct go_site){.node = n, .call = n->child[1], .in = w->f, .in_loop = w->in_loop, .loop = w->loop};
    s->function = s->call ? callee(s->call) : NULL;
    s->owner = n->child[0] ? object_of(n->child[0]) : (struct path){0};
    each_node(n->child[0], look_for_stack, &s->stack);
    if (s->function && strcmp(n->name, "rn_run") != 0) {
        s->function->started++;
        if (!s->function->starts)
            s->function->starts = s;
    }
    program.site = realloc(program.site, (size_t)(program.sites + 1) * sizeof *program.site);
    if (!program.site)
        die(STATUS_FAILED, "out of memory");
    program.site[program.sites++] = s;
    struct event e = plain(w, n);
    e.op = OP_GO;
    e.site = s;
    e.path = s->owner;
    add_event(w->f, e);
    struct function *g = s->function;
    if (g && strcmp(n->name, "rn_run") == 0) /* runs to its end here */
        called_events(w, s->call, g);
}

static void collect(struct node *n, struct walk w);

static void collect_children(struct node *n, struct walk w)
{
    for (int i = 0; i < n->n; i++) {
        collect(n->child[i], w);
        if (n->kind == K_BLOCK && is_case(n->child[i], "rn__vet_once")) /* ({ once; f(…); }) */
            w.once = w.maybe = true;
    }
}

static void collect_loop(struct node *n, struct walk w)
{
    struct walk inside = w;
    inside.in_loop = inside.maybe = true;
    inside.loop = n;
    struct walk condition = inside;
    condition.in_condition = true;
    switch (n->kind) {
    case K_FOR:
        collect(n->child[0], w);
        collect(n->child[1], condition);
        collect(n->child[3], inside);
        collect(n->child[2], inside);
        break;
    case K_WHILE:
        collect(n->child[0], condition);
        collect(n->child[1], inside);
        break;
    default: { /* do: at least once; do … while (0) is no loop at all */
        bool truth = true;
        if (is_constant(n->child[0], &truth) && !truth)
            inside = w;
        else
            inside.maybe = w.maybe;
        collect(n->child[1], inside);
        collect(n->child[0], condition);
    }
    }
}

static void collect_call(struct node *n, struct walk w)
{
    const struct known *k = known_call(n);
    collect_children(n, w);
    if (k)
        known_event(&w, n, k);
    else if (callee(n))
        called_events(&w, n, callee(n));
}

static void collect(struct node *n, struct walk w)
{
    struct walk branch = w;
    if (!n)
        return;
    branch.maybe = true;
    switch (n->kind) {
    case K_FOR:
    case K_WHILE:
    case K_DO:
        collect_loop(n, w);
        return;
    case K_IF:
    case K_COND:
        branch.in_condition = true;
        w.in_condition = true;
        collect(n->child[0], w);
        branch.in_condition = false;
        for (int i = 1; i < n->n; i++)
            collect(n->child[i], branch);
        return;
    case K_BINARY: {
        /* && and ||: one condition of several */
        bool joins = n->op && (n->op[0] == '&' || n->op[0] == '|') && n->op[1];
        w.in_condition &= !joins;
        branch.in_condition = w.in_condition;
        collect(n->child[0], w);
        collect(n->n > 1 ? n->child[1] : NULL, joins ? branch : w);
        return;
    }
    case K_SWITCH:
        collect(n->child[0], w);
        collect(n->child[1], branch);
        return;
    case K_GO:
        if (n->child[0])
            collect(n->child[0], w);
        if (n->child[1])
            collect_children(n->child[1], w);
        if (n->child[1])
            go_event(&w, n);
        return;
    case K_DEFER:
        w.deferred = true;
        collect(n->child[0], w);
        return;
    case K_CALL:
        collect_call(n, w);
        return;
    default:
        collect_children(n, w);
    }
}

/* ---- before all else: which variables keep their first value, who writes which globals --------- */

static struct decl *written(struct node *n)
{
    n = strip(n);
    return n && n->kind == K_REF ? n->decl : NULL;
}

static void note_write(struct function *f, struct node *target)
{
    struct path p = path_of(target);
    if (!p.ok || !p.root || p.root->kind != D_GLOBAL || strchr(p.suffix, '*'))
        return;
    f->writes = realloc(f->writes, (size_t)(f->write_count + 1) * sizeof *f->writes);
    if (!f->writes)
        die(STATUS_FAILED, "out of memory");
    f->writes[f->write_count++] = p.root;
}

static void note_node(struct node *n, void *arg)
{
    struct decl *d = NULL;
    if ((n->kind == K_ASSIGN || n->kind == K_STEP) && n->n) {
        d = written(n->child[0]);
        note_write(arg, n->child[0]);
    } else if (n->kind == K_ADDR) {
        d = written(n->child[0]);
    }
    if (d && (d->kind == D_LOCAL || d->kind == D_PARAM))
        d->reassigned = true;
}

void summarize(struct function *f)
{
    if (f->collected || f->collecting)
        return;
    f->collecting = true;
    each_node(f->body, note_node, f);
    collect(f->body, (struct walk){.f = f});
    f->collecting = false;
    f->collected = true;
}

const struct event *blocking_event(struct function *f)
{
    summarize(f);
    for (int i = 0; i < f->events; i++)
        if (f->event[i].flags & BLOCKS)
            return &f->event[i];
    return NULL;
}
