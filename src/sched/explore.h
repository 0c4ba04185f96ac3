/* Exploring schedules: one goroutine runs at a time, on one thread, and every choice that decides the
 * run's course is made here: who runs next, which ready case a select takes, in which order timers of
 * the same moment fire, what the clock shows, what a random number is.  Only builds with RN_EXPLORE have
 * it, and only while a plan is in force (rn__explore_begin); src/test runs one plan per process.
 *
 * A choice is addressed by the goroutine that comes to it and by how many choices that goroutine came to
 * before (`nth`), so that the address stays good when other goroutines run at other times.  There is a
 * default for each: the running goroutine goes on until it blocks; then the one that has been runnable for
 * longest runs; selects take turns among their ready cases; timers fire in their order.  A schedule is the
 * list of choices that differ from the default.  That list, with a seed for random numbers, repeats it.
 *
 * Goroutine 0 stands for the scheduler's loop, which chooses when time has passed; and as a choice, for that time passes.
 */
#ifndef RN_SCHED_EXPLORE_H
#define RN_SCHED_EXPLORE_H

#include "base/point.h"
#include <runnel/base.h>

struct rn_g;
struct rn_m;
struct rn_p;
struct rn_timer_entry;

#ifdef RN_EXPLORE

/* One choice that is not the default: a goroutine to run next (its id; 0: the loop, for a timer that comes first), or an
 * index. */
struct rn_explore_step {
    uint32_t g, nth, value;
};

enum rn_fault { RN_FAULT_DELAY = 1, RN_FAULT_RESET = 2, RN_FAULT_PARTITION = 4 };

/* How choices are made that the plan says nothing about. */
enum rn_explore_way { RN_EXPLORE_DEFAULT, RN_EXPLORE_RANDOM, RN_EXPLORE_PCT };

enum {
    RN_EXPLORE_STEPS = 1 << 21, /* choices that differ, at most */
    RN_EXPLORE_WORDS = 1 << 22, /* of the log of alternatives */
    RN_EXPLORE_TOLD = 64,       /* switches that are told in words */
    RN_EXPLORE_FRAMES = 16,     /* of a trace */
    RN_EXPLORE_NAME = 40,
    RN_EXPLORE_CHANGES = 16,     /* PCT's depth, at most */
    RN_EXPLORE_PLACES = 1 << 10, /* places in the program that touch shared memory */
    RN_EXPLORE_DELAYS = 2,       /* times that a schedule lets a limit come while others can run, at most */
};
#define RN_EXPLORE_LATE (10 * RN_SECOND) /* how long those others are late by it, all together, at most */
/* What a test says itself (a failed check, a panic of its own) counts if they were late by less, and the clock has not moved by
 * itself: a test may have a limit for its own patience, which it takes for never, or sleeps that go by the virtual clock. */
#define RN_EXPLORE_PATIENCE (100 * RN_MILLISECOND)

/* A goroutine in a tale. */
struct rn_explore_who {
    uint32_t id;
    char name[RN_EXPLORE_NAME]; /* rn_set_name's; may be cut off */
    uintptr_t entry;            /* its function */
    int frames;                 /* of the trace: where it is; 0: it has not begun */
    uintptr_t trace[RN_EXPLORE_FRAMES];
};

/* A switch to be told: who was stopped or chose, where, and what was chosen. */
struct rn_explore_told {
    uint32_t g, nth, value;
    uint8_t what;                      /* enum rn_point */
    bool index;                        /* value is an index, not a goroutine */
    uint32_t of;                       /* among how many */
    uint8_t why;                       /* RN_AT_BLOCK: enum rn_wait */
    rn_duration late;                  /* a limit has come that late; 0: a switch */
    struct rn_explore_who self, other; /* other: who ran next, or whose limit it is, unless index */
};

/* In memory that the process which runs the schedule shares with the one that plans it. */
struct rn_explore_shared {
    /* ---- the plan ---- */
    uint64_t seed; /* of what rn__random returns */
    uint64_t luck; /* of the choices, in RANDOM and PCT */
    enum rn_explore_way way;
    uint32_t chance;  /* RANDOM: of 2^16, that a goroutine which could go on is stopped at a point */
    uint32_t changes; /* PCT: d - 1 */
    uint32_t change_at[RN_EXPLORE_CHANGES]; /* events, counted from 1 */
    uint32_t delay_at[RN_EXPLORE_DELAYS];   /* RANDOM, PCT: from which event on the next limit comes; 0: no more do */
    uint32_t faults;                        /* what may happen to I/O: enum rn_fault */
    uint32_t max_events;                    /* a schedule with more does not end */
    bool log;                               /* write alternatives to `words` once the plan's steps are done */
    bool tell;
    uint32_t planned;
    struct rn_explore_step plan[RN_EXPLORE_STEPS];
    /* Places (return addresses) that touch memory which several goroutines use; they last from one
     * schedule to the next. */
    uint32_t places_n;
    uintptr_t places[RN_EXPLORE_PLACES];
    /* ---- what became of it ---- */
    bool begun;
    uint32_t met;        /* steps of the plan that were come to */
    uint32_t events;     /* choices that there were, also those with one alternative */
    uint32_t goroutines; /* that were started, the main one included */
    uint32_t choices;    /* choices with more than one alternative */
    uint64_t hash;       /* of the whole course */
    bool outside;        /* something outside the plan took part: a descriptor, a plain thread */
    bool leaked;         /* goroutines were left behind */
    bool endless;        /* there were more than max_events */
    rn_time ended_at;    /* the virtual clock at the end */
    rn_duration late;    /* by how much limits came while others could run, all together */
    bool moved;          /* the clock has, by itself */
    uintptr_t panic_at;  /* the call of the last panic */
    uint32_t taken;      /* steps that differ from the default */
    struct rn_explore_step steps[RN_EXPLORE_STEPS];
    uint32_t told_n;
    struct rn_explore_told told[RN_EXPLORE_TOLD];
    /* For each choice with alternatives: g, nth, their number n, the one taken, then all n. */
    uint32_t words_n;
    uint32_t words[RN_EXPLORE_WORDS];
};

extern struct rn_explore_shared *rn__explore; /* the plan in force, or NULL */
static inline bool rn__exploring(void)
{
    return __builtin_expect(rn__explore != NULL, 1);
}

/* Before rn_run, in a process of its own: from now on the plan decides. */
void rn__explore_begin(struct rn_explore_shared *plan);

/* ---- for src/sched ----------------------------------------------------------------------------- */

/* What a goroutine's record has for it. */
struct rn_explore_g {
    uint64_t priority; /* PCT */
    uint32_t since;    /* events so far when it became runnable */
    uint32_t nth;      /* choices that it came to */
    uint32_t turn;     /* selects with several ready cases */
    uint32_t randoms;
    uint32_t yields; /* since it last waited */
    uintptr_t lock;  /* the last that it has locked and not unlocked; + 1: as one of many readers */
};

/* g has become runnable.  False: nobody explores, or a plain thread of the program says so. */
bool rn__explore_ready(struct rn_g *g);
void rn__explore_born(struct rn_g *g);
void rn__explore_run_starts(void);
/* The next goroutine for the loop; NULL: look again. */
struct rn_g *rn__explore_find(struct rn_m *m);
/* The main goroutine has returned: comes back when the others have come to rest.  Does not come back
 * when some of them wait for ever. */
void rn__explore_drain(void);
/* An access of the program to memory, by the instruction before `place`. */
void rn__explore_access(const volatile void *at, size_t bytes, bool write, uintptr_t place);
/* explore_memory.c: notes it; true when that place is known to touch what other goroutines write, too,
 * without a lock that all of them hold. */
bool rn__explore_shares(struct rn_g *g, uintptr_t at, size_t bytes, bool write, uintptr_t place);
/* explore_plan.c: the plan's step for a choice, or NULL; after its steps were put into a table. */
void rn__explore_index_plan(void);
const struct rn_explore_step *rn__explore_planned(uint32_t g, uint32_t nth);
/* explore_time.c: the first limit of a wait that somebody could notice; NULL: there is none, or a sleep ends before. */
struct rn_timer_entry *rn__explore_limit(void);
/* On whose stack it is; NULL: on none. */
struct rn_g *rn__explore_owner(const struct rn_timer_entry *t);
/* Where the program or the library panics. */
static inline void rn__explore_panics(void *from)
{
    if (rn__explore)
        rn__explore->panic_at = (uintptr_t)from;
}
/* src/net: how many of rn__external_wakers wait for what is simulated. */
extern int64_t (*rn__explore_simulated)(void);
static inline int64_t rn__simulated_wakers(void)
{
    return rn__explore_simulated && rn__explore ? rn__explore_simulated() : 0;
}
/* One of n, for what is neither a switch nor random to the program. */
uint32_t rn__explore_index(enum rn_point what, uint32_t n);

#else

static inline bool rn__exploring(void)
{
    return false;
}
static inline bool rn__explore_ready(struct rn_g *g)
{
    (void)g;
    return false;
}
static inline void rn__explore_born(struct rn_g *g)
{
    (void)g;
}
static inline void rn__explore_run_starts(void)
{
}
static inline struct rn_g *rn__explore_find(struct rn_m *m)
{
    (void)m;
    return NULL;
}
static inline int64_t rn__simulated_wakers(void)
{
    return 0;
}
static inline void rn__explore_drain(void)
{
}
static inline void rn__explore_panics(void *from)
{
    (void)from;
}

#endif

#endif
