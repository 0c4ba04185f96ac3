/* Panic, recover, exit of a goroutine, and how the program dies of what nobody recovers.
 *
 * A panic runs the goroutine's deferred calls on top of the stack that raised it, newest first, so
 * that what raised it is still there to be printed.  When a deferred call has recovered, the function
 * that deferred it returns to its caller at once, with value 0: the frame that holds the struct rn_defer
 * is found by walking up, its caller's registers are computed from the unwind tables and loaded
 * (arch/unwind.h).  The program needs these tables: -fasynchronous-unwind-tables, the default on both
 * processors, and for a static program the linker's --eh-frame-hdr.
 *
 * What always holds:
 *  - g->panic is the newest panic; `up` leads to those under way further out on the same stack.  A panic ends
 *    in one of three ways: recovered; replaced, when a panic raised in one of its deferred calls leaves
 *    a frame beyond it; or with the goroutine.
 *  - A deferred call is taken off g->defers before it runs, so that it runs once whatever it does.
 *  - Frames lie at falling addresses: a panic belongs to the frames that are being left exactly if its
 *    own frame is below their end.
 *  - rn_exit_goroutine is a panic that can't be recovered.  When a recovered one would leave its frame,
 *    the exit goes on instead.
 *
 * "Directly in the deferred function": rn_recover is inlined into its caller and passes that frame's CFA, which
 * must be the one that rn__arch_call_deferred saw.  A helper that the deferred function calls last has that frame, too,
 * where the compiler makes the call a jump: so it also passes an address in its code.  (gcc gets the CFA wrong in functions that have both a
 * variable-length array and a local aligned to more than 16 bytes; there rn_recover returns NULL.)
 *
 * Memory: one block per panic, kept by the goroutine after recovery (its text is the program's until the next
 * panic) and used again by the next.
 *
 * Death: stdout is flushed if nobody is using it just then, so that what the program printed is seen; nothing
 * else of stdio is touched, atexit functions do not run.  The first thread to die prints, others wait for the end.
 *
 * Tried and rejected: setjmp in every defer (20 ns each, and volatile locals); forced unwinding through libgcc
 * (1 to 2 µs, and a dependency).
 */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/hooks.h"
#include "arch/unwind.h"
#include "sched/panic.h"
#include "sched/rt.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct rn_hooks rn__hooks;

static inline __attribute__((always_inline)) struct rn_g *self(void)
{
    struct rn_m *m = rn__m();
    return __builtin_expect(m != NULL, 1) ? m->g : rn__self();
}

extern inline struct rn_defer **rn__defers_here(void);

struct rn_defer **rn__defers_adopt(void)
{
    return &rn__self()->defers;
}

/* ---- death ----------------------------------------------------------------------------------- */

/* The thread that prints the last words: 0, or 1 + its id. */
static rn_atomic(uint32_t) dying;

/* How long main's end waits for deferred calls of a panic, and rn__panic_follows for one. */
#define PATIENCE (100 * RN_MILLISECOND)

static void say(const char *text)
{
    rn_os_write_stderr(text, strlen(text));
}

void rn__dying(void)
{
    uint32_t nobody = 0, me = 1 + (uint32_t)rn_os_thread_id();
    /* relaxed: the word itself is all that is shared. */
    if (rn_cas_relaxed(&dying, &nobody, me))
        return;
    if (nobody == me) {
        say("\n[another failure while this was being printed]\n");
        rn_os_exit(2);
    }
    for (;;)
        rn_os_nap(RN_SECOND);
}

bool rn__is_dying(void)
{
    return rn_load_relaxed(&dying) == 1 + (uint32_t)rn_os_thread_id(); /* relaxed: as above */
}

static void flush_stdout(void)
{
    if (ftrylockfile(stdout) != 0)
        return;
    fflush_unlocked(stdout);
    funlockfile(stdout);
}

void rn__die(struct rn_g *g, void *uc)
{
    if (rn__hooks.dump)
        rn__hooks.dump(g, uc);
    rn_os_exit(2);
}

static void say_panics(struct rn_panic *p)
{
    if (rn__hooks.print_panics) {
        rn__hooks.print_panics(p);
    } else {
        say("panic: ");
        say(p->text);
        say("\n");
    }
}

static _Noreturn void die_of_panic(struct rn_g *g, struct rn_panic *p)
{
    rn__dying();
    flush_stdout();
    say_panics(p);
    say("\n");
    rn__die(g, NULL);
}

bool rn__only_exits(const struct rn_panic *p)
{
    while (p && p->is_exit)
        p = p->up;
    return !p;
}

void rn_fatal(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct rn_g *g = rn__self_or_null();
    if (g)
        rn__panic_left(g);
    rn__dying();
    flush_stdout();
    if (g &&
        !rn__only_exits(g->panic)) { /* the fatal error comes of a deferred call: why that ran is to be seen, too */
        say_panics(g->panic);
        say("\t");
    }
    say("fatal error: ");
    say(text);
    say("\n\n");
    rn__die(g, NULL);
}

/* Panics of goroutines that have neither been recovered nor ended the program.  relaxed, all of it: main's end just looks
 * whether to wait, and hears of a panic whose deferred calls let main go on by what they did for that. */
static rn_atomic(int64_t) under_way;

static void count_panics(const struct rn_g *g, int by)
{
    if (rn__is_goroutine(g))
        rn_add_relaxed(&under_way, by);
}

/* Waits a little while a panic is under way, or for one that follows; and for whoever prints the last words. */
static void settle(bool follows)
{
    rn_time end = rn_os_now() + PATIENCE;
    while ((follows || rn_load_relaxed(&under_way) != 0) && rn_os_now() < end) {
        rn_yield();
        rn_os_nap(20 * RN_MICROSECOND);
    }
    if (rn_load_relaxed(&dying) != 0)
        rn__dying();
}

void rn__panics_settle(void)
{
    settle(false);
}

void rn__panic_follows(void)
{
    if (!rn__exploring()) /* there nobody runs between the two */
        settle(true);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

void rn__panic_free(struct rn_panic *p)
{
    for (struct rn_panic *cause; p; p = cause) {
        cause = p->cause;
        if (!p->on_stack)
            rn__free(p);
    }
}

/* Takes the newest off. */
static struct rn_panic *pop(struct rn_g *g)
{
    struct rn_panic *p = g->panic;
    g->panic = p->up;
    if (!p->is_exit)
        count_panics(g, -1);
    return p;
}

void rn__panics_drop(struct rn_g *g)
{
    while (g->panic)
        rn__panic_free(pop(g));
    rn__panic_free(g->last_panic);
    g->last_panic = NULL;
}

/* A block with room for n bytes of text and a zero; NULL: no memory. */
static struct rn_panic *block_get(struct rn_g *g, size_t n)
{
    struct rn_panic *p = g->last_panic;
    g->last_panic = NULL;
    if (p && p->room > n && !p->cause)
        return p;
    rn__panic_free(p);
    uint32_t room = n < 128 ? 128 : (uint32_t)n + 1;
    p = rn__malloc(sizeof *p + room);
    if (p) {
        p->room = room;
        p->text = (char *)(p + 1);
        p->on_stack = false;
        p->cause = NULL;
    }
    return p;
}

static struct rn_panic *block_with(struct rn_g *g, const char *text, size_t n)
{
    enum { LONGEST = 1 << 20 };
    n = n < LONGEST ? n : LONGEST;
    struct rn_panic *p = block_get(g, n);
    if (p) {
        memcpy(p->text, text, n);
        p->text[n] = '\0';
        p->value = NULL;
    }
    return p;
}

static struct rn_panic *block_formatted(struct rn_g *g, const char *format, va_list args)
{
    char brief[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(brief, sizeof brief, format, args);
    struct rn_panic *p = NULL;
    if (n < (int)sizeof brief) {
        p = block_with(g, n < 0 ? format : brief, n < 0 ? strlen(format) : (size_t)n);
    } else if ((p = block_get(g, (size_t)n)) != NULL) {
        vsnprintf(p->text, (size_t)n + 1, format, again);
        p->value = NULL;
    }
    va_end(again);
    return p;
}

/* ---- recovery -------------------------------------------------------------------------------- */

/* An address in the frame of the function that deferred d. */
static uintptr_t address_of(const struct rn_defer *d)
{
#ifdef RN_FIBER_ASAN
    return (uintptr_t)d->frame - 1;
#else
    return (uintptr_t)d;
#endif
}

/* Moves c up to the caller of the frame that holds d. */
static void go_to_caller_of(struct rn_cursor *c, const struct rn_defer *d)
{
    uintptr_t at = address_of(d);
    int r;
    do {
        r = rn_cursor_step(c);
    } while (r > 0 && c->cfa <= at);
    if (r <= 0)
        rn_fatal("recovered, but there is no way back to the caller: code without unwind tables at %p "
                 "(compile with -fasynchronous-unwind-tables; gcc -static needs -Wl,--eh-frame-hdr)",
                 (void *)c->regs[RN_REG_PC]); /* NOLINT(performance-no-int-to-ptr) */
}

/* Drops g's panics whose frames lie below `end`; true when one of them was an exit. */
static bool drop_panics_below(struct rn_g *g, uintptr_t end)
{
    bool exit = false;
    while (g->panic && g->panic->frame < end) {
        struct rn_panic *p = pop(g);
        exit |= p->is_exit;
        rn__panic_free(p);
    }
    return exit;
}

#ifdef RN_FIBER_TSAN
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);

/* Whether the function at pc tells ThreadSanitizer of its entry: it calls __tsan_func_entry near its start. */
static bool is_instrumented(uintptr_t pc)
{
    enum { NEAR = 128 };
    const uint8_t *start = (const uint8_t *)rn_function_start(pc); /* NOLINT(performance-no-int-to-ptr) */
    for (int i = 0; start && i < NEAR && start + i + 5 <= (const uint8_t *)pc; i++) { /* NOLINT */
        int32_t by;
        memcpy(&by, start + i + 1, sizeof by);
        if (start[i] == 0xe8 && (uintptr_t)(start + i + 5 + by) == (uintptr_t)__tsan_func_entry)
            return true;
    }
    return false;
}

/* Frames from `from` up to `end` are left without returning: takes them off the shadow stack.  One that is missed
 * stays there; the shadow stack of a goroutine holds 65,536. */
static void tsan_leave_frames(const struct rn_cursor *from, uintptr_t end)
{
    struct rn_cursor c = *from;
    for (;;) {
        uintptr_t where = rn_cursor_where(&c);
        if (rn_cursor_step(&c) <= 0 || c.cfa > end)
            return;
        if (is_instrumented(where))
            __tsan_func_exit();
    }
}
#endif

#ifndef RN_FIBER_ASAN
void __asan_unpoison_memory_region(void const volatile *at, size_t size) __attribute__((weak));
#endif

/* The sanitizers must hear that frames go away without returning: AddressSanitizer also where only the program is
 * compiled for it. */
static inline __attribute__((always_inline)) void tell_sanitizers(uintptr_t end)
{
#ifdef RN_FIBER_ASAN
    __asan_handle_no_return();
#else
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (__builtin_expect(__asan_unpoison_memory_region != NULL, 0))
        __asan_unpoison_memory_region((void *)here, end - here); /* NOLINT(performance-no-int-to-ptr) */
#endif
#ifdef RN_FIBER_TSAN
    struct rn_cursor top;
    rn_cursor_from_here(&top);
    tsan_leave_frames(&top, end);
#endif
    (void)end;
}

/* An exit that the recovery of p would leave goes on instead, as which p then counts. */
static void go_on_with_exit(struct rn_g *g, struct rn_panic *p)
{
    p->up = g->panic;
    p->is_exit = true;
    p->recovered = false;
    g->panic = p;
}

/* The calls that the function whose frame ends at `end` deferred earlier. */
static void run_remaining(struct rn_g *g, uintptr_t end)
{
    for (struct rn_defer *d; (d = g->defers) != NULL && address_of(d) < end;) {
        g->defers = d->up;
        d->f(d->arg);
    }
}

/* After d's call has recovered p: returns from the function that deferred d.  Comes back only when an exit
 * goes on instead.  Inlined, as a frame less to walk over. */
static inline __attribute__((always_inline)) void recovered(struct rn_g *g, struct rn_panic *p, struct rn_defer *d)
{
    struct rn_cursor c;
    rn_cursor_from_here(&c);
    go_to_caller_of(&c, d);
    for (struct rn_panic *left; (left = pop(g)) != p;) /* by a jump, in the deferred call */
        rn__panic_free(left);
    if (drop_panics_below(g, c.cfa)) {
        go_on_with_exit(g, p);
        return;
    }
    rn__panic_free(g->last_panic);
    g->last_panic = p->on_stack ? NULL : p;
    run_remaining(g, c.cfa);
    tell_sanitizers(c.cfa);
    rn__arch_resume(c.regs);
}

/* Whether the code at `in` is not f but what f ended with a jump to, whose frame has the place of f's.  (A part of f
 * that the compiler has put elsewhere is reached by conditional jumps.) */
static bool is_tail_of(void (*f)(void *), const void *in)
{
    /* relaxed: a number; the last that was found to be f's own. */
    static rn_atomic(uintptr_t) own;
    uintptr_t pair = (uintptr_t)f ^ (uintptr_t)in << 1;
    if (!in || rn_load_relaxed(&own) == pair)
        return false;
    uintptr_t start = rn_function_start((uintptr_t)in);
    if (start != (uintptr_t)f && start && rn_function_jumps((uintptr_t)f, start))
        return true;
    rn_store_relaxed(&own, pair);
    return false;
}

static struct rn_panic *recover_here(const void *cfa, const void *in)
{
    struct rn_panic *p = self()->panic;
    if (!p || p->call != (uintptr_t)cfa || p->recovered || p->is_exit || is_tail_of(p->running->f, in))
        return NULL;
    p->recovered = true;
    return p;
}

/* The CFA of the one who called the function that this becomes a part of, when there is a panic. */
static inline __attribute__((always_inline)) const void *callers_cfa(void)
{
    struct rn_cursor c;
    if (!self()->panic)
        return NULL;
    rn_cursor_from_here(&c);
    bool there = rn_cursor_step(&c) > 0 && rn_cursor_step(&c) > 0;
    return there ? (const void *)c.cfa : NULL; /* NOLINT(performance-no-int-to-ptr) */
}

const char *rn__recover(void *cfa, const void *in)
{
    struct rn_panic *p = recover_here(cfa ? cfa : callers_cfa(), in);
    return p ? p->text : NULL;
}

bool rn__recover_value(void *cfa, const void *in, void **value)
{
    struct rn_panic *p = recover_here(cfa ? cfa : callers_cfa(), in);
    *value = p ? p->value : NULL;
    return p != NULL;
}

void rn__panic_tell(const char *const *texts)
{
    if (rn__hooks.tell_panic)
        rn__hooks.tell_panic(texts);
}

/* ---- raising --------------------------------------------------------------------------------- */

static void take_trace(struct rn_panic *p)
{
    enum { TRACE = sizeof p->trace / sizeof p->trace[0] };
    struct rn_cursor c;
    rn_cursor_from_here(&c);
    p->trace_n = 0;
    while (p->trace_n < TRACE && rn_cursor_step(&c) > 0)
        p->trace[p->trace_n++] = (void *)c.regs[RN_REG_PC]; /* NOLINT(performance-no-int-to-ptr) */
}

/* Every deferred call has run. */
static _Noreturn __attribute__((noinline)) void end(struct rn_g *g, struct rn_panic *p)
{
    if (p->is_exit)
        rn__g_finish(RN_ENDED_EXIT, 0);
    if (!g->ended)
        die_of_panic(g, p);
    take_trace(p);
    struct rn_panic *up = p->up;
    if (!g->ended(g->owner, RN_ENDED_PANIC, 0, p))
        die_of_panic(g, p);
    g->panic = up; /* p is the owner's now, and may be gone */
    count_panics(g, -1);
    rn__g_finish(RN_ENDED_PANIC, 0);
}

/* Runs g's deferred calls for p. */
static inline _Noreturn __attribute__((always_inline)) void raise_panic(struct rn_g *g, struct rn_panic *p)
{
    rn__rank_check_none(); /* deferred functions are the user's */
    p->frame = (uintptr_t)__builtin_frame_address(0);
    p->g = g->id;
    p->recovered = false;
    p->trace_n = 0;
    if (g->panic)
        rn__panic_left(g); /* what a jump has left behind */
    p->up = g->panic;
    g->panic = p;
    if (!p->is_exit)
        count_panics(g, 1);
    for (struct rn_defer *d; (d = g->defers) != NULL;) {
        g->defers = d->up;
        p->running = d;
        rn__arch_call_deferred(d->f, d->arg, &p->call);
        p->call = 0;
        if (p->recovered)
            recovered(g, p, d);
    }
    p->running = NULL;
    end(g, p);
}

void rn__panic_left(struct rn_g *g)
{
    /* Whoever runs is above all frames that are left: theirs are below this one's. */
    drop_panics_below(g, (uintptr_t)__builtin_frame_address(0));
}

/* Without memory for a block: the panic lives on the stack, its text is constant. */
static _Noreturn __attribute__((noinline)) void raise_without_memory(struct rn_g *g, void *value, bool is_exit)
{
    static char text[] = "panic without memory for its text";
    struct rn_panic p = {.text = text, .value = value, .is_exit = is_exit, .on_stack = true};
    raise_panic(g, &p);
}

void rn_panic(const char *format, ...)
{
    struct rn_g *g = self();
    struct rn_panic *p;
    rn__explore_panics(__builtin_return_address(0));
    const char *stop = strchrnul(format, '%');
    if (*stop == '\0') {
        p = block_with(g, format, (size_t)(stop - format));
    } else {
        va_list args;
        va_start(args, format);
        p = block_formatted(g, format, args);
        va_end(args);
    }
    if (!p)
        raise_without_memory(g, NULL, false);
    p->is_exit = false;
    raise_panic(g, p);
}

void rn_panic_value(void *value, const char *text)
{
    struct rn_g *g = self();
    if (!text)
        text = "panic without a text";
    struct rn_panic *p = block_with(g, text, strlen(text));
    if (!p)
        raise_without_memory(g, value, false);
    p->value = value;
    p->is_exit = false;
    raise_panic(g, p);
}

void rn__panic_pass_on(struct rn_panic *cause)
{
    struct rn_g *g = self();
    struct rn_panic *p = block_with(g, cause->text, strlen(cause->text));
    if (!p)
        raise_without_memory(g, cause->value, false);
    p->value = cause->value;
    p->cause = cause;
    p->is_exit = false;
    raise_panic(g, p);
}

void rn_exit_goroutine(void)
{
    struct rn_g *g = self();
    if (!rn__is_goroutine(g))
        rn_panic("rn_exit_goroutine: this is not a goroutine but a plain thread");
    struct rn_panic *p = block_with(g, "", 0);
    if (!p)
        raise_without_memory(g, NULL, true);
    p->is_exit = true;
    raise_panic(g, p);
}
