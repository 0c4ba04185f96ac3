/* Channels and contexts through the whole program: which variables, parameters and fields may hold the
 * same one, and what is done with it.
 *
 * Each assignment, initial value, argument and result unites two holders (union-find, without regard
 * to order; a field counts as one holder for all structs of its type).  An argument is not united with a
 * parameter that the function keeps to itself: it only gets what the function does with it, so that
 * two callers of one helper stay apart.  What is united too much only makes the checks quieter. */
#include "vet.h"
#include <stdlib.h>
#include <string.h>

enum { V_SENT = 1, V_RECEIVED = 2, V_RANGED = 4, V_CLOSED = 8, V_ESCAPED = 16, V_ENDED = 32, V_SHARED = 64 };

struct value {
    struct value *up;
    unsigned flags;
    struct node *made, *ranged;
    const char *name;
    bool is_context;
    int params; /* how many parameters are among the holders */
};

static struct value *find(struct value *v)
{
    while (v->up) {
        if (v->up->up)
            v->up = v->up->up;
        v = v->up;
    }
    return v;
}

static void unite(struct value *a, struct value *b)
{
    if (!a || !b || (a = find(a)) == (b = find(b)))
        return;
    b->up = a;
    a->flags |= b->flags;
    a->made = a->made ? a->made : b->made;
    a->ranged = a->ranged ? a->ranged : b->ranged;
    a->name = a->name ? a->name : b->name;
    a->is_context |= b->is_context;
    a->params += b->params;
}

static struct value *new_value(const char *name)
{
    struct value *v = calloc(1, sizeof *v);
    if (!v)
        die(STATUS_FAILED, "out of memory");
    v->name = name;
    return v;
}

static struct value *holder(struct decl *d)
{
    if (!d->value) {
        d->value = new_value(d->name);
        /* Others may see it too. */
        bool open = (d->kind == D_GLOBAL && !d->is_static) || (d->kind == D_FIELD && d->in_header);
        bool shared = d->kind == D_GLOBAL || d->kind == D_FIELD || d->kind == D_FUNCTION || d->is_static;
        d->value->flags = (open ? V_ESCAPED : 0) | (shared ? V_SHARED : 0);
        d->value->params = d->kind == D_PARAM;
    }
    return d->value;
}

static void mark(struct value *v, unsigned flags)
{
    if (v)
        find(v)->flags |= flags;
}

static struct value *value_of(struct node *n);

static struct value *value_of_call(struct node *n)
{
    const struct known *k = known_call(n);
    if (k && (k->op == OP_CHAN_MAKE || k->op == OP_CTX_MAKE)) {
        struct value *v = new_value(NULL);
        v->made = n;
        v->is_context = k->op == OP_CTX_MAKE;
        return v;
    }
    return callee(n) ? holder(n->decl) : NULL; /* the function's result */
}

/* Who may hold what n is; NULL when it is none of ours. */
static struct value *value_of(struct node *n)
{
    n = strip(n);
    if (!n)
        return NULL;
    switch (n->kind) {
    case K_REF:
        return n->decl && n->decl->kind != D_FUNCTION ? holder(n->decl) : NULL;
    case K_MEMBER:
        return n->decl ? holder(n->decl) : NULL;
    case K_INDEX:
    case K_DEREF:
    case K_ADDR:
        return value_of(n->child[0]);
    case K_ASSIGN:
        return n->n > 1 ? value_of(n->child[1]) : NULL;
    case K_COND: {
        struct value *a = value_of(n->child[1]), *b = value_of(n->child[2]);
        unite(a, b);
        return a ? a : b;
    }
    case K_CALL:
        return value_of_call(n);
    default:
        return NULL;
    }
}

/* A channel, a context, or where some lie. */
static bool matters_as(CXType t)
{
    t = clang_getCanonicalType(t);
    for (int i = 0; i < 4; i++) {
        if (is_chan(t) || is_context(t))
            return true;
        if (is_array(t))
            t = clang_getCanonicalType(clang_getArrayElementType(t));
        else if (t.kind == CXType_Pointer)
            t = clang_getCanonicalType(clang_getPointeeType(t));
        else
            return false;
    }
    return false;
}

static bool matters(struct node *n)
{
    return n && strip(n) && (matters_as(n->type) || matters_as(strip(n)->type));
}

static void flows(struct value *to, struct node *from)
{
    if (!from || !strip(from) || (!matters(from) && strip(from)->kind != K_REF))
        return;
    struct value *v = value_of(from);
    if (v && !to)
        mark(v, V_ESCAPED);
    unite(to, v);
}

static void known_use(struct node *call, const struct known *k)
{
    struct node *c = k->object < call->n ? call->child[k->object] : NULL;
    struct value *v = c ? value_of(c) : NULL;
    static const unsigned flags[] = {
        [OP_SEND] = V_SENT,        [OP_TRY_SEND] = V_SENT, [OP_ON_SEND] = V_SENT,
        [OP_RECV] = V_RECEIVED,    [OP_NEXT] = V_RECEIVED, [OP_TRY_RECV] = V_RECEIVED,
        [OP_ON_RECV] = V_RECEIVED, [OP_CLOSE] = V_CLOSED,  [OP_CTX_END] = V_ENDED,
    };
    if ((size_t)k->op < sizeof flags / sizeof *flags)
        mark(v, flags[k->op]);
    for (int i = 0; i < call->n; i++) { /* a channel sent through a channel, or given to who knows what */
        bool kept = k->op == OP_SEND || k->op == OP_TRY_SEND || k->op == OP_ON_SEND;
        if (i != k->object && kept && matters(call->child[i]))
            mark(value_of(call->child[i]), V_ESCAPED);
    }
}

static void visit(struct function *f);

/* An argument for a parameter of a function that has been looked at. */
static void give(struct decl *param, struct node *arg)
{
    struct value *p = find(holder(param)), *v;
    if ((p->flags & (V_SHARED | V_ESCAPED)) || p->params > 1 || !param->within->valued) {
        flows(p, arg);
        return;
    }
    v = matters(arg) || strip(arg)->kind == K_REF ? value_of(arg) : NULL;
    if (!v)
        return;
    v = find(v);
    v->flags |= p->flags;
    v->ranged = v->ranged ? v->ranged : p->ranged;
}

static void arguments(struct node *call)
{
    const struct known *k = known_call(call);
    struct function *g = callee(call);
    if (k) {
        known_use(call, k);
        return;
    }
    if (g)
        visit(g);
    for (int i = 0; i < call->n; i++) {
        struct node *a = call->child[i];
        if (g && i < g->params && strip(a))
            give(g->param[i], a);
        else if (matters(a) && !(strncmp(call->name, "rn_", 3) == 0 && is_context(strip(a)->type)))
            mark(value_of(a), V_ESCAPED);
    }
}

static void initial(struct value *to, struct node *init);

static void initial_fields(struct node *list)
{
    CXType t = clang_getCanonicalType(list->type);
    (void)t;
    for (int i = 0; i < list->n; i++) {
        struct node *c = list->child[i];
        if (c->kind == K_FIELDINIT && c->decl)
            initial(holder(c->decl), c->child[0]);
    }
}

struct fields {
    struct node *list;
    int at;
};

static enum CXVisitorResult positional(CXCursor field, CXClientData data);

static void initial(struct value *to, struct node *init)
{
    struct node *s = strip(init);
    if (s && s->kind == K_COMPOUND && s->n)
        s = s->child[0];
    if (!s || s->kind != K_INIT) {
        flows(to, init);
        return;
    }
    CXType t = clang_getCanonicalType(s->type);
    if (t.kind == CXType_Record && s->n && s->child[0]->kind != K_FIELDINIT)
        clang_Type_visitFields(t, positional, &(struct fields){s, 0});
    else if (t.kind == CXType_Record)
        initial_fields(s);
    else
        for (int i = 0; i < s->n; i++)
            initial(to, s->child[i]);
}

static enum CXVisitorResult positional(CXCursor field, CXClientData data)
{
    struct fields *f = data;
    if (f->at >= f->list->n)
        return CXVisit_Break;
    struct node *c = f->list->child[f->at++];
    initial(holder(declaration(field)), c);
    return CXVisit_Continue;
}

static void see(struct node *n, void *arg)
{
    struct function *f = arg;
    switch (n->kind) {
    case K_VAR:
        if (n->child[0])
            initial(holder(n->decl), n->child[0]);
        break;
    case K_ASSIGN:
        if (n->n == 2)
            initial(value_of(n->child[0]), n->child[1]);
        break;
    case K_COMPOUND:
        initial(NULL, n);
        break;
    case K_RETURN:
        if (n->n)
            flows(holder(f->decl), n->child[0]);
        break;
    case K_CALL:
        arguments(n);
        break;
    default:
        break;
    }
}

static struct node *first_ref(struct node *n)
{
    struct node *found = n && n->kind == K_REF ? n : NULL;
    for (int i = 0; n && !found && n->kind != K_CALL && i < n->n; i++)
        found = first_ref(n->child[i]);
    return found;
}

static bool refers_to(struct node *n, const struct decl *d)
{
    bool found = n && n->kind == K_REF && n->decl == d;
    for (int i = 0; n && !found && i < n->n; i++)
        found = refers_to(n->child[i], d);
    return found;
}

static bool is_bool(CXType t)
{
    return clang_getCanonicalType(t).kind == CXType_Bool;
}

/* n++, n -= 2, and what a bool is set to. */
static bool sets(struct node *n, const struct decl *d)
{
    if (!n)
        return false;
    bool counts = n->kind == K_STEP || (n->kind == K_ASSIGN && n->op && strcmp(n->op, "=") != 0);
    bool answers = (n->kind == K_ASSIGN || n->kind == K_VAR) && is_bool(d->type);
    if ((counts || answers) && (n->kind == K_VAR ? n->decl == d : refers_to(n->child[0], d)))
        return true;
    for (int i = 0; i < n->n; i++)
        if (sets(n->child[i], d))
            return true;
    return false;
}

/* By what a loop ends, beside its receive: the value that it has received, a number that it counts, a bool that it sets.  What a
 * call makes of the value may be an error, unless it is a bool, or told by `==` from what is no error's number, or what such a
 * function of libc says that cannot fail. */
struct ending {
    struct node *loop, *receive;
    const struct decl *received; /* or NULL */
};

static bool cannot_fail(const struct node *call)
{
    static const char *const list[] = {"strcmp", "strncmp", "strcasecmp", "strncasecmp", "memcmp", "strlen",
                                       "strstr", "strchr",  "strrchr",    "memchr",      "strspn", "strcspn",
                                       "abs",    "labs",    "llabs",      "fabs",        "atoi",   "atol"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (strcmp(call->name, list[i]) == 0)
            return true;
    return false;
}

static bool is_natural(const struct node *n)
{
    bool known;
    return constant(n->cursor, &known) >= 0 && known;
}

/* `code(v) == 7` */
static bool tells(const struct node *n, const struct ending *e)
{
    for (int i = 0; n->kind == K_BINARY && n->n == 2 && n->op && strcmp(n->op, "==") == 0 && i < 2; i++) {
        struct node *call = strip(n->child[i]);
        if (call && call->kind == K_CALL && call != e->receive && !is_pointer(call->type) &&
            refers_to(call, e->received) && is_natural(n->child[1 - i]))
            return true;
    }
    return false;
}

static bool decides(struct node *n, const struct ending *e)
{
    if (!n)
        return false;
    if (n->kind == K_REF && n->decl)
        return n->decl == e->received || sets(e->loop, n->decl);
    if (n->kind == K_CALL)
        return n != e->receive && e->received && (is_bool(n->type) || cannot_fail(n)) && refers_to(n, e->received);
    bool found = n->kind == K_STEP || (e->received && tells(n, e));
    for (int i = 0; !found && i < n->n; i++)
        found = decides(n->child[i], e);
    return found;
}

static bool leaves(struct node *n, bool by_break)
{
    if (!n)
        return false;
    if (n->kind == K_RETURN || n->kind == K_GOTO || (n->kind == K_BREAK && by_break))
        return true;
    if (n->kind == K_CALL && n->name && strcmp(n->name, "rn_exit_goroutine") == 0)
        return true;
    bool another = n->kind == K_SWITCH || n->kind == K_FOR || n->kind == K_WHILE || n->kind == K_DO;
    for (int i = 0; i < n->n; i++)
        if (leaves(n->child[i], by_break && !another))
            return true;
    return false;
}

/* `if (v < 0) return;`, `if (++n == 3) break;`, `if (!handle(v)) return;`: the loop ends by these, too. */
static bool ends_by(struct node *n, const struct ending *e)
{
    bool tests =
        n &&
        ((n->kind == K_IF && decides(n->child[0], e)) ||
         (n->kind == K_SWITCH && (decides(n->child[0], e) || (e->received && refers_to(n->child[0], e->received)))));
    for (int i = 1; tests && i < n->n; i++)
        if (leaves(n->child[i], n->kind == K_IF))
            return true;
    for (int i = 0; n && i < n->n; i++)
        if (ends_by(n->child[i], e))
            return true;
    return false;
}

static bool ends_by_value(const struct event *e)
{
    struct node *to = e->node->n > 1 ? first_ref(e->node->child[1]) : NULL;
    return ends_by(e->loop, &(struct ending){e->loop, e->node, to ? to->decl : NULL});
}

/* The receive that a loop ends by: its condition, or `if (!chan_next(…)) break;` in an endless one. */
static void see_ranges(struct function *f)
{
    for (int i = 0; i < f->events; i++) {
        const struct event *e = &f->event[i];
        if (e->op != OP_NEXT || !e->in_loop || e->via || !e->in_condition)
            continue;
        struct value *v = value_of(e->node->child[0]);
        if (!v || ends_by_value(e))
            continue;
        v = find(v);
        v->flags |= V_RANGED;
        if (!v->ranged)
            v->ranged = e->node;
    }
}

static void visit(struct function *f)
{
    if (f->valuing)
        return;
    f->valuing = true;
    each_node(f->body, see, f);
    see_ranges(f);
    f->valued = true;
}

static void judge(struct value *v)
{
    if (!v->made || (v->flags & V_ESCAPED))
        return;
    if (v->is_context) {
        if (!(v->flags & V_ENDED))
            report(&v->made->at, "lostcancel",
                   "nothing ends the context that is kept in %s: call ctx_cancel for it when its work is over",
                   v->name ? v->name : "it");
    } else if ((v->flags & V_RANGED) && !(v->flags & V_CLOSED)) {
        report(
            &v->ranged->at, "neverclosed",
            "this loop ends when %s is closed, and nobody closes it: the goroutine waits here for ever; let the last "
            "sender chan_close it (made on line %u)",
            v->name ? v->name : "the channel", v->made->at.line);
    }
}

static void judge_once(struct value *v, struct value ***seen, int *n)
{
    v = find(v);
    for (int i = 0; i < *n; i++)
        if ((*seen)[i] == v)
            return;
    *seen = realloc(*seen, (size_t)(*n + 1) * sizeof **seen);
    if (!*seen)
        die(STATUS_FAILED, "out of memory");
    (*seen)[(*n)++] = v;
    judge(v);
}

struct judging {
    struct value **seen;
    int n;
};

static void judge_node(struct node *n, void *arg)
{
    struct judging *j = arg;
    if ((n->kind == K_VAR || n->kind == K_MEMBER || n->kind == K_REF) && n->decl && n->decl->value) {
        /* A context in a plain local variable is followed path by path (flow.c). */
        struct value *v = find(n->decl->value);
        if (!(v->is_context && n->decl->kind != D_FIELD && n->decl->kind != D_GLOBAL && !n->decl->is_static))
            judge_once(v, &j->seen, &j->n);
    }
}

void check_values(void)
{
    struct judging j = {0};
    for (int i = 0; i < program.functions; i++)
        visit(program.function[i]);
    for (int i = 0; i < program.functions; i++)
        each_node(program.function[i]->body, judge_node, &j);
}
