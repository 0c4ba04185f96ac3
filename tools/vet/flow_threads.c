/* Locks that belong to a thread (threadlock): a goroutine that waits may go on on another, which must not unlock them.
 *
 * Silent about functions that only plain threads run, which stay what they are, and about programs that pin goroutines to
 * their threads. */
#include "flow.h"
#include <string.h>

enum { DEEP = 6 }; /* of calls that are followed */

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static bool locks(const struct node *call)
{
    static const char *const names[] = {
        "pthread_mutex_lock", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock", "pthread_spin_lock", "mtx_lock", NULL};
    return is_one_of(call->name, names);
}

static bool unlocks(const struct node *call)
{
    static const char *const names[] = {"pthread_mutex_unlock", "pthread_rwlock_unlock", "pthread_spin_unlock",
                                        "mtx_unlock", NULL};
    return is_one_of(call->name, names);
}

/* ---- who runs it ------------------------------------------------------------------------------------- */

struct search {
    const struct function *f;
    bool started, pins;
};

static void see_start(struct node *n, void *arg)
{
    static const char *const starts[] = {"pthread_create", "thrd_create", NULL};
    struct search *s = arg;
    if (n->kind != K_CALL)
        return;
    s->pins |= strcmp(n->name, "rn_pin") == 0;
    for (int i = 0; s->f && is_one_of(n->name, starts) && i < n->n; i++) {
        struct node *a = strip(n->child[i]);
        s->started |= a && a->decl == s->f->decl;
    }
}

static bool calls(const struct function *g, const struct function *f)
{
    for (int i = 0; i < g->events; i++)
        if (g->event[i].via == f)
            return true;
    return false;
}

/* By a thread's function, or main, and nobody else. */
static bool is_a_threads(const struct function *f, int deep)
{
    struct search s = {.f = f};
    bool called = false;
    for (int i = 0; i < program.functions; i++)
        each_node(program.function[i]->body, see_start, &s);
    if (s.started || s.pins || strcmp(f->name, "main") == 0)
        return true;
    for (int i = 0; deep < DEEP && i < program.functions; i++)
        if (calls(program.function[i], f)) {
            called = true;
            if (!is_a_threads(program.function[i], deep + 1))
                return false;
        }
    return called && !f->started;
}

/* ---- what a call does -------------------------------------------------------------------------------- */

struct found {
    bool unlocks;
    int deep;
};

static void see_unlock(struct node *n, void *arg)
{
    struct found *found = arg;
    if (n->kind != K_CALL)
        return;
    found->unlocks |= unlocks(n);
    if (callee(n) && found->deep < DEEP) {
        found->deep++;
        each_node(callee(n)->body, see_unlock, found);
        found->deep--;
    }
}

/* Something that parks a goroutine, not its thread. */
static bool parks(const struct event *e)
{
    bool takes = e->op == OP_LOCK || e->op == OP_RLOCK || e->op == OP_LOCK_CTX || e->op == OP_RLOCK_CTX;
    return ((e->flags & BLOCKS) || takes) && strncmp(e->origin->name, "rn_", 3) == 0;
}

/* The first wait of this call: its own, or of the function that it calls. */
static const struct event *wait_of(const struct flow *w, const struct node *call)
{
    for (int i = 0; i < w->f->events; i++)
        if (w->f->event[i].node == call && parks(&w->f->event[i]))
            return &w->f->event[i];
    return NULL;
}

static void check_wait(const struct flow *w, const struct node *call, const struct state *s)
{
    const struct event *wait = wait_of(w, call);
    for (int i = 0; wait && i < s->n; i++) {
        const struct fact *held = &s->fact[i];
        if (held->kind != F_THREAD_LOCK || is_a_threads(w->f, 0))
            continue;
        report(
            &call->at, "threadlock",
            "the goroutine may wait here (%s), and go on on another thread, while %s is locked (line %u), which only the "
            "thread that has locked it may unlock: unlock it before, or make it an rn_mutex",
            place_name(&wait->origin->at), path_show(&held->path), held->site->at.line);
        return;
    }
}

static bool holds_any(const struct state *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_THREAD_LOCK)
            return true;
    return false;
}

/* Whoever gets a lock by its address may unlock it. */
static bool may_unlock(struct node *call, const struct state *s)
{
    struct found found = {0};
    see_unlock(call, &found);
    for (int i = 0; !callee(call) && strncmp(call->name, "pthread_", 8) != 0 && i < call->n; i++) {
        struct path p = object_of(call->child[i]);
        found.unlocks |= state_find(s, F_THREAD_LOCK, &p) != NULL;
    }
    return found.unlocks;
}

static void unlock_later(struct flow *w, struct state *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->fact[i].kind == F_THREAD_LOCK) {
            s->fact[i].deferred = true;
            s->fact[i].scope = w->scope[w->depth - 1];
        }
}

void effect_thread_lock(struct flow *w, struct node *call, struct state *s, bool deferred)
{
    struct path p = call->n ? object_of(call->child[0]) : (struct path){0};
    if (locks(call)) {
        if (!deferred && p.ok && p.root)
            state_add(s, (struct fact){.kind = F_THREAD_LOCK, .path = p, .site = call});
        return;
    }
    if (!holds_any(s))
        return;
    if (!may_unlock(call, s)) {
        if (!deferred)
            check_wait(w, call, s);
    } else if (!deferred) {
        state_drop(s, F_THREAD_LOCK);
    } else {
        unlock_later(w, s);
    }
}
