/* What flow.c and flow_*.c share: facts that hold at a point of a function, and the walk over it.
 *
 * Facts of a must kind hold on every path to the point; those of a may kind on at least one. */
#ifndef RUNNEL_VET_FLOW_H
#define RUNNEL_VET_FLOW_H

#include "vet.h"

enum fact_kind {
    /* must */
    F_HELD,        /* path is locked */
    F_UNLOCKED,    /* path was locked, and is unlocked (site) */
    F_CLOSED,      /* path is closed */
    F_CLOSE_LATER, /* path is closed when `scope` is left */
    F_DONE,        /* wg_done(path) was called, or is deferred */
    F_THREAD_LOCK, /* path is locked, and is the thread's */
    F_NOT_TAKEN,   /* path could not be locked (site) */
    F_GIVEN,       /* what path points to was sent (site), and nothing has been waited for since */
    F_TIMER_LATER, /* the timer in `decl` is stopped when its block is left */
    F_JOIN_LATER,  /* goroutines are waited for when `scope` is left */
    /* may */
    F_CONTEXT, /* the variable `decl` has a context that nobody has ended */
    F_TIMER,   /* the variable `decl` is, or has inside, a timer that may be pending (site: what has set it) */
    F_SENT,    /* a pointer to `decl` was sent (site), and nothing has been waited for since */
    F_PENDING, /* a goroutine (site) that has a pointer to `decl` may run */
    F_STARTED, /* a goroutine (site) was started and not waited for */
    F_SLEPT,   /* slept (site) while one of F_STARTED may run (other) */
};

struct fact {
    enum fact_kind kind;
    struct path path;
    struct decl *decl;
    struct node *site, *other, *scope;
    bool deferred;    /* F_HELD, F_UNLOCKED: unlocked when scope is left */
    bool shared;      /* F_HELD: a read lock.  F_PENDING: joined before decl ends */
    bool conditional; /* F_HELD: by a call that can fail.  F_UNLOCKED: perhaps.  F_CONTEXT: made on some paths only */
};

struct state {
    struct fact *fact;
    int n;
    bool dead; /* nobody comes here */
};

struct jump { /* what break, continue and goto lead to */
    struct node *target;
    const char *label;
    struct state after_break, after_continue, at_label;
    int depth; /* of scopes */
    struct jump *up;
};

struct flow {
    struct function *f;
    struct node *scope[128];
    int depth;
    struct jump *jumps;
    struct jump *labels;
    struct node *select;   /* the select whose switch this is */
    struct node *switched; /* the one whose switch is about to be walked */
    bool returned;         /* some path returns */
    struct state at_exit;
    struct state *entry; /* of the switch */
};

/* flow_state.c */
struct state state_copy(const struct state *s);
void state_join(struct state *into, const struct state *from);
struct fact *state_add(struct state *s, struct fact f);
struct fact *state_find(const struct state *s, enum fact_kind kind, const struct path *path);
void state_remove(struct state *s, int i);
void state_drop(struct state *s, enum fact_kind kind);    /* all of a kind */
void state_forget(struct state *s, const struct decl *d); /* d has changed */
void state_drop_context(struct state *s, const struct decl *d);

/* flow_effects.c: what a call does to the facts, and what that tells */
void effect_call(struct flow *w, struct node *n, struct state *s, bool deferred);
void effect_go(struct flow *w, struct node *n, struct state *s);
void effect_assign(struct node *target, struct state *s);
void effect_join(struct state *s);
bool encloses(struct node *outer, struct node *inner);
void effect_read(struct flow *w, struct node *n, struct state *s);

/* flow_threads.c: locks of the thread */
void effect_thread_lock(struct flow *w, struct node *call, struct state *s, bool deferred);

/* flow_gifts.c: what is sent away */
void effect_gift(struct flow *w, struct node *call, struct state *s);
void gift_attempt(struct node *call, bool value, struct state *s);
void gift_outlived(struct flow *w, const struct fact *f, const struct state *s, const struct place *at);
bool gift_refilled(const struct flow *w, struct node *loop,
                   const struct fact *f); /* by the loop's rounds, none of which waits */

/* flow_timers.c: timers in local variables */
void effect_timer(struct flow *w, struct node *call, struct state *s, bool deferred);
void timer_fired(struct node *channel, struct state *s);          /* a value of this channel has come */
void timers_may_have_fired(struct node *select, struct state *s); /* of one of its channels */
void timer_lost(struct flow *w, const struct fact *f, const struct place *at, bool whole);

/* flow_loops.c: what must be true where a loop's round ends */
void end_of_round(struct flow *w, struct node *loop, struct state *s);
struct node *target_of(struct node *n); /* what a statement or call writes to, or NULL */

/* flow_ends.c: what must be true where a block or the function ends */
void end_of_scope(struct flow *w, struct node *scope, struct state *s, const struct place *at);
void check_continue(struct flow *w, struct node *loop, const struct state *s, const struct place *at);
void end_of_function(struct flow *w, struct state *s, const struct place *at, bool by_return);
void context_lost(const struct fact *f, const struct place *at, const char *how);

bool is_ref(struct node *n, const struct decl *d); /* that variable, as it is */

/* contexts */
bool makes_context(const struct node *n);      /* a call of ctx_with_… */
bool keeps_context(struct function *g, int i); /* ends it, or stores it */
bool call_keeps_context(const struct node *call, int i);
bool variable_keeps_context(struct decl *d); /* its function ends what is in it, or stores it */

#endif
