/* The listing of all goroutines, in Go's format:
 *
 *     goroutine 18 [chan receive, 2 minutes]:
 *     worker
 *             /home/u/pool.c:31
 *     created by main in goroutine 1
 *             /home/u/pool.c:50
 *
 * The one that dies comes first, then the others by number.  Frames of the library at the inner end are left
 * out; further out only its public functions are shown.  At most the 50 innermost and 50 outermost frames.
 *
 * A panic that was recovered, but is told of (an HTTP handler's), is shown with its own goroutine alone.
 *
 * The listing runs once in a program's life, on a stack of its own (libdw wants more than a goroutine has), while other
 * threads go on: what it reads of them may change, so every stack is read within its bounds and a goroutine
 * that runs elsewhere is only named.  Nothing here locks.
 */
#define _GNU_SOURCE
#include "arch/unwind.h"
#include "debug/debug.h"
#include "debug/leaks.h"
#include "debug/lock_order_told.h"
#include "debug/out.h"
#include "debug/symbol.h"
#include "sched/panic.h"
#include "sched/rt.h"
#include <dlfcn.h>
#include <signal.h>
#include <string.h>

enum { INNER = 50, OUTER = 50, INLINED = 8, STACK = 1 << 20 };

/* ---- one goroutine's frames ------------------------------------------------------------------ */

struct frames {
    uintptr_t inner[INNER];
    uintptr_t outer[OUTER]; /* a ring: frame INNER + i is at i % OUTER */
    size_t n;
};

static void collect(struct frames *f, struct rn_cursor *c)
{
    enum { LONGEST = 1 << 20 };
    f->n = 0;
    do {
        uintptr_t where = rn_cursor_where(c);
        if (f->n < INNER)
            f->inner[f->n] = where;
        else
            f->outer[(f->n - INNER) % OUTER] = where;
        f->n++;
    } while (f->n < LONGEST && rn_cursor_step(c) > 0);
}

static void print_name(const struct rn_place *p)
{
    if (p->function)
        rn__out("%.500s", p->function);
    else
        rn__out("%.500s%s%#zx", p->object ? p->object : "code", p->object ? "+" : " at ", (size_t)p->offset);
}

static void print_place(const struct rn_place *p)
{
    print_name(p);
    rn__out("\n");
    if (p->file)
        rn__out("\t%.800s:%d\n", p->file, p->line);
}

/* How much of the library's own part is shown. */
enum show { SHOW_LEADING, SHOW_PUBLIC, SHOW_ALL };

static bool is_shown(const struct rn_place *p, enum show show)
{
    if (show == SHOW_ALL || !rn__place_is_internal(p))
        return true;
    return show == SHOW_PUBLIC && p->function && strncmp(p->function, "rn_", 3) == 0 &&
           strncmp(p->function, "rn__", 4) != 0;
}

/* Prints what is to be seen of one frame; *show changes when the program's own code is reached. */
static bool print_frame(uintptr_t where, enum show *show)
{
    struct rn_place places[INLINED];
    int n = rn__symbolize(where, places, INLINED);
    bool shown = false;
    for (int i = 0; i < n; i++) {
        if (!is_shown(&places[i], *show))
            continue;
        print_place(&places[i]);
        shown = true;
        if (*show == SHOW_LEADING)
            *show = SHOW_PUBLIC;
    }
    return shown;
}

static bool print_some(const struct frames *f, enum show show)
{
    bool shown = false;
    size_t kept = f->n < INNER + OUTER ? f->n : INNER + OUTER;
    for (size_t i = 0; i < kept; i++) {
        if (f->n > kept && i == INNER)
            rn__out("...%zu frames elided...\n", f->n - kept);
        size_t at = f->n - kept + i;
        shown |= print_frame(i < INNER ? f->inner[i] : f->outer[(at - INNER) % OUTER], &show);
    }
    return shown;
}

/* When the frames are all of the library (the last call of a function may be a jump), what the goroutine began with
 * tells more. */
static void print_frames(struct rn_cursor *c, const struct rn_g *g)
{
    static struct frames f;
    enum show show = SHOW_ALL;
    collect(&f, c);
    if (print_some(&f, SHOW_LEADING))
        return;
    if (!g->entry || !print_frame((uintptr_t)g->entry, &show))
        print_some(&f, SHOW_ALL);
}

/* ---- one goroutine ----------------------------------------------------------------------------- */

static const char *state_text(const struct rn_g *g)
{
    switch (rn_load_relaxed(&g->status)) { /* relaxed, here and below: a moment's view */
    case RN_G_WAITING:
        return rn__wait_text((enum rn_wait)rn_load_relaxed(&g->waiting));
    case RN_G_RUNNABLE:
        return "runnable";
    default:
        return "running";
    }
}

static void print_head(const struct rn_g *g, const char *state, rn_time now)
{
    if (g->kind == RN_G_THREAD && !rn__run_under_way())
        rn__out("outside of any run ");
    else
        rn__out("goroutine %llu ", (unsigned long long)g->id);
    if (g->name)
        rn__out("\"%.200s\" ", g->name);
    rn__out("[%s", state);
    rn_duration waited = now - rn_load_relaxed(&g->waiting_since);
    if (rn_load_relaxed(&g->status) == RN_G_WAITING && waited >= RN_MINUTE)
        rn__out(", %lld minutes", (long long)(waited / RN_MINUTE));
    if (g->kind == RN_G_THREAD)
        rn__out(", plain thread");
    else if (g->pinned)
        rn__out(", locked to thread");
    rn__out("]:\n");
}

static void print_creator(const struct rn_g *g)
{
    struct rn_place places[INLINED];
    if (!rn_load_relaxed(&g->started_by) || !g->started_at)
        return;
    int n = rn__symbolize((uintptr_t)g->started_at - 1, places, INLINED), i = 0;
    while (i < n - 1 && rn__place_is_internal(&places[i]))
        i++;
    rn__out("created by ");
    print_name(&places[i]);
    rn__out(" in goroutine %llu\n", (unsigned long long)rn_load_relaxed(&g->started_by));
    if (places[i].file)
        rn__out("\t%.800s:%d\n", places[i].file, places[i].line);
}

/* A goroutine that has not begun has no frame but the function that it will run. */
static bool not_begun(const struct rn_g *g)
{
    return g->entry && rn_load_relaxed(&g->status) == RN_G_RUNNABLE && rn__g_top(g) - (const char *)g->sp < 1024 &&
           (const char *)g->sp < rn__g_top(g) && rn__arch_not_begun(g->sp);
}

static void print_stack(const struct rn_g *g)
{
    struct rn_cursor c;
    enum show show = SHOW_ALL;
    /* acquire: pairs with the release in rn__arch_switch; sp and the stack are complete. */
    if (g->kind == RN_G_THREAD || rn_load_acquire(&g->on_cpu))
        rn__out("\tgoroutine running on other thread; stack unavailable\n");
    else if (not_begun(g))
        print_frame((uintptr_t)g->entry, &show);
    else if (rn_cursor_from_saved(&c, g->sp, g->stack_lo, g->stack_hi))
        print_frames(&c, g);
    else
        rn__out("\tstack unavailable\n");
}

static void print_lock(const struct rn_waiter *w, void *arg)
{
    const struct rn_g *g = arg;
    rn__out("\twaits for ");
    rn__lock_print_wait(g, w, (enum rn_wait)rn_load_relaxed(&g->waiting));
    rn__out("\n");
}

static bool is_at_lock(const struct rn_g *g)
{
    bool parked = g->kind == RN_G_GOROUTINE && rn_load_relaxed(&g->status) == RN_G_WAITING;
    /* acquire: as in print_stack */
    return parked && !rn_load_acquire(&g->on_cpu) && rn__waits_for_lock((enum rn_wait)rn_load_relaxed(&g->waiting));
}

/* When all sleep for good: no lock changes hands any more. */
static void note_lock(const struct rn_g *g, void *arg)
{
    (void)arg;
    if (is_at_lock(g))
        rn__leaks_waits(g, print_lock, (void *)g);
}

void rn__print_goroutine(const struct rn_g *g, rn_time now, void (*note)(const struct rn_g *g, void *arg), void *arg)
{
    print_head(g, state_text(g), now);
    if (rn_load_relaxed(&rn__all_asleep) && g->panic && !rn__only_exits(g->panic)) { /* it waits in a deferred call */
        rn__out("\t");
        rn__print_panics(g->panic);
    }
    if (note)
        note(g, arg);
    print_stack(g);
    print_creator(g);
    rn__out("\n");
}

/* ---- all of them --------------------------------------------------------------------------------- */

struct listing {
    struct rn_g *current;  /* NULL: none */
    struct rn_cursor here; /* its innermost frame */
    struct rn_g **others;
    size_t n, room;
    bool frugal;
};

static void count_one(struct rn_g *g, void *arg)
{
    (void)g;
    ((struct listing *)arg)->room++;
}

static void add_one(struct rn_g *g, void *arg)
{
    struct listing *l = arg;
    if (g != l->current && g->id && l->n < l->room)
        l->others[l->n++] = g;
}

static uint64_t id_of(const struct rn_g *g)
{
    return g->id;
}

struct step {
    const struct rn_g *from;
    uint64_t to; /* 0: to nobody */
};

static void take_holder(const struct rn_waiter *w, void *arg)
{
    struct step *s = arg;
    s->to = rn__lock_holder(w, (enum rn_wait)rn_load_relaxed(&s->from->waiting));
}

static const struct rn_g *holder_for(const struct listing *l, const struct rn_g *g)
{
    struct step s = {.from = g};
    if (is_at_lock(g))
        rn__leaks_waits(g, take_holder, &s);
    for (size_t i = 0; s.to && i < l->n; i++)
        if (l->others[i]->id == s.to)
            return l->others[i];
    return NULL;
}

/* How many wait for one another from `first` on, each for a lock that the next one holds; 0: they are no circle. */
static int circle_of(const struct listing *l, const struct rn_g *first, uint64_t ids[LONGEST])
{
    const struct rn_g *g = first;
    for (int n = 0; g && n < LONGEST;) {
        ids[n++] = g->id;
        g = holder_for(l, g);
        if (g == first)
            return n;
    }
    return 0;
}

/* The first, of two goroutines or more: one alone is told of at its lock. */
static void print_circle(const struct listing *l)
{
    uint64_t ids[LONGEST];
    int n = 0;
    for (size_t i = 0; n < 2 && i < l->n; i++)
        n = circle_of(l, l->others[i], ids);
    if (n < 2)
        return;
    rn__out("goroutines ");
    for (int i = 0; i < n; i++)
        rn__out("%s%llu", i == 0 ? "" : i == n - 1 ? " and " : ", ", (unsigned long long)ids[i]);
    rn__out(" wait for one another, each for a lock that the next one holds\n"
            "\tlook first: choose one order for these locks and take them in it everywhere, or let the first go before "
            "the second is taken\n\n");
}

/* Each is written as soon as it is found, unless they are very many: whoever waits sees that it goes on, and of a listing that is
 * cut off there is that much. */
static void print_others(struct listing *l)
{
    enum { AT_ONCE = 1000 };
    rn_time now = rn__now();
    l->n = l->room = 0;
    rn__g_each(count_one, l);
    if (l->room == 0)
        return;
    l->others = rn_os_map(l->room * sizeof *l->others, rn_os_page);
    if (!l->others)
        return;
    rn__g_each(add_one, l);
    rn__g_sort(l->others, l->n, id_of);
    bool over = rn_load_relaxed(&rn__all_asleep); /* relaxed: who has found it is who tells */
    for (size_t i = 0; i < l->n; i++) {
        rn__print_goroutine(l->others[i], now, over ? note_lock : NULL, NULL);
        if (i < AT_ONCE)
            rn__out_flush();
    }
    if (over && l->n <= AT_ONCE)
        print_circle(l);
}

/* Panics that came from goroutines that have ended. */
static void print_causes(const struct rn_panic *p)
{
    for (; p; p = p->up)
        for (const struct rn_panic *cause = p->cause; cause; cause = cause->cause) {
            enum show show = SHOW_LEADING;
            rn__out("goroutine %llu [panicked]:\n", (unsigned long long)cause->g);
            for (int i = 0; i < cause->trace_n; i++)
                print_frame((uintptr_t)cause->trace[i] - 1, &show);
            rn__out("\n");
        }
}

struct place_of {
    const char *sp;
    const struct rn_g *of; /* NULL: not seen yet */
};

static void look_whose(struct rn_g *g, void *arg)
{
    struct place_of *p = arg;
    if (rn__is_goroutine(g) && p->sp >= g->stack_lo && p->sp < g->stack_hi)
        p->of = g;
}

/* A jump may have led it out of its own stack: what it did before is not seen, nor where it went on from. */
static void print_whose_stack(const struct rn_g *g, const struct rn_cursor *here)
{
    struct place_of p = {.sp = (const char *)here->regs[RN_REG_SP]}; /* NOLINT(performance-no-int-to-ptr) */
    if (p.sp < g->stack_lo || p.sp >= g->stack_hi)
        rn__g_each(look_whose, &p);
    if (p.of)
        rn__out("\truns on the stack of goroutine %llu: longjmp or setcontext must not lead to another goroutine\n",
                (unsigned long long)p.of->id);
}

static void print_current(const struct rn_g *g, struct rn_cursor *here, bool over)
{
    print_causes(g->panic);
    print_head(g, over ? state_text(g) : "running", rn__now());
    print_whose_stack(g, here);
    print_frames(here, g);
    print_creator(g);
}

static void print_why_no_lines(void)
{
    if (!rn__symbols_have_lines())
        rn__out("(no files and lines: libdw1 is not installed, or this program is static)\n");
}

static void print_listing(void *arg)
{
    struct listing *l = arg;
    if (l->current) {
        print_current(l->current, &l->here, rn_load_relaxed(&rn__all_asleep)); /* relaxed: as in print_others */
        rn__out("\n");
        rn__out_flush();
    }
    print_others(l);
    if (l->frugal)
        rn__out("(no files and lines: the signal came while the heap or the loader was at work)\n");
    else
        print_why_no_lines();
    rn__out_flush();
}

/* Functions that hold locks which libdw needs; their addresses, found while nothing was wrong. */
static const char *const locking[] = {"malloc",         "free",          "calloc",  "realloc", "memalign",
                                      "posix_memalign", "aligned_alloc", "dlopen",  "dlsym",   "dlclose",
                                      "dladdr",         "malloc_trim",   "mallinfo"};
enum { LOCKING = sizeof locking / sizeof locking[0] };
static uintptr_t locking_at[LOCKING];

void rn__dump_prepare(void)
{
    for (int i = 0; i < LOCKING && !locking_at[LOCKING - 1]; i++)
        locking_at[i] = rn_function_start((uintptr_t)dlsym(RTLD_DEFAULT, locking[i]));
}

/* Whether the signal has interrupted one of them on this thread. */
static bool holds_locks(struct rn_cursor c)
{
    enum { NEAR = 32 };
    for (int n = 0; n < NEAR; n++) {
        uintptr_t start = rn_function_start(rn_cursor_where(&c));
        for (int i = 0; start && i < LOCKING; i++)
            if (start == locking_at[i])
                return true;
        if (rn_cursor_step(&c) <= 0)
            break;
    }
    return false;
}

/* On a stack of its own.  A look at a goroutine's stack that was put away is a fault, whose handler would begin where the signal
 * stack does: over the one by which this is called, and which the program is to die from. */
static void print_on_its_stack(void *listing)
{
    stack_t here = {.ss_flags = SS_DISABLE}, before;
    bool apart = sigaltstack(&here, &before) == 0;
    print_listing(listing);
    if (apart)
        sigaltstack(&before, NULL);
}

void rn__dump(struct rn_g *current, void *uc)
{
    static struct listing l;
    const struct rn_m *m = rn__m();
    /* Not a worker between two goroutines. */
    l.current = current && (current->id || (m && m->external)) ? current : NULL;
    if (uc)
        rn_cursor_from_context(&l.here, uc, current ? current->stack_lo : NULL, current ? current->stack_hi : NULL);
    else
        rn_cursor_from_here(&l.here);
    rn_os_init();
    if (uc && holds_locks(l.here)) {
        l.frugal = true;
        rn__symbolize_frugally();
    }
    char *stack = rn_os_map(STACK, rn_os_page);
    if (stack)
        rn__arch_call_on(stack + STACK, print_on_its_stack, &l);
    else
        print_listing(&l);
}

/* ---- a panic that was recovered -------------------------------------------------------------------- */

struct recovered {
    const struct rn_g *g;
    struct rn_cursor here; /* in the caller of rn_panic */
    const char *const *texts;
};

static void print_texts(const char *const *texts)
{
    for (; *texts; texts++)
        rn__print_text(*texts);
    rn__out("\n");
}

static void print_recovered(void *arg)
{
    struct recovered *r = arg;
    print_texts(r->texts);
    print_current(r->g, &r->here, false);
    print_why_no_lines();
}

void rn__tell_panic(const char *const *texts)
{
    struct recovered r = {.g = rn__self(), .texts = texts};
    rn_cursor_from_here(&r.here);
    while (rn_cursor_step(&r.here) > 0 && r.here.cfa <= r.g->panic->frame)
        continue;
    pthread_mutex_lock(&rn__debug_one_at_a_time);
    if (!rn__with_room(print_recovered, &r)) /* libdw would not fit here */
        print_texts(texts);
    rn__out_flush();
    pthread_mutex_unlock(&rn__debug_one_at_a_time);
}
