/* A walk over a function's paths, with what holds at each point.
 *
 * The tree is walked as the program would run: branches with copies of the facts that meet again
 * behind them, a loop's body twice (so that what its first round leaves behind meets its second),
 * forward gotos to their labels.  A condition that tells whether a lock was taken splits the facts. */
#include "flow.h"
#include <stdlib.h>
#include <string.h>

static void run(struct flow *w, struct node *n, struct state *s);

static struct state nowhere(void)
{
    return (struct state){.dead = true};
}

/* ---- conditions -------------------------------------------------------------------------------- */

static bool is_zero(struct node *n)
{
    n = strip(n);
    return n && n->kind == K_LITERAL && n->value == 0;
}

static enum op op_of(const struct node *n)
{
    const struct known *k = n && n->kind == K_CALL ? known_call(n) : NULL;
    return k ? k->op : OP_NONE;
}

/* A call that takes a lock or fails: `taken` says which it was. */
static void note_lock_attempt(struct node *call, bool value, struct state *s)
{
    enum op op = op_of(call);
    bool try_ = op == OP_TRYLOCK || op == OP_TRYRLOCK;
    if (!try_ && op != OP_LOCK_CTX && op != OP_RLOCK_CTX)
        return;
    struct path p = object_of(call->child[known_call(call)->object]);
    struct fact *held = state_find(s, F_HELD, &p), *before = held && !held->conditional ? held : NULL;
    bool taken = try_ ? value : !value;
    if (!taken && !before && p.ok)
        state_add(s, (struct fact){.kind = F_NOT_TAKEN, .path = p, .site = call});
    held = state_find(s, F_HELD, &p);
    if (!taken && held)
        state_remove(s, (int)(held - s->fact));
    else if (taken && !held && p.ok)
        held = state_add(
            s,
            (struct fact){.kind = F_HELD, .path = p, .site = call, .shared = op == OP_TRYRLOCK || op == OP_RLOCK_CTX});
    if (taken && held)
        held->conditional = false;
}

/* What is known when `n` is true (or false). */
static void assume(struct node *n, bool truth, struct state *s)
{
    n = strip(n);
    if (!n || s->dead)
        return;
    if (n->kind == K_NOT) {
        assume(n->child[0], !truth, s);
    } else if (n->kind == K_BINARY && n->op && n->n == 2) {
        if (strcmp(n->op, "&&") == 0 || strcmp(n->op, "||") == 0) {
            if (truth == (n->op[0] == '&')) {
                assume(n->child[0], truth, s);
                assume(n->child[1], truth, s);
            }
        } else if (is_zero(n->child[1]) && (n->op[0] == '<' || strcmp(n->op, "!=") == 0)) {
            assume(n->child[0], truth, s);
        } else if (is_zero(n->child[1]) && strcmp(n->op, "==") == 0) {
            assume(n->child[0], !truth, s);
        }
    } else if (n->kind == K_COND && n->n == 3) { /* mutex_try_lock(m) ? 0 : -1 */
        bool first = false, second = false;
        if (is_constant(n->child[1], &first) && is_constant(n->child[2], &second) && first != second)
            assume(n->child[0], truth == first, s);
    } else if (n->kind == K_ASSIGN && n->n == 2) {
        assume(n->child[1], truth, s);
    } else if (n->kind == K_CALL) {
        note_lock_attempt(n, truth, s);
        gift_attempt(n, truth, s);
    } else if (n->kind == K_REF && n->decl) {
        if (!truth)
            state_drop_context(s, n->decl); /* NULL */
        struct node *init = n->decl->kind == D_LOCAL && !n->decl->reassigned ? strip(n->decl->init) : NULL;
        if (init && init->kind == K_CALL) {
            note_lock_attempt(init, truth, s);
            gift_attempt(init, truth, s);
        }
    }
}

/* As run; variables that are only looked at stay what they are. */
static void run_condition(struct flow *w, struct node *n, struct state *s)
{
    struct node *c = strip(n);
    if (!c)
        return;
    if (c->kind == K_REF) {
        effect_read(w, c, s);
    } else if (c->kind == K_NOT || c->kind == K_BINARY) {
        for (int i = 0; i < c->n; i++)
            run_condition(w, c->child[i], s);
    } else {
        run(w, n, s);
    }
}

/* ---- leaving ----------------------------------------------------------------------------------- */

static void leave_to(struct flow *w, int depth, struct state *s, const struct place *at)
{
    for (int i = w->depth; i-- > depth && !s->dead;)
        end_of_scope(w, w->scope[i], s, at);
}

static void enter(struct flow *w, struct node *scope)
{
    if (w->depth < (int)(sizeof w->scope / sizeof *w->scope))
        w->scope[w->depth++] = scope;
}

static void leave(struct flow *w, struct state *s, const struct place *at)
{
    if (!s->dead)
        end_of_scope(w, w->scope[w->depth - 1], s, at);
    w->depth--;
}

static void run_return(struct flow *w, struct node *n, struct state *s)
{
    for (int i = 0; i < n->n; i++)
        run(w, n->child[i], s);
    if (s->dead)
        return;
    end_of_function(w, s, &n->at, true);
    leave_to(w, 0, s, &n->at);
    state_join(&w->at_exit, s);
    w->returned = true;
    s->dead = true;
}

static void run_jump(struct flow *w, struct node *n, struct state *s)
{
    struct jump *j = w->jumps;
    while (j && n->kind == K_CONTINUE && j->target->kind == K_SWITCH)
        j = j->up;
    if (!j || s->dead)
        return;
    if (n->kind == K_CONTINUE)
        check_continue(w, j->target, s, &n->at);
    leave_to(w, j->depth, s, &n->at);
    state_join(n->kind == K_BREAK ? &j->after_break : &j->after_continue, s);
    s->dead = true;
}

static struct jump *label(struct flow *w, const char *name)
{
    for (struct jump *l = w->labels; l; l = l->up)
        if (l->label == name)
            return l;
    struct jump *l = calloc(1, sizeof *l);
    if (!l)
        die(STATUS_FAILED, "out of memory");
    *l = (struct jump){.label = name, .at_label = nowhere(), .up = w->labels};
    w->labels = l;
    return l;
}

/* ---- statements -------------------------------------------------------------------------------- */

static void run_block(struct flow *w, struct node *n, struct state *s)
{
    enter(w, n);
    for (int i = 0; i < n->n; i++) {
        struct node *c = strip(n->child[i]);
        if (c && makes_context(c) && !s->dead)
            report(&c->at, "lostcancel", "the context that this makes is dropped: keep it, and defer(ctx_cancel, …)");
        run(w, n->child[i], s);
    }
    struct place end = n->at;
    clang_getExpansionLocation(clang_getRangeEnd(clang_getCursorExtent(n->cursor)), NULL, &end.line, &end.column, NULL);
    leave(w, s, &end);
}

/* What was begun on some paths only, and is done with in one branch of an if: `if (limit) ctx_cancel(c);`,
 * `if (started) wg_wait(&wg);`.  The branch is taken to be the one that knows. */
static bool has_fact(const struct state *s, const struct fact *f)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == f->kind && s->fact[i].site == f->site && s->fact[i].decl == f->decl)
            return true;
    return false;
}

static void drop_settled(struct state *s, const struct state *other, const struct state *before)
{
    if (s->dead || other->dead)
        return;
    for (int i = s->n; i-- > 0;) {
        const struct fact *f = &s->fact[i];
        if (f->kind >= F_CONTEXT && f->conditional && has_fact(before, f) && !has_fact(other, f))
            state_remove(s, i);
    }
}

static void run_if(struct flow *w, struct node *n, struct state *s)
{
    bool truth, known = is_constant(n->child[0], &truth);
    run_condition(w, n->child[0], s);
    struct state other = state_copy(s), before = state_copy(s);
    assume(n->child[0], true, s);
    assume(n->child[0], false, &other);
    if (known)
        *(truth ? &other : s) = nowhere();
    run(w, n->child[1], s);
    if (n->n > 2)
        run(w, n->child[2], &other);
    drop_settled(s, &other, &before);
    drop_settled(&other, s, &before);
    state_join(s, &other);
}

static bool has_default(struct node *n)
{
    if (!n || n->kind == K_SWITCH)
        return false;
    if (n->kind == K_DEFAULT)
        return true;
    for (int i = 0; i < n->n; i++)
        if (has_default(n->child[i]))
            return true;
    return false;
}

static int count_cases(struct node *n)
{
    int cases = n && n->kind == K_CASE;
    for (int i = 0; n && n->kind != K_SWITCH && i < n->n; i++)
        cases += count_cases(n->child[i]);
    return cases;
}

static void run_switch(struct flow *w, struct node *n, struct state *s)
{
    struct jump j = {
        .target = n, .after_break = nowhere(), .after_continue = nowhere(), .depth = w->depth, .up = w->jumps};
    struct node *value = strip(n->child[0]), *outer_select = w->select;
    struct state *outer = w->entry;
    bool is_select = value && value->kind == K_CALL && strcmp(value->name, "rn__vet_select") == 0;
    w->switched = is_select ? value : NULL;
    run_condition(w, n->child[0], s);
    struct state entry = state_copy(s);
    bool was_dead = s->dead, all = has_default(n->child[1]) || (is_select && count_cases(n->child[1]) >= value->n - 1);
    w->select = is_select ? value : NULL;
    w->entry = &entry;
    w->jumps = &j;
    *s = nowhere();
    if (!was_dead)
        run(w, n->child[1], s);
    w->jumps = j.up;
    w->entry = outer;
    w->select = outer_select;
    state_join(s, &j.after_break);
    if (!all)
        state_join(s, &entry);
    if (was_dead)
        *s = nowhere();
}

static void run_case(struct flow *w, struct node *n, struct state *s)
{
    struct state from = w->entry ? state_copy(w->entry) : nowhere();
    if (n->kind == K_CASE && w->select && n->value >= 0 && n->value + 1 < w->select->n) {
        struct node *c = strip(w->select->child[n->value + 1]);
        if (c && c->kind == K_CALL && strcmp(c->name, "rn__vet_on_recv") == 0) {
            effect_join(&from);
            timer_fired(c->child[0], &from);
        }
    } else if (n->kind == K_DEFAULT && w->select) {
        timers_may_have_fired(w->select, &from);
    }
    state_join(s, &from);
    run(w, n->n ? n->child[0] : NULL, s);
}

struct loop {
    struct node *condition, *step, *body;
    bool body_first;
};

static void test(struct flow *w, const struct loop *l, struct state *s, struct state *out)
{
    bool truth = true, known = !l->condition || is_constant(l->condition, &truth);
    if (l->condition)
        run_condition(w, l->condition, s);
    struct state f = state_copy(s);
    assume(l->condition, false, &f);
    assume(l->condition, true, s);
    if (!(known && truth))
        state_join(out, &f);
    if (known && !truth)
        *s = nowhere();
}

/* A loop that waits, or ends contexts, is taken to run at least once: `for (i < n) chan_recv(done);` */
static void ran_once(struct state *out, const struct state *first, const struct state *after)
{
    if (after->dead)
        return;
    for (int i = out->n; i-- > 0;) {
        const struct fact *f = &out->fact[i];
        if (f->kind >= F_CONTEXT && has_fact(first, f) && !has_fact(after, f))
            state_remove(out, i);
    }
}

static void see_atomic(struct node *n, void *arg)
{
    bool looks = n->kind == K_OTHER && n->n > 1; /* an __atomic_ builtin */
    if (n->kind == K_REF || n->kind == K_MEMBER || n->kind == K_DEREF)
        looks = clang_isVolatileQualifiedType(clang_getCanonicalType(n->type)) ||
                strncmp(spelling(clang_getTypeSpelling(n->type)), "_Atomic", 7) == 0;
    *(bool *)arg |= looks || (n->kind == K_CALL && (strncmp(n->name, "rn_yield", 8) == 0 || strstr(n->name, "load")));
}

/* while (!load(&done)) rn_yield(); is a wait, if not a good one. */
static bool polls(const struct loop *l)
{
    bool looks = false;
    if (l->condition)
        each_node(l->condition, see_atomic, &looks);
    if (l->condition && l->body)
        each_node(l->body, see_atomic, &looks);
    return looks;
}

static void run_loop(struct flow *w, struct node *n, const struct loop *l, struct state *s)
{
    struct jump j = {
        .target = n, .after_break = nowhere(), .after_continue = nowhere(), .depth = w->depth, .up = w->jumps};
    struct state out = nowhere(), first = state_copy(s), after = nowhere();
    w->jumps = &j;
    for (int round = 0; round < 2 && !s->dead; round++) {
        if (!l->body_first)
            test(w, l, s, &out);
        j.after_continue = nowhere();
        run(w, l->body, s);
        state_join(s, &j.after_continue);
        if (round == 0)
            after = state_copy(s);
        if (!s->dead)
            end_of_round(w, n, s);
        if (l->step && !s->dead)
            run(w, l->step, s);
        if (l->body_first)
            test(w, l, s, &out);
    }
    if (!l->body_first && !s->dead)
        test(w, l, s, &out);
    w->jumps = j.up;
    *s = out;
    ran_once(s, &first, &after);
    state_join(s, &j.after_break);
    if (polls(l)) {
        state_drop(s, F_PENDING);
        state_drop(s, F_SENT);
    }
}

static void run_for(struct flow *w, struct node *n, struct state *s)
{
    struct place at = n->at;
    enter(w, n);
    if (n->child[0])
        run(w, n->child[0], s);
    run_loop(w, n, &(struct loop){n->child[1], n->child[2], n->child[3], false}, s);
    leave(w, s, &at);
}

/* ---- expressions ------------------------------------------------------------------------------- */

static bool can_be_null(struct node *n)
{
    n = strip(n);
    return n && n->kind == K_COND;
}

/* A statement of the innermost loop's body itself: each round comes to it. */
static bool in_every_round(const struct flow *w, const struct node *statement)
{
    const struct jump *j = w->jumps;
    const struct node *loop = j ? j->target : NULL;
    if (!loop || loop->kind == K_SWITCH)
        return false;
    const struct node *body = loop->kind == K_FOR ? loop->child[3] : loop->child[1];
    for (int i = 0; body && body->kind == K_BLOCK && i < body->n; i++)
        if (strip(body->child[i]) == statement)
            return true;
    return body == statement;
}

static void take_context(struct flow *w, struct node *target, struct node *value, struct decl *d, struct state *s)
{
    struct node *v = strip(value);
    bool maybe = v && v->kind == K_COND;
    if (maybe)
        v = makes_context(strip(v->child[1])) ? strip(v->child[1]) : strip(v->child[2]);
    if (!makes_context(v) || !d || d->kind == D_GLOBAL || d->kind == D_FIELD || d->is_static)
        return;
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_CONTEXT && s->fact[i].decl == d &&
            (s->fact[i].site != target || in_every_round(w, target)))
            context_lost(&s->fact[i], &target->at, "the variable gets another context");
    /* Where the variable had another value before, whether there is a context to end is open. */
    maybe |= can_be_null(value) || (target->kind == K_ASSIGN && d->init && !is_zero(d->init)) || d->kind == D_PARAM;
    state_add(s, (struct fact){.kind = F_CONTEXT,
                               .decl = d,
                               .site = target,
                               .conditional = maybe,
                               .path = {.ok = true, .root = d, .suffix = intern("")}});
}

static void run_assign(struct flow *w, struct node *n, struct state *s)
{
    struct node *left = strip(n->child[0]), *right = n->n > 1 ? n->child[1] : NULL;
    struct decl *d = left && left->kind == K_REF ? left->decl : NULL;
    if (right)
        run(w, right, s);
    if (left && left->kind != K_REF)
        run(w, left, s);
    if (left)
        effect_assign(left, s);
    if (!d)
        return;
    state_forget(s, d);
    if (right)
        take_context(w, n, right, d, s);
}

/* A guard: what its first value has locked is unlocked when its block is left. */
static void guard_locks(struct flow *w, struct node *var, struct state *s)
{
    for (int i = 0; var->decl->cleaned_up && i < s->n; i++)
        if (s->fact[i].kind == F_HELD && is_within(var->child[0], s->fact[i].site)) {
            s->fact[i].deferred = true;
            s->fact[i].scope = w->scope[w->depth - 1];
        }
}

/* `fast ? NULL : ctx`: nothing but a choice among contexts. */
static bool is_choice(struct node *n)
{
    n = strip(n);
    if (n && n->kind == K_COND)
        return is_choice(n->child[1]) && is_choice(n->child[2]);
    return n && ((n->kind == K_REF && is_context(n->type)) || is_zero(n));
}

/* What it chooses goes to a variable or parameter, which keeps it, or ends it, or does not. */
static void run_choice(struct flow *w, struct node *n, bool kept, struct state *s)
{
    n = strip(n);
    if (n->kind == K_COND) {
        run_condition(w, n->child[0], s);
        run_choice(w, n->child[1], kept, s);
        run_choice(w, n->child[2], kept, s);
    } else if (n->kind == K_REF && kept) {
        struct path p = path_of(n);
        if (p.ok)
            state_drop_context(s, p.root);
    }
}

static void run_var(struct flow *w, struct node *n, struct state *s)
{
    struct node *init = strip(n->child[0]);
    struct path own = {.ok = true, .root = n->decl, .suffix = intern("")};
    state_forget(s, n->decl);
    if (!init)
        return;
    bool alone = is_context(init->type) && !n->decl->reassigned && !n->decl->is_static;
    bool alias = init->kind == K_REF && init->decl && alone;
    if (init->kind == K_COND && alone && is_choice(init))
        run_choice(w, init, variable_keeps_context(n->decl), s);
    else if (!alias)
        run(w, n->child[0], s);
    take_context(w, n, n->child[0], n->decl, s);
    guard_locks(w, n, s);
    (void)own;
}

static void run_children(struct flow *w, struct node *n, struct state *s)
{
    for (int i = 0; i < n->n; i++)
        run(w, n->child[i], s);
}

/* A variable as an argument is not yet given away: that depends on who gets it. */
static void run_arguments(struct flow *w, struct node *call, struct state *s)
{
    for (int i = 0; i < call->n; i++) {
        struct node *a = strip(call->child[i]);
        if (makes_context(a) && !call_keeps_context(call, i))
            report(&a->at, "lostcancel",
                   "nobody can end the context that this makes: keep it in a variable, and defer(ctx_cancel, …)");
        if (a && (a->kind == K_REF || a->kind == K_COND) && is_context(a->type) && is_choice(a)) {
            run_choice(w, a, call_keeps_context(call, i), s);
        } else if (a && a->kind == K_REF) {
            effect_read(w, a, s);
        } else {
            run(w, call->child[i], s);
        }
    }
}

static void run_call(struct flow *w, struct node *n, struct state *s, bool deferred)
{
    run_arguments(w, n, s);
    for (int i = 0; i < n->n; i++) { /* what it may change */
        struct node *a = strip(n->child[i]);
        struct decl *d = a && a->kind == K_ADDR && a->n ? (a = strip(a->child[0]))->decl : NULL;
        if (d && a->kind == K_REF && !lock_in(d->type) && !is_record(d->type))
            state_forget(s, d);
    }
    effect_call(w, n, s, deferred);
}

static void run(struct flow *w, struct node *n, struct state *s)
{
    if (!n || (s->dead && n->kind != K_LABEL && n->kind != K_CASE && n->kind != K_DEFAULT && n->kind != K_BLOCK &&
               n->kind != K_IF))
        return;
    switch (n->kind) {
    case K_BLOCK:
        run_block(w, n, s);
        break;
    case K_IF:
        run_if(w, n, s);
        break;
    case K_FOR:
        run_for(w, n, s);
        break;
    case K_WHILE:
    case K_DO:
        run_loop(w, n, &(struct loop){n->child[0], NULL, n->child[1], n->kind == K_DO}, s);
        break;
    case K_SWITCH:
        run_switch(w, n, s);
        break;
    case K_CASE:
    case K_DEFAULT:
        run_case(w, n, s);
        break;
    case K_LABEL:
        state_join(s, &label(w, n->name)->at_label);
        run_children(w, n, s);
        break;
    case K_GOTO:
        state_join(&label(w, n->name)->at_label, s);
        s->dead = true;
        break;
    case K_RETURN:
        run_return(w, n, s);
        break;
    case K_BREAK:
    case K_CONTINUE:
        run_jump(w, n, s);
        break;
    case K_VAR:
        run_var(w, n, s);
        break;
    case K_ASSIGN:
        run_assign(w, n, s);
        break;
    case K_STEP:
        run_condition(w, n->n ? n->child[0] : NULL, s);
        if (n->n && strip(n->child[0])->kind == K_REF)
            state_forget(s, strip(n->child[0])->decl);
        break;
    case K_REF: /* its value goes somewhere */
        effect_read(w, n, s);
        if (n->decl)
            state_drop_context(s, path_of(n).ok ? path_of(n).root : n->decl);
        break;
    case K_CAST:
        if (clang_getCanonicalType(n->type).kind == CXType_Void && n->n && strip(n->child[0])->kind == K_REF)
            break; /* (void)ctx */
        run_children(w, n, s);
        break;
    case K_NOT:
        run_condition(w, n, s);
        break;
    case K_BINARY:
        if (n->op && (n->op[0] == '=' || n->op[0] == '!' || n->op[0] == '&' || n->op[0] == '|'))
            run_condition(w, n, s);
        else
            run_children(w, n, s);
        break;
    case K_COND:
        run_if(w, n, s);
        for (int i = 1; i < n->n; i++) { /* c ? a : b gives either away */
            struct node *c = strip(n->child[i]);
            if (c && c->kind == K_REF && c->decl)
                state_drop_context(s, c->decl);
        }
        break;
    case K_CALL:
        run_call(w, n, s, false);
        break;
    case K_DEFER:
        if (n->child[0] && n->child[0]->kind == K_CALL)
            run_call(w, n->child[0], s, true);
        break;
    case K_GO:
        if (n->child[0])
            run(w, n->child[0], s);
        if (n->child[1] && n->child[1]->kind == K_CALL) {
            run_arguments(w, n->child[1], s);
            effect_go(w, n, s);
        }
        break;
    default:
        run_children(w, n, s);
    }
}

static void keep_exit(struct function *f, const struct state *s)
{
    f->exit_held = calloc((size_t)s->n + 1, sizeof *f->exit_held);
    for (int i = 0; f->exit_held && !s->dead && i < s->n; i++)
        if (s->fact[i].kind == F_HELD && !s->fact[i].deferred)
            f->exit_held[f->exit_helds++] = s->fact[i];
}

void check_flow(struct function *f)
{
    if (f->flowed || f->flowing)
        return;
    f->flowing = true;
    struct flow w = {.f = f, .at_exit = nowhere()};
    struct state s = {0};
    /* As run_block does, but for the end, which is a return. */
    enter(&w, f->body);
    for (int i = 0; i < f->body->n; i++) {
        struct node *c = strip(f->body->child[i]);
        if (c && makes_context(c) && !s.dead)
            report(&c->at, "lostcancel", "the context that this makes is dropped: keep it, and defer(ctx_cancel, …)");
        run(&w, f->body->child[i], &s);
    }
    struct place end = f->body->at;
    clang_getExpansionLocation(clang_getRangeEnd(clang_getCursorExtent(f->body->cursor)), NULL, &end.line, &end.column,
                               NULL);
    if (!s.dead) {
        end_of_function(&w, &s, &end, false);
        leave(&w, &s, &end);
        state_join(&w.at_exit, &s);
    }
    keep_exit(f, &w.at_exit);
    f->flowing = false;
    f->flowed = true;
}
