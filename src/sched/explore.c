/* The choices of a run whose schedule is being explored: see explore.h.
 *
 * What always holds:
 *  - Everything here belongs to the one worker thread; other threads only come as far as
 *    rn__explore_ready, which sends them away (their goroutines go through the global queue).
 *  - A runnable goroutine is in `runnable`, longest first, and in no other queue.
 *  - No choice depends on an address, on the real clock or on chance that the plan's numbers do not fix.
 *  - The clock moves only when no goroutine can run, when those that can have only spun for long (they are taken to wait
 *    for it) or have run for very many points; and, as a choice, to a timer that is due within NEAR: a few operations; or
 *    to the limit of somebody's wait (explore_time.c), as if those that could run were late.
 *
 * Rejected: numbering the choices of the whole run.  Taking one switch out of a schedule would then move
 * the numbers of all that follow, and nothing could be shrunk.
 */
#ifdef RN_EXPLORE
#include "base/alloc.h"
#include "base/hooks.h"
#include "arch/unwind.h"
#include "sched/choice.h"
#include "sched/panic.h"
#include <string.h>

#ifdef RN_RACE
void AnnotateIgnoreReadsBegin(const char *file, int line), AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line), AnnotateIgnoreWritesEnd(const char *file, int line);
#endif

/* Work is counted: a point as POINT, an access to memory as 1.  What is counted must not depend on what
 * earlier schedules have found out, or a token would not repeat its schedule. */
enum {
    POINT = 20,
    SLICE = 4000,       /* after which, by default, another goroutine has its turn */
    SPINNING = 80000,   /* without a park, a wake-up, a start or an end: all that run are spinning */
    YIELDS = 10,        /* that one makes before it is taken to spin */
    YIELD = 800,        /* what a yield counts as */
    READS = 200,        /* of the clock without any point: then it moves by itself */
    POLLS = 20,         /* of the clock, at least, by those that spin without a timer: it is time that they wait for */
    FAULTS = 8,         /* one choice in so many is one */
    STARVED = 5000,     /* points that a goroutine which could run waits for at most (PCT) */
    PATIENT = 50000,    /* points without a timer, after which one that is awaited fires all the same */
    CIRCLES = 1000000,  /* points of spinning that no timer can end: the schedule has no end */
    AT_ONCE = 8,        /* one choice in so many lets a timer that is near fire */
    AFTER_MAIN = 20000, /* points that the others get once the main function has returned */
    GAP = 64 << 10,     /* bytes of the main function's frames that are kept meanwhile */
};
#define NEAR RN_MICROSECOND    /* how far such choices move the clock, all together */
#define START (1000 * RN_HOUR) /* where the clock begins: far from 0, so that moments before it exist */

struct rn_explore_shared *rn__explore;
int64_t (*rn__explore_simulated)(void);

static struct {
    struct rn_g **runnable;
    uint32_t n, room;
    rn_time now;
    uint32_t reads, spinning, slice;
    uint32_t polls;               /* reads of the clock since something moved */
    rn_duration stride;           /* how far the clock moves for those that poll it */
    uint32_t loop_nth, loop_turn; /* the loop's choices and random numbers */
    bool let_time_pass;           /* the loop is asked to */
    bool at_once;                 /* by a choice, to a timer that nobody need wait for */
    rn_duration ahead;            /* how far such choices have moved the clock */
    rn_time until;                /* by a choice, to this limit; 0: no */
    uint32_t delays;              /* such choices */
    uint32_t timer_at;            /* the event at which it last moved */
    uint32_t moved_at;            /* that of the last park, wake-up, start or end, or of a timer */
    struct rn_g *forced;          /* chosen already, for the switch that follows */
    struct rn_g *main;            /* has returned, and waits for the others to come to rest */
    uint32_t main_at;
    rn_time main_ended; /* when; on the coarse clock, as waiting_since */
    uint64_t luck, lowest, highest;
} ex;

/* ---- numbers ------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z) /* splitmix64 (Steele, Lea, Flood) */
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static uint64_t luck(void)
{
    return mix(ex.luck += 0x9e3779b97f4a7c15);
}

static uint32_t luck_below(uint32_t n)
{
    return (uint32_t)(((luck() >> 32) * n) >> 32);
}

/* The goroutine that makes a choice; NULL: the loop. */
static struct rn_g *chooser(void)
{
    struct rn_g *g = rn__m()->g;
    return g->kind == RN_G_GOROUTINE ? g : NULL;
}

static uint64_t explored_random(void)
{
    if (rn__is_outside(rn__m()))
        return luck();
    struct rn_g *g = chooser();
    uint64_t who = g ? g->id << 32 | g->explore.randoms++ : ex.loop_turn++;
    return mix(mix(rn__explore->seed + 0x9e3779b97f4a7c15) ^ mix(who + 1));
}

static rn_time explored_now(void)
{
    ex.polls++;
    if (++ex.reads > READS)
        ex.now += 10 * RN_MICROSECOND;
    return ex.now;
}

/* ---- the runnable -------------------------------------------------------------------------------- */

/* memmove for pointers; libc's the race detector would see. */
static void move(struct rn_g **to, struct rn_g **from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = to < from ? i : n - 1 - i;
        to[at] = from[at];
        __asm__ volatile("" : : : "memory");
    }
}

static void more_room(void)
{
    uint32_t room = ex.room ? 4 * ex.room : 1024;
    struct rn_g **more = rn_os_map(room * sizeof *more, rn_os_page);
    if (!more)
        rn_fatal("exploring: out of memory");
    move(more, ex.runnable, ex.n);
    if (ex.room)
        rn_os_unmap(ex.runnable, ex.room * sizeof *more);
    ex.runnable = more;
    ex.room = room;
}

static void insert(uint32_t at, struct rn_g *g)
{
    if (ex.n == ex.room)
        more_room();
    move(ex.runnable + at + 1, ex.runnable + at, ex.n - at);
    ex.runnable[at] = g;
    ex.n++;
    g->explore.since = rn__explore->events;
}

static struct rn_g *take(uint32_t at)
{
    struct rn_g *g = ex.runnable[at];
    ex.n--;
    move(ex.runnable + at, ex.runnable + at + 1, ex.n - at);
    ex.slice = 0;
    return g;
}

static void something_moved(void)
{
    ex.spinning = ex.polls = 0;
    ex.stride = RN_MILLISECOND;
    ex.moved_at = rn__explore->events;
}

bool rn__explore_ready(struct rn_g *g)
{
    struct rn_m *m = rn__m();
    if (!rn__explore)
        return false;
    if (rn__is_outside(m)) {
        rn__explore->outside = true;
        return false;
    }
    if (g != m->g) /* not one that only yields */
        something_moved();
    insert(ex.n, g);
    return true;
}

void rn__explore_born(struct rn_g *g)
{
    g->explore = (struct rn_explore_g){0};
    if (!rn__explore)
        return;
    rn__explore->goroutines++;
    if (rn__explore->way == RN_EXPLORE_PCT)
        g->explore.priority = luck() >> 1 | UINT64_C(1) << 62;
}

/* ---- a choice ------------------------------------------------------------------------------------ */

/* What there is to choose from.  A switch: the running goroutine, if it can go on, is the first. */
struct menu {
    struct rn_g *g;    /* who chooses; NULL: the loop */
    struct rn_g *stay; /* g, if it can go on */
    enum rn_point what;
    const void *object;
    uint32_t n, by_default, nth;
    bool index; /* indices instead of goroutines */
    bool time;  /* the last alternative is the loop: a timer fires first, which is near, or */
    struct rn_timer_entry *limit;
};

static bool is_time(const struct menu *c, uint32_t i)
{
    return c->time && i == c->n - 1;
}

/* NULL: the loop. */
static struct rn_g *goroutine_at(const struct menu *c, uint32_t i)
{
    if (is_time(c, i))
        return NULL;
    return !c->stay ? ex.runnable[i] : i ? ex.runnable[i - 1] : c->stay;
}

static uint32_t value_at(const struct menu *c, uint32_t i)
{
    struct rn_g *g = c->index ? NULL : goroutine_at(c, i);
    return c->index ? i : g ? (uint32_t)g->id : 0;
}

static uint32_t choose_by_chance(const struct menu *c)
{
    uint32_t n = c->n - c->time;
    if (c->what == RN_AT_FAULT)
        return luck_below(FAULTS) ? 0 : luck_below(n);
    if (c->time && luck_below(AT_ONCE) == 0)
        return c->n - 1;
    if (c->index || !c->stay)
        return luck_below(c->what == RN_AT_YIELD && n > 1 && luck_below(8) ? n - 1 : n);
    return n > 1 && (luck() & 0xffff) < rn__explore->chance ? 1 + luck_below(n - 1) : 0;
}

/* Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
 * Finding Bugs" (2010): the highest priority runs; at d - 1 moments that of the running one drops below all. */
static void drop_priority(struct rn_g *g)
{
    struct rn_explore_shared *s = rn__explore;
    for (uint32_t i = 0; i < s->changes; i++)
        if (s->change_at[i] == s->events)
            g->explore.priority = s->changes - i + (UINT64_C(1) << 32);
}

/* Those above that wake each other all the time would keep the rest from ever running, also the one that is to
 * stop them.  No real scheduler does that: a schedule that ends only if nobody is kept away is no failure. */
static void raise_starved(const struct menu *c)
{
    const struct rn_explore_shared *s = rn__explore;
    for (uint32_t i = c->stay ? 1 : 0; i < c->n - c->time; i++) {
        struct rn_g *g = goroutine_at(c, i);
        if (s->events - g->explore.since > STARVED)
            g->explore.priority = ++ex.highest;
    }
}

static uint32_t choose_by_priority(const struct menu *c)
{
    if (c->index)
        return choose_by_chance(c);
    if (c->time && luck_below(AT_ONCE) == 0)
        return c->n - 1;
    if (c->g && (c->g->explore.yields > YIELDS || ex.slice > SLICE)) /* it spins, waiting for those below it */
        c->g->explore.priority = --ex.lowest;
    raise_starved(c);
    uint32_t best = 0;
    for (uint32_t i = 1; i < c->n - c->time; i++)
        if (goroutine_at(c, i)->explore.priority > goroutine_at(c, best)->explore.priority)
            best = i;
    return best;
}

static uint32_t find_value(const struct menu *c, uint32_t value)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (value_at(c, i) == value)
            return i;
    return c->by_default; /* what the plan says is not possible here */
}

static void log_menu(const struct menu *c, uint32_t g, uint32_t taken)
{
    struct rn_explore_shared *s = rn__explore;
#ifndef RN_RACE
    /* From here to the next point it touches nothing that others know of, or there would be a point. */
    if (c->what >= RN_AFTER_GO)
        return;
#endif
    if (!s->log || s->met < s->planned || s->words_n + 4 + c->n > RN_EXPLORE_WORDS)
        return;
    uint32_t *to = s->words + s->words_n;
    *to++ = g;
    *to++ = c->nth;
    *to++ = c->n;
    *to++ = value_at(c, taken);
    for (uint32_t i = 0; i < c->n; i++)
        *to++ = value_at(c, i);
    s->words_n += 4 + c->n;
}

static void describe(struct rn_explore_who *who, struct rn_g *g, bool running)
{
    struct rn_cursor c;
    who->id = g ? (uint32_t)g->id : 0;
    if (!g)
        return;
    who->entry = (uintptr_t)g->entry;
    if (g->name)
        strncpy(who->name, g->name, sizeof who->name - 1);
    if (!running && rn__arch_not_begun(g->sp))
        return;
    if (running)
        rn_cursor_from_here(&c);
    else if (!rn_cursor_from_saved(&c, g->sp, g->stack_lo, g->stack_hi))
        return;
    while (who->frames < RN_EXPLORE_FRAMES && rn_cursor_step(&c) > 0)
        who->trace[who->frames++] = rn_cursor_where(&c);
}

static void tell(const struct menu *c, uint32_t g, uint32_t taken)
{
    struct rn_explore_shared *s = rn__explore;
    if (s->told_n == RN_EXPLORE_TOLD)
        return;
    struct rn_explore_told *t = &s->told[s->told_n++];
    *t = (struct rn_explore_told){.g = g, .nth = c->nth, .value = value_at(c, taken), .what = (uint8_t)c->what};
    t->index = c->index;
    t->of = c->n;
    if (c->g)
        t->why = rn_load_relaxed(&c->g->waiting); /* relaxed: this thread's own */
    describe(&t->self, c->g, true);
    if (c->limit && is_time(c, taken)) {
        struct rn_g *whose = rn__explore_owner(c->limit);
        t->late = c->limit->wheel.when - ex.now;
        describe(&t->other, whose, whose && whose == c->g);
    } else if (!c->index) {
        describe(&t->other, goroutine_at(c, taken), goroutine_at(c, taken) == c->g);
    }
}

/* What the tale is made with calls libc, where the race detector looks on. */
static void unobserved(bool begin)
{
#ifdef RN_RACE
    (begin ? AnnotateIgnoreReadsBegin : AnnotateIgnoreReadsEnd)(__FILE__, __LINE__);
    (begin ? AnnotateIgnoreWritesBegin : AnnotateIgnoreWritesEnd)(__FILE__, __LINE__);
#else
    (void)begin;
#endif
}

static void note(const struct menu *c, uint32_t taken)
{
    struct rn_explore_shared *s = rn__explore;
    uint32_t g = c->g ? (uint32_t)c->g->id : 0, value = value_at(c, taken);
    s->choices++;
    if (taken || !c->limit || c->n > 2) /* limits are not looked for each time */
        s->hash = mix(s->hash ^ mix((uint64_t)g << 32 | c->nth) ^ value);
    log_menu(c, g, taken);
    if (taken == c->by_default)
        return;
    if (s->taken < RN_EXPLORE_STEPS)
        s->steps[s->taken++] = (struct rn_explore_step){g, c->nth, value};
    if (!s->tell)
        return;
    unobserved(true);
    tell(c, g, taken);
    unobserved(false);
}

static void count_event(void)
{
    struct rn_explore_shared *s = rn__explore;
    ex.reads = 0;
    if ((++s->events <= s->max_events && s->events - ex.moved_at <= CIRCLES) || s->endless)
        return;
    s->endless = true;
    if (s->events > s->max_events)
        rn_fatal("no end after %u switching points: do goroutines run in circles? (-steps N allows more)",
                 s->max_events);
    rn_fatal("goroutines run in circles: nobody has waited, been woken, started or ended in %d switching points",
             CIRCLES);
}

/* Whether a limit may come here.  Looked for only where that matters: by chance it has its moments in the plan. */
static bool may_be_late(const struct menu *c)
{
    const struct rn_explore_shared *s = rn__explore;
    if (ex.delays == RN_EXPLORE_DELAYS || rn__timers_first() > ex.now + RN_EXPLORE_LATE - s->late)
        return false;
    if (s->way != RN_EXPLORE_DEFAULT)
        return s->delay_at[ex.delays] && s->events >= s->delay_at[ex.delays];
    if (s->met == s->planned)
        return s->log || s->planned == 0;
    const struct rn_explore_step *step =
        rn__explore_planned(c->g ? (uint32_t)c->g->id : 0, c->g ? c->g->explore.nth : ex.loop_nth);
    return step && step->value == 0;
}

/* One alternative more: a timer comes first. */
static void add_time(struct menu *c)
{
    c->time = rn__timers_first() <= ex.now + NEAR - ex.ahead;
    if (!c->time && may_be_late(c))
        c->limit = rn__explore_limit();
    if (c->limit && c->limit->wheel.when > ex.now + RN_EXPLORE_LATE - rn__explore->late)
        c->limit = NULL;
    c->time |= c->limit != NULL;
    c->n += c->time;
}

static uint32_t choose(struct menu *c)
{
    struct rn_explore_shared *s = rn__explore;
    count_event();
    c->nth = c->g ? c->g->explore.nth++ : ex.loop_nth++;
    const struct rn_explore_step *step = rn__explore_planned(c->g ? (uint32_t)c->g->id : 0, c->nth);
    if (step)
        s->met++;
    if (c->g)
        drop_priority(c->g);
    if (c->n < 2)
        return 0;
    uint32_t taken = step ? find_value(c, step->value) : c->by_default;
    if (s->way != RN_EXPLORE_DEFAULT && c->limit)
        taken = c->n - 1;
    else if (s->way == RN_EXPLORE_RANDOM)
        taken = choose_by_chance(c);
    else if (s->way == RN_EXPLORE_PCT)
        taken = choose_by_priority(c);
    note(c, taken);
    return taken;
}

uint32_t rn__explore_index(enum rn_point what, uint32_t n)
{
    if (!rn__explore || rn__is_outside(rn__m()))
        return what == RN_AT_CASE ? rn__random_below(n) : 0;
    struct menu c = {.g = chooser(), .what = what, .n = n, .index = true};
    if (what == RN_AT_CASE && c.g)
        c.by_default = c.g->explore.turn++ % n;
    return choose(&c);
}

/* ---- switches ------------------------------------------------------------------------------------ */

/* No timer is awaited, but those that run look at the clock again and again: it moves for them, further each time. */
static void pass_polled_time(void)
{
    if (ex.polls < POLLS)
        return;
    rn_duration stride = ex.stride;
    ex.now += stride;
    something_moved();
    ex.stride = stride < RN_HOUR ? 2 * stride : stride;
}

/* True when those that run can only be waiting for time, or have gone without it for very long. */
static bool stand_still(void)
{
    bool late = rn__explore->events - ex.timer_at > PATIENT;
    if (ex.spinning <= SPINNING && !late)
        return false;
    ex.spinning = 0;
    if (late)
        ex.timer_at = rn__explore->events;
    ex.let_time_pass = rn__timers_first() != INT64_MAX && rn__timers_awaited();
    if (ex.let_time_pass)
        something_moved();
    else
        pass_polled_time();
    return ex.let_time_pass;
}

static bool is_over(void)
{
    return ex.main && rn__explore->events - ex.main_at > AFTER_MAIN;
}

/* The loop is to run, and to let a timer fire. */
static void ask_for_time(const struct menu *c)
{
    ex.let_time_pass = true;
    ex.at_once = !c->limit;
    if (!c->limit)
        return;
    ex.until = c->limit->wheel.when;
    ex.delays++;
    rn__explore->late += ex.until - ex.now;
}

/* Puts the running goroutine g back among the runnable, and lets the forced one go on, or the loop. */
static void give_way(struct rn_g *g, bool last)
{
    insert(last ? ex.n : 0, g);
    rn__preempt();
}

/* The running goroutine, if it is outside of the scheduler and explored. */
static inline struct rn_g *explored_self(void)
{
    struct rn_m *m = rn__m();
    if (!rn__explore || !m || m->external || m->g->kind != RN_G_GOROUTINE)
        return NULL;
    return rn_load_relaxed(&m->own.inside) ? NULL : m->g; /* relaxed: this thread's own */
}

static void stop_here(struct rn_g *g, enum rn_point what, const void *object)
{
    if (stand_still()) {
        give_way(g, true);
        return;
    }
    struct menu c = {.g = g, .stay = g, .what = what, .object = object, .n = ex.n + 1};
    add_time(&c);
    bool long_enough = ex.slice > SLICE && ex.n > 0;
    c.by_default = long_enough;
    uint32_t taken = choose(&c);
    if (taken == 0 && !is_over())
        return;
    if (is_time(&c, taken))
        ask_for_time(&c);
    else if (taken)
        ex.forced = take(taken - 1);
    give_way(g, long_enough && !ex.let_time_pass);
}

void rn__explore_point(enum rn_point what, const void *object)
{
    struct rn_g *g = explored_self();
    if (!g)
        return;
    ex.spinning += POINT;
    ex.slice += POINT;
    stop_here(g, what, object);
}

void rn__explore_access(const volatile void *at, size_t bytes, bool write, uintptr_t place)
{
    struct rn_g *g = explored_self();
    if (!g)
        return;
    bool shared = rn__explore_shares(g, (uintptr_t)at, bytes, write, place);
    ex.spinning++;
    ex.slice++;
    if (shared || ex.slice > SLICE || ex.spinning > SPINNING || rn__explore_planned((uint32_t)g->id, g->explore.nth))
        stop_here(g, RN_AT_MEMORY, (const void *)at);
    else
        g->explore.nth++;
}

void rn__explore_locks(const void *lock, bool shared)
{
    struct rn_g *g = explored_self();
    if (g)
        g->explore.lock = (uintptr_t)lock + shared;
}

void rn__explore_unlocks(const void *lock)
{
    struct rn_g *g = explored_self();
    if (g && (g->explore.lock | 1) == ((uintptr_t)lock | 1))
        g->explore.lock = 0;
}

static enum rn_point why_left(struct rn_g *g)
{
    switch (rn_load_relaxed(&g->status)) { /* relaxed: this thread's own */
    case RN_G_RUNNABLE:
        return RN_AT_YIELD;
    case RN_G_WAITING:
        return RN_AT_BLOCK;
    default:
        return RN_AT_END;
    }
}

/* For the running goroutine, which can't go on, or the loop. */
static struct rn_g *explored_pick(struct rn_p *p)
{
    (void)p;
    struct rn_g *g = ex.forced;
    ex.forced = NULL;
    if (g || ex.let_time_pass || is_over())
        return g;
    struct menu c = {.g = chooser(), .what = RN_AT_TIME, .n = ex.n};
    if (ex.n > 0)
        add_time(&c);
    if (c.g)
        c.what = why_left(c.g);
    if (c.what == RN_AT_YIELD) {
        c.g->explore.yields++;
        ex.spinning += YIELD;
        if (stand_still())
            return NULL;
    } else {
        something_moved();
        if (c.g)
            c.g->explore.yields = 0;
    }
    uint32_t taken = choose(&c);
    if (!is_time(&c, taken))
        return ex.n ? take(taken) : NULL;
    ask_for_time(&c);
    return NULL;
}

/* ---- the loop ------------------------------------------------------------------------------------ */

static void pass_time_to(struct rn_m *m, rn_time when)
{
    if (when > ex.now)
        ex.now = when;
    ex.timer_at = rn__explore->events;
    rn__explore->ended_at = ex.now - START;
    rn_store_relaxed(&rn__sched.coarse, ex.now); /* relaxed: no other thread */
    rn__timers_run(m, &rn__procs[0], ex.now);
}

/* To the first moment that somebody waits for, or the limit that was chosen, and what is due before; false when there is
 * none. */
static bool pass_time(struct rn_m *m)
{
    rn_time first = rn__timers_first(), until = ex.until;
    if (first == INT64_MAX || (!ex.at_once && !until && !rn__timers_awaited()))
        return false;
    ex.ahead += ex.at_once && first > ex.now ? first - ex.now : 0;
    rn__explore->moved |= !ex.at_once && !until;
    ex.at_once = false;
    ex.until = 0;
    do
        pass_time_to(m, first);
    while ((first = rn__timers_first()) <= until);
    return true;
}

struct left {
    uint32_t stuck;
    bool asleep; /* somebody, since main returned or before */
};

/* Its own entry, if it sleeps, or one on its stack. */
static bool has_timeout(struct rn_wheel_entry *e, void *arg)
{
    const struct rn_g *g = arg;
    const char *at = (const char *)e;
    return e == &g->nap.wheel || (at >= g->stack_lo && at < g->stack_hi);
}

static void count_left(struct rn_g *g, void *arg)
{
    struct left *left = arg;
    /* relaxed, all: no other thread. */
    uint8_t status = rn_load_relaxed(&g->status), why = rn_load_relaxed(&g->waiting);
    bool outside = why == RN_WAIT_EXTERNAL || why == RN_WAIT_SIGNAL ||
                   (why == RN_WAIT_IO && rn_load_relaxed(&rn__external_wakers) != rn__simulated_wakers());
    if (g->kind != RN_G_GOROUTINE || g == ex.main || status != RN_G_WAITING || outside)
        return;
    rn_time since = rn_load_relaxed(&g->waiting_since);
    if (is_over() && rn_wheel_any(&rn__procs[0].wheel, has_timeout, g))
        left->asleep |= since <= ex.main_ended + 1;
    else if (since <= ex.main_ended || !is_over())
        left->stuck++;
}

/* How many wait for ever.  While others go round, as tickers do, those count that have waited since main
 * returned, though everybody who slept then has been awake. */
static uint32_t count_stuck(void)
{
    struct left left = {0, false};
    rn__g_each(count_left, &left);
    return is_over() && (left.asleep || rn_load_relaxed(&rn__external_wakers)) ? 0 : left.stuck;
}

/* All have come to rest: the main goroutine goes on to end the run, unless some were left behind. */
static struct rn_g *back_to_main(void)
{
    struct rn_g *main = ex.main;
    uint32_t left = count_stuck();
    if (left) {
        rn__explore->leaked = true;
        rn_store_relaxed(&main->status, RN_G_DEAD); /* relaxed, both: no other thread; it is not to be listed */
        rn_store_relaxed(&rn__all_asleep, true);
        rn_fatal("leak: the test's function has returned, and %u goroutine%s for ever", left,
                 left == 1 ? " is blocked" : "s are blocked");
    }
    ex.main = NULL;
    return main;
}

/* Something outside may wake somebody: really waits for a moment. */
static void wait_outside(struct rn_m *m)
{
    struct rn_ready_list wake = {0};
    rn__explore->outside = true;
    rn__poll(&wake, rn_os_now() + RN_MILLISECOND);
    if (wake.first) {
        rn__queue_list(m, &wake);
        rn__poll_queued();
    }
}

static struct rn_g *find_outside(struct rn_m *m)
{
    struct rn_ready_list wake = {0};
    struct rn_g *g = rn__pop_global(m->p);
    if (g || rn_load_relaxed(&rn__external_wakers) == rn__simulated_wakers()) /* relaxed: a hint */
        return g;
    rn__explore->outside = true;
    rn__poll(&wake, 0);
    if (wake.first) {
        rn__queue_list(m, &wake);
        rn__poll_queued();
    }
    return NULL;
}

struct rn_g *rn__explore_find(struct rn_m *m)
{
    if (ex.let_time_pass) {
        ex.let_time_pass = false;
        pass_time(m);
    }
    if (is_over())
        return back_to_main();
    struct rn_g *g = explored_pick(m->p);
    if (!g)
        g = find_outside(m);
    if (g || ex.n || pass_time(m))
        return g;
    if (ex.main)
        return back_to_main();
    if (rn__ask_deadlock() != RN_ASLEEP_YES) {
        wait_outside(m);
        return NULL;
    }
    /* A plain thread may have woken somebody after the look above and have ended, or gone to sleep, before the question. */
    g = rn__pop_global(m->p);
    if (!g)
        rn__deadlock_report();
    rn__explore->outside = true;
    return g;
}

void rn__explore_drain(void)
{
    char gap[GAP]; /* what follows runs below the frames that the main function has just left */
    __asm__ volatile("" : : "r"(gap) : "memory");
    if (!rn__explore || rn_num_goroutines() < 2)
        return;
    ex.main = rn__self();
    ex.main_at = rn__explore->events;
    ex.main_ended = rn__coarse_now();
    /* So that who waits from now on is told from who did before, also where the clock then stands still. */
    rn_store_relaxed(&rn__sched.coarse, ++ex.now); /* relaxed: no other thread */
    rn__park(RN_WAIT_NONE, NULL);
    __asm__ volatile("" : : "r"(gap) : "memory");
}

void rn__explore_run_starts(void)
{
    ex.n = 0;
    ex.main = ex.forced = NULL;
    ex.let_time_pass = ex.at_once = false;
    ex.until = 0;
}

/* ---- start --------------------------------------------------------------------------------------- */

void rn__explore_begin(struct rn_explore_shared *plan)
{
    rn__explore = plan;
    ex.now = START;
    ex.luck = plan->luck;
    ex.lowest = UINT64_C(1) << 32;
    ex.highest = UINT64_C(1) << 63;
    if (plan->planned)
        rn__explore_index_plan();
    rn_set_procs(1);
    rn__choice = (struct rn_choice){.now = explored_now, .random = explored_random, .pick = explored_pick};
    plan->begun = true;
}

#else
typedef int rn__explore_is_another_build; /* an empty file is no C */
#endif
