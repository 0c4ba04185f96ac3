/* What calls do: locks, channels, waiting, contexts, goroutines. */
#define _GNU_SOURCE 1
#include "flow.h"
#include <stdlib.h>
#include <string.h>

/* The name that the program wrote. */
static const char *shown(const struct node *call)
{
    static const char *const names[][2] = {
        {"rn__vet_send", "chan_send"},         {"rn__vet_recv", "chan_recv"},
        {"rn__vet_next", "chan_next"},         {"rn__vet_select", "chan_select"},
        {"rn__vet_send_ctx", "chan_send_ctx"}, {"rn__vet_recv_ctx", "chan_recv_ctx"},
        {"rn__select", "chan_select_array"},   {"rn__vet_try_send", "chan_try_send"},
        {"rn__vet_on_send", "on_send"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(call->name, names[i][0]) == 0)
            return names[i][1];
    if (strncmp(call->name, "rn_", 3) == 0 && strcmp(call->name, "rn_sleep") != 0)
        return call->name + 3;
    return call->name;
}

/* ---- locks ------------------------------------------------------------------------------------- */

static void lock(struct state *s, const struct event *e, bool shared, bool conditional)
{
    struct fact *held = state_find(s, F_HELD, &e->path);
    if (held && !held->conditional && !conditional)
        report(&e->node->at, "doublelock",
               "%s is locked already, on line %u: this waits for itself for ever%s; unlock it before, or split off a "
               "function that expects it locked",
               path_show(&e->path), held->site->at.line,
               held->shared && shared ? ", as soon as a writer waits between the two" : "");
    struct fact *failed = state_find(s, F_NOT_TAKEN, &e->path);
    if (failed)
        state_remove(s, (int)(failed - s->fact));
    struct fact f = {.kind = F_HELD, .path = e->path, .site = e->node, .shared = shared, .conditional = conditional};
    struct fact *unlocked = state_find(s, F_UNLOCKED, &e->path);
    if (unlocked) { /* for a while only */
        f.deferred = unlocked->deferred;
        f.scope = unlocked->scope;
        state_remove(s, (int)(unlocked - s->fact));
    }
    if (e->path.ok)
        state_add(s, f);
}

/* What lies behind two pointers may be another lock by now. */
static bool stays_the_same(const struct path *p)
{
    const char *star = p->suffix ? strchr(p->suffix, '*') : NULL;
    return p->ok && p->root && !(star && strchr(star + 1, '*'));
}

static void note_unlocked(struct state *s, const struct event *e, struct fact held)
{
    if (e->via || held.shared || held.conditional || !stays_the_same(&e->path))
        return;
    held.kind = F_UNLOCKED;
    held.site = e->node;
    state_add(s, held);
}

/* Another may lock such a lock, and hand it over. */
static void doubt_unlocked(struct state *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_UNLOCKED)
            s->fact[i].conditional = true;
    state_drop(s, F_NOT_TAKEN);
}

static void check_unlocked_twice(const struct state *s, const struct event *e, bool deferred)
{
    const struct fact *before = state_find(s, F_UNLOCKED, &e->path);
    bool another_round = before && before->site == e->node; /* a macro's loop that makes one only */
    if (before && !before->conditional && !another_round && !deferred && !e->via)
        report(
            &e->node->at, "doubleunlock",
            "%s is unlocked already, on line %u: unlock of an unlocked lock ends the program; unlock it once on each "
            "way",
            path_show(&e->path), before->site->at.line);
}

/* Where the attempt to lock it has failed. */
static void check_taken(const struct state *s, const struct event *e)
{
    const struct fact *failed = state_find(s, F_NOT_TAKEN, &e->path);
    if (failed && !e->via)
        report(
            &e->node->at, "doubleunlock",
            "%s is not locked here: %s on line %u has not taken it when it returns %s; unlock of an unlocked lock ends "
            "the program",
            path_show(&e->path), shown(failed->site), failed->site->at.line,
            strstr(failed->site->name, "_try_") ? "false" : "an error");
}

static void unlock(struct flow *w, struct state *s, const struct event *e, bool deferred)
{
    struct fact *held = state_find(s, F_HELD, &e->path);
    if (!held) {
        check_taken(s, e);
        check_unlocked_twice(s, e, deferred);
    } else if (deferred) {
        held->deferred = true;
        held->scope = w->scope[w->depth - 1];
    } else {
        struct fact was = *held;
        state_remove(s, (int)(held - s->fact));
        note_unlocked(s, e, was);
    }
}

static bool unlocks(const struct function *g, const struct node *call, const struct path *p)
{
    for (int i = 0; g && i < g->events; i++) {
        struct path q = path_translate(&g->event[i].path, g, call);
        if ((g->event[i].op == OP_UNLOCK || g->event[i].op == OP_RUNLOCK) && path_same(&q, p))
            return true;
    }
    return false;
}

static bool can_wait(const struct event *e)
{
    return (e->flags & BLOCKS) && !(e->op == OP_WG_WAIT && e->deferred);
}

/* `call` may wait, itself or (e) in the function g that it calls. */
static void check_held(const struct state *s, const struct node *call, const struct event *e, const struct function *g)
{
    for (int i = 0; i < s->n; i++) {
        const struct fact *held = &s->fact[i];
        if (held->kind != F_HELD || (e->op == OP_COND_WAIT && (!e->path.ok || path_same(&e->path, &held->path))) ||
            unlocks(g, call, &held->path))
            continue;
        const char *name = path_show(&held->path);
        if (g)
            report(&call->at, "lockheld",
                   "%s may wait (%s at %s) while %s is locked (line %u): who needs %s waits as long, perhaps for ever; "
                   "unlock it before the call",
                   g->name, shown(e->origin), place_name(&e->origin->at), name, held->site->at.line, name);
        else
            report(&call->at, "lockheld",
                   "%s may wait while %s is locked (line %u): who needs %s waits as long, perhaps for ever; "
                   "copy what is needed, unlock, and then wait",
                   shown(call), name, held->site->at.line, name);
        return;
    }
}

/* ---- channels ---------------------------------------------------------------------------------- */

/* Both within one function that is called here: reported there. */
static bool by_the_same_call(const struct fact *closed, const struct event *e)
{
    return e->via && closed->site == e->node;
}

static void close_channel(struct flow *w, struct state *s, const struct event *e, bool deferred)
{
    struct fact *closed = e->once ? NULL : state_find(s, F_CLOSED, &e->path);
    if (!closed && !e->once)
        closed = state_find(s, F_CLOSE_LATER, &e->path);
    if (closed && !by_the_same_call(closed, e))
        report(&e->node->at, "doubleclose",
               "%s is closed twice: %s on line %u; close of a closed channel panics: close in "
               "one place only",
               path_show(&e->path), closed->kind == F_CLOSE_LATER ? "also by the defer" : "before",
               closed->site->at.line);
    if (e->path.ok && e->path.root && !e->path.addr && !e->maybe)
        state_add(s, (struct fact){.kind = deferred ? F_CLOSE_LATER : F_CLOSED,
                                   .path = e->path,
                                   .site = e->node,
                                   .scope = w->scope[w->depth - 1]});
}

static void send(struct state *s, const struct event *e)
{
    struct fact *closed = state_find(s, F_CLOSED, &e->path);
    if (closed && !by_the_same_call(closed, e))
        report(&e->node->at, "sendclosed",
               "%s was closed on line %u: a send on a closed channel panics; close it after the "
               "last send",
               path_show(&e->path), closed->site->at.line);
}

/* ---- waiting ----------------------------------------------------------------------------------- */

void effect_join(struct state *s)
{
    state_drop(s, F_PENDING);
    state_drop(s, F_SENT);
    state_drop(s, F_STARTED);
    state_drop(s, F_SLEPT);
}

static void join(struct flow *w, struct state *s, const struct event *e, bool deferred)
{
    if (deferred)
        state_add(s, (struct fact){.kind = F_JOIN_LATER, .site = e->node, .scope = w->scope[w->depth - 1]});
    else
        effect_join(s);
}

static void slept(struct state *s, const struct event *e)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_STARTED) {
            state_add(s, (struct fact){.kind = F_SLEPT, .site = e->node, .other = s->fact[i].site});
            return;
        }
}

/* By its name, a function of which nothing else is known. */
static bool sounds_like_waiting(const char *name)
{
    static const char *const words[] = {"wait", "join", "stop", "finish", "shutdown", "drain", "collect", "sync"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

/* ---- calls ------------------------------------------------------------------------------------- */

static void apply(struct flow *w, struct state *s, const struct event *e, bool deferred)
{
    switch (e->op) {
    case OP_LOCK:
    case OP_RLOCK:
        if (!deferred)
            lock(s, e, e->op == OP_RLOCK, false);
        break;
    case OP_LOCK_CTX:
    case OP_RLOCK_CTX:
        lock(s, e, e->op == OP_RLOCK_CTX, true);
        break;
    case OP_UNLOCK:
    case OP_RUNLOCK:
        unlock(w, s, e, deferred);
        break;
    case OP_TRYLOCK:
    case OP_TRYRLOCK:
        doubt_unlocked(s);
        break;
    case OP_CLOSE:
        close_channel(w, s, e, deferred);
        if (!deferred)
            state_drop(s, F_SLEPT); /* the sleep was how long something should go on */
        break;
    case OP_CTX_END:
        if (!deferred)
            state_drop(s, F_SLEPT);
        break;
    case OP_SEND:
    case OP_TRY_SEND:
    case OP_ON_SEND:
        send(s, e);
        break;
    case OP_RECV:
        if (!e->via && !(e->flags & WITH_CTX))
            timer_fired(e->node->child[0], s);
        break;
    case OP_SELECT: /* a switch knows which of them it was */
        if (!e->via && e->node != w->switched)
            timers_may_have_fired(e->node, s);
        break;
    case OP_WG_DONE:
        if (e->path.ok)
            state_add(s, (struct fact){.kind = F_DONE, .path = e->path, .site = e->node});
        break;
    case OP_SLEEP:
        slept(s, e);
        break;
    case OP_STOP:
        s->dead = !deferred;
        break;
    default:
        break;
    }
    if (e->flags & JOINS || e->op == OP_JOIN)
        join(w, s, e, deferred);
}

static void apply_known(struct flow *w, struct node *n, struct state *s, bool deferred)
{
    /* The event that summary.c made of this call. */
    for (int i = 0; i < w->f->events; i++) {
        const struct event *e = &w->f->event[i];
        if (e->node != n || e->via)
            continue;
        struct event own = *e;
        own.maybe = own.once; /* of branches the walk knows more */
        if (can_wait(&own) && !deferred) {
            check_held(s, n, &own, NULL);
            if (own.op != OP_LOCK && own.op != OP_RLOCK)
                doubt_unlocked(s);
        }
        apply(w, s, &own, deferred);
    }
    if (known_call(n)->op == OP_CTX_END) {
        struct path p = n->n ? path_of(n->child[0]) : (struct path){0};
        if (p.ok && p.root)
            state_drop_context(s, p.root);
    }
}

/* A channel's place gets another one, or NULL: what was closed there is gone. */
void effect_assign(struct node *target, struct state *s)
{
    struct path p = path_of(target);
    for (enum fact_kind k = F_CLOSED; k <= F_CLOSE_LATER; k++) {
        struct fact *f = state_find(s, k, &p);
        if (f)
            state_remove(s, (int)(f - s->fact));
    }
}

static void see_field_assigned(struct node *n, void *arg)
{
    struct state *s = arg;
    struct node *to = n->kind == K_ASSIGN && n->n ? strip(n->child[0]) : NULL;
    if (!to || to->kind != K_MEMBER || !is_chan(to->type))
        return;
    size_t len = strlen(to->name);
    for (int i = s->n; i-- > 0;) {
        const char *dot = strrchr(s->fact[i].path.suffix ? s->fact[i].path.suffix : "", '.');
        if (s->fact[i].kind == F_CLOSED && dot && strncmp(dot + 1, to->name, len) == 0 && !dot[1 + len])
            state_remove(s, i);
    }
}

static void hand_over_by(struct flow *w, struct node *n, struct function *g, struct state *s);

/* It may come back with a lock that was not held before. */
static bool takes_or_waits(const struct function *g)
{
    for (int i = 0; i < g->events; i++) {
        enum op op = g->event[i].op;
        if (can_wait(&g->event[i]) || op == OP_LOCK || op == OP_RLOCK || op == OP_TRYLOCK || op == OP_TRYRLOCK ||
            op == OP_LOCK_CTX || op == OP_RLOCK_CTX)
            return true;
    }
    return false;
}

static void apply_called(struct flow *w, struct node *n, struct function *g, struct state *s, bool deferred)
{
    check_flow(g);
    if (!deferred)
        hand_over_by(w, n, g, s);
    const struct event *waits = NULL;
    if (takes_or_waits(g))
        doubt_unlocked(s);
    for (int i = 0; i < g->events; i++) {
        struct event e = g->event[i];
        e.path = path_translate(&e.path, g, n);
        if (!waits && can_wait(&e) && !deferred) {
            waits = &g->event[i];
            check_held(s, n, &e, g);
        }
        if (e.op == OP_GO || e.op == OP_SLEEP || e.op == OP_STOP || e.op == OP_LOCK_CTX || e.op == OP_RLOCK_CTX)
            continue;
        e.node = n;
        e.via = g;
        if (e.op == OP_LOCK || e.op == OP_RLOCK) {
            if (state_find(s, F_HELD, &e.path) && !e.maybe && !unlocks(g, n, &e.path))
                lock(s, &e, e.op == OP_RLOCK, false);
            else if (state_find(s, F_HELD, &e.path) && !e.maybe && i == 0)
                lock(s, &e, e.op == OP_RLOCK, false);
            continue;
        }
        if ((e.op == OP_UNLOCK || e.op == OP_RUNLOCK) && !deferred) {
            unlock(w, s, &e, false);
            continue;
        }
        apply(w, s, &e, deferred);
    }
    each_node(g->body, see_field_assigned, s);
    for (int i = 0; i < g->exit_helds; i++) {
        struct fact f = g->exit_held[i];
        f.path = path_translate(&f.path, g, n);
        f.site = n;
        if (f.path.ok)
            state_add(s, f);
    }
}

static bool sleeps(const struct function *g)
{
    for (int i = 0; i < g->events; i++)
        if (g->event[i].op == OP_SLEEP)
            return true;
    return false;
}

/* Whoever gets a lock by its address may unlock it. */
static void lend_locks(struct node *call, struct state *s)
{
    for (int i = 0; i < call->n; i++) {
        struct path p = object_of(call->child[i]);
        struct fact *held = state_find(s, F_HELD, &p);
        if (held && strncmp(call->name, "rn_", 3) != 0)
            state_remove(s, (int)(held - s->fact));
    }
}

/* A goroutine that unlocks, and has not locked itself. */
static void hand_locks(struct node *call, struct state *s)
{
    struct function *g = callee(call);
    for (int i = 0; g && i < g->events; i++) {
        const struct event *e = &g->event[i];
        struct path p = path_translate(&e->path, g, call);
        if (e->op == OP_LOCK || e->op == OP_RLOCK)
            return;
        struct fact *held = state_find(s, F_HELD, &p);
        if ((e->op == OP_UNLOCK || e->op == OP_RUNLOCK) && held)
            state_remove(s, (int)(held - s->fact));
    }
}

/* Prints, or frees: work that a program does at its end, too. */
static bool is_small(const char *name)
{
    static const char *const names[] = {"printf", "put",    "free",   "fflush", "close",
                                        "perror", "memset", "strcmp", "assert"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(name, names[i]))
            return true;
    return strncmp(name, "rn_", 3) == 0 || !*name;
}

void effect_call(struct flow *w, struct node *n, struct state *s, bool deferred)
{
    struct function *g = callee(n);
    effect_timer(w, n, s, deferred);
    effect_thread_lock(w, n, s, deferred);
    if (!deferred)
        effect_gift(w, n, s);
    if (known_call(n))
        apply_known(w, n, s, deferred);
    else if (g && g != w->f && !g->flowing)
        apply_called(w, n, g, s, deferred);
    if (!known_call(n) && sounds_like_waiting(n->name) && !(g && sleeps(g)))
        effect_join(s);
    if (!known_call(n) && !g) {
        if (!is_small(n->name)) /* the sleep is not all: there is more to do, which may take its time */
            state_drop(s, F_SLEPT);
        lend_locks(n, s);
        if (!n->decl || !clang_Location_isInSystemHeader(clang_getCursorLocation(n->decl->cursor)))
            doubt_unlocked(s);
        static const char *const stops[] = {"err", "errx", "pthread_exit", "longjmp", "siglongjmp", "__assert_fail"};
        for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
            s->dead |= strcmp(n->name, stops[i]) == 0 && !deferred;
    }
}

/* ---- goroutines -------------------------------------------------------------------------------- */

static bool is_local(const struct decl *d)
{
    return d && (d->kind == D_PARAM || (d->kind == D_LOCAL && !d->is_static));
}

/* The variable of this function in whose memory `n` points, or NULL.  A compound literal: *literal. */
static struct decl *points_into(struct node *n, bool *literal)
{
    struct node *s = strip(n);
    struct path p = s ? path_of(s) : (struct path){0};
    if (!p.ok || strchr(p.suffix, '*'))
        return NULL;
    if (p.addr && !p.root) {
        *literal = true;
        return NULL;
    }
    if (!is_local(p.root))
        return NULL;
    return p.addr || is_array(s->type) ? p.root : NULL;
}

struct search {
    struct decl *holder; /* whose fields are assigned */
    struct decl *found;
    struct node *before;
};

static void look_into_initializer(struct node *n, void *arg)
{
    struct search *s = arg;
    bool literal = false;
    if (n->kind != K_ADDR && !(n->kind == K_REF && is_array(n->type)))
        return;
    struct decl *d = points_into(n, &literal);
    if (d && d != s->holder && !s->found)
        s->found = d;
}

static void look_at_field(struct node *n, void *arg)
{
    struct search *s = arg;
    bool literal = false;
    if (n->kind != K_ASSIGN || n->n != 2 || n->at.offset > s->before->at.offset)
        return;
    struct path to = path_of(n->child[0]);
    if (to.ok && to.root == s->holder && *to.suffix && !s->found)
        s->found = points_into(n->child[1], &literal);
}

/* The request or the writer of a handler, which f is by its parameters. */
static bool is_lent_by_server(const struct function *f, const struct decl *d)
{
    return d->kind == D_PARAM && f->params == 2 && is_of_handler(f->param[0]->type) && is_of_handler(f->param[1]->type);
}

/* A pointer to a local variable that an argument is or has inside, or what is as short-lived. */
static struct decl *local_behind(struct flow *w, struct node *go, struct node *arg, bool *literal)
{
    struct decl *d = points_into(arg, literal);
    struct node *a = strip(arg);
    struct search s = {.before = go};
    if (d || *literal || !a || (a->kind != K_COMPOUND && (a->kind != K_REF || !is_local(a->decl))))
        return d;
    if (a->kind == K_COMPOUND) { /* a struct by value */
        each_node(a, look_into_initializer, &s);
        return s.found;
    }
    if (is_lent_by_server(w->f, a->decl))
        return a->decl;
    s.holder = a->decl;
    if (is_record(a->type) && a->decl->init)
        each_node(a->decl->init, look_into_initializer, &s);
    if (!s.found && (is_record(a->type) || is_pointer(a->type)) && !is_chan(a->type))
        each_node(w->f->body, look_at_field, &s);
    return s.found;
}

bool encloses(struct node *outer, struct node *inner)
{
    if (!outer || outer == inner)
        return outer != NULL;
    for (int i = 0; i < outer->n; i++)
        if (outer->child[i] && encloses(outer->child[i], inner))
            return true;
    return false;
}

/* Will the goroutine have ended when d is gone, by what is known already? */
static bool joined_in_time(struct flow *w, const struct state *s, const struct node *go, const struct decl *d)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_JOIN_LATER && encloses(d->scope ? d->scope : w->f->body, s->fact[i].scope))
            return true;
    if (go->kind != K_GO || strncmp(go->name, "scope_", 6) != 0)
        return false;
    struct path owner = object_of(go->child[0]);
    if (!owner.ok || !is_local(owner.root) || owner.root->kind == D_PARAM)
        return owner.ok && owner.root && owner.root->kind == D_PARAM ? false : true;
    return encloses(d->scope ? d->scope : w->f->body, owner.root->scope);
}

/* Not on every path? */
static bool is_maybe(const struct flow *w, const struct node *n)
{
    for (int i = 0; i < w->f->events; i++)
        if (w->f->event[i].node == n)
            return w->f->event[i].maybe;
    return false;
}

static void hand_over(struct flow *w, struct node *n, struct state *s)
{
    struct node *call = n->child[1];
    bool maybe = is_maybe(w, n);
    for (int i = 0; i < call->n; i++) {
        bool literal = false;
        struct decl *d = local_behind(w, n, call->child[i], &literal);
        if (literal && strncmp(n->name, "scope_", 6) != 0)
            state_add(
                s, (struct fact){.kind = F_PENDING, .site = n, .conditional = maybe, .scope = w->scope[w->depth - 1]});
        if (d)
            state_add(s, (struct fact){.kind = F_PENDING,
                                       .decl = d,
                                       .site = n,
                                       .conditional = maybe,
                                       .shared = joined_in_time(w, s, n, d)});
    }
}

static bool is_counted_start(const struct node *go)
{
    return strncmp(go->name, "scope_", 6) != 0 && !strstr(go->name, "after_func") && strcmp(go->name, "rn_run") != 0;
}

/* n calls g, which starts goroutines with what it was given, and does not wait for them. */
static void hand_over_by(struct flow *w, struct node *n, struct function *g, struct state *s)
{
    bool joins = false;
    for (int i = 0; i < g->events; i++)
        joins |= (g->event[i].flags & JOINS) != 0;
    for (int i = 0; i < g->events && !joins; i++) {
        const struct go_site *site = g->event[i].site;
        if (g->event[i].op != OP_GO || !site || !is_counted_start(site->node))
            continue;
        state_add(s, (struct fact){.kind = F_STARTED, .site = n});
        for (int k = 0; k < site->call->n; k++) {
            struct path p = path_of(site->call->child[k]);
            bool literal = false, whole = p.ok && p.root && p.root->kind == D_PARAM && !p.addr && !*p.suffix;
            if (!whole || p.root->index >= n->n)
                continue;
            struct decl *d = local_behind(w, n, n->child[p.root->index], &literal);
            if (d)
                state_add(s,
                          (struct fact){.kind = F_PENDING, .decl = d, .site = n, .shared = joined_in_time(w, s, n, d)});
        }
    }
}

void effect_go(struct flow *w, struct node *n, struct state *s)
{
    if (strcmp(n->name, "rn_run") == 0) {
        effect_call(w, n->child[1], s, false);
        return;
    }
    effect_timer(w, n, s, false);
    hand_over(w, n, s);
    hand_locks(n->child[1], s);
    bool later = false;
    for (int i = 0; i < s->n; i++)
        later |= s->fact[i].kind == F_JOIN_LATER;
    if (!later && is_counted_start(n))
        state_add(s, (struct fact){.kind = F_STARTED, .site = n, .conditional = is_maybe(w, n)});
}

static bool written_by(struct node *go, struct decl *d)
{
    struct function *g = go->kind == K_GO && go->child[1] ? callee(go->child[1]) : NULL;
    for (int i = 0; g && i < g->write_count; i++)
        if (g->writes[i] == d)
            return true;
    return false;
}

/* Looks at a variable that a goroutine changes, after a sleep instead of a wait. */
void effect_read(struct flow *w, struct node *n, struct state *s)
{
    (void)w;
    for (int i = 0; i < s->n; i++) {
        struct fact *f = &s->fact[i];
        if (f->kind != F_SLEPT || !n->decl || lock_in(n->decl->type) || is_chan(n->decl->type))
            continue;
        bool theirs = written_by(f->other, n->decl);
        for (int k = 0; k < s->n; k++)
            theirs |= s->fact[k].kind == F_PENDING && s->fact[k].site == f->other && s->fact[k].decl == n->decl;
        if (theirs)
            report(
                &f->site->at, "sleepsync",
                "this sleep is to give the goroutine of line %u time for %s, which is read on line %u: no sleep is long "
                "enough, and it orders nothing; wait for it (wg_wait, scope_end, a receive)",
                f->other->at.line, n->decl->name, n->at.line);
    }
}
