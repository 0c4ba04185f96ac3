/* The unwinder: frames of every shape, from here, from a signal, from a goroutine that is switched away; damaged
 * stacks; what a step restores. */
#define _GNU_SOURCE 1
#include "arch/unwind.h"
#include "sched/sched.h"
#include <runnel.h>
#include <runnel/test.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 64 };

struct walk {
    uintptr_t pc[MANY];
    int n, end;
};

static void walk_up(struct walk *w, struct rn_cursor *c)
{
    w->n = 0;
    while (w->n < MANY && (w->end = rn_cursor_step(c)) > 0)
        w->pc[w->n++] = c->regs[RN_REG_PC];
}

/* ---- against libgcc's --------------------------------------------------------------------------- */

static struct walk ours;
static void *theirs[MANY];
static int theirs_n;

__attribute__((noinline)) static void walk_here(void)
{
    struct rn_cursor c;
    rn_cursor_from_here(&c);
    walk_up(&ours, &c);
    theirs_n = backtrace(theirs, MANY);
    __asm__ volatile("");
}

static void compare(int least)
{
    /* theirs begins further in: in walk_here, or in a sanitizer's backtrace; and it may end one later, at an entry
     * without a caller. */
    int skipped = 0;
    while (skipped < theirs_n && (uintptr_t)theirs[skipped] != ours.pc[0])
        skipped++;
    CHECK_EQ(ours.end, 0);
    CHECK(ours.n >= least);
    CHECK(skipped <= 2);
    CHECK(theirs_n - skipped == ours.n || theirs_n - skipped == ours.n + 1);
    for (int i = 0; i < ours.n && i + skipped < theirs_n; i++)
        CHECK_EQ(ours.pc[i], theirs[i + skipped]);
}

__attribute__((noinline)) static int plain(int n)
{
    if (n == 0)
        walk_here();
    else
        plain(n - 1);
    __asm__ volatile("");
    return n;
}

__attribute__((noinline)) static void with_alloca(int n)
{
    char *room = __builtin_alloca((size_t)n);
    memset(room, 1, (size_t)n);
    plain(3);
    __asm__ volatile("" : : "r"(room) : "memory");
}

__attribute__((noinline)) static void with_large_aligned_frame(int n)
{
    _Alignas(64) char room[20000];
    memset(room, n, sizeof room);
    with_alloca(n);
    __asm__ volatile("" : : "r"(room) : "memory");
}

__attribute__((noinline)) static void with_both(int n)
{
    _Alignas(32) char room[64];
    char *more = __builtin_alloca((size_t)n);
    memset(room, n, sizeof room);
    memset(more, n, (size_t)n);
    with_large_aligned_frame(n);
    __asm__ volatile("" : : "r"(room), "r"(more) : "memory");
}

#ifdef __clang__
__attribute__((noinline, optnone))
#else
__attribute__((noinline, optimize("O0")))
#endif
static void
without_optimisation(int n)
{
    with_both(n);
    __asm__ volatile("");
}

static int through_libc(const void *a, const void *b)
{
    (void)a, (void)b;
    static int once;
    if (once++ == 0)
        without_optimisation(100);
    return 0;
}

TEST_PLAIN(frames_on_a_thread)
{
    int v[3] = {3, 1, 2};
    qsort(v, 3, sizeof v[0], through_libc);
    compare(9);
    for (int i = 0; i < 3; i++) { /* by the cache */
        with_both(64);
        compare(7);
    }
}

TEST(frames_on_a_goroutine)
{
    without_optimisation(64);
    compare(7);
    without_optimisation(64);
    compare(7);
}

/* ---- signals ---------------------------------------------------------------------------------- */

static struct walk in_signal;
static uintptr_t interrupted;

static void on_signal(int signo, siginfo_t *info, void *uc)
{
    (void)signo, (void)info;
    struct rn_g *g = rn__self_or_null();
    struct rn_cursor c;
    rn_cursor_from_context(&c, uc, g ? g->stack_lo : NULL, g ? g->stack_hi : NULL);
    interrupted = c.regs[RN_REG_PC];
    walk_up(&in_signal, &c);
}

__attribute__((noinline)) static void raiser(void)
{
    raise(SIGUSR1);
    __asm__ volatile("");
}

static bool in_function(uintptr_t pc, void (*f)(void))
{
    return rn_function_start(pc) == (uintptr_t)f;
}

static bool walk_holds(const struct walk *w, void (*f)(void))
{
    for (int i = 0; i < w->n; i++)
        if (in_function(w->pc[i] - 1, f))
            return true;
    return false;
}

static void install(void)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, NULL);
}

TEST(from_a_signal)
{
    install();
    raiser();
    CHECK_EQ(in_signal.end, 0);
    CHECK(walk_holds(&in_signal, raiser));
    CHECK(interrupted != 0);
}

TEST_PLAIN(from_a_signal_on_a_thread)
{
    install();
    raiser();
    CHECK(walk_holds(&in_signal, raiser));
}

/* A call of NULL leaves its return address: the walk goes on in the caller. */
static struct walk after_null;

static void on_segv(int signo, siginfo_t *info, void *uc)
{
    (void)signo, (void)info;
    struct rn_cursor c;
    rn_cursor_from_context(&c, uc, NULL, NULL);
    after_null.n = 1;
    after_null.pc[0] = c.regs[RN_REG_PC];
    _exit(after_null.pc[0] && !c.exact ? 7 : 8);
}

TEST_DIES(a_call_of_null, 7, "")
{
    struct sigaction a = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &a, NULL);
    void (*volatile nowhere)(void) = NULL;
    nowhere();
    __asm__ volatile("");
}

/* ---- a goroutine that is switched away --------------------------------------------------------- */

static rn_atomic(struct rn_g *) parked;

__attribute__((noinline)) static void parks(chan(int) c)
{
    rn_store_release(&parked, rn__self());
    chan_recv(c);
    __asm__ volatile("");
}

TEST(from_saved)
{
    struct rn_cursor c;
    struct walk w;
    chan(int) ch = chan_make(int, 0);
    go(parks, ch);
    while (!parked || rn_load_acquire(&parked->on_cpu) || rn_load_relaxed(&parked->status) != RN_G_WAITING)
        rn_yield();
    REQUIRE(rn_cursor_from_saved(&c, parked->sp, parked->stack_lo, parked->stack_hi));
    walk_up(&w, &c);
    CHECK_EQ(w.end, 0);
    CHECK(walk_holds(&w, (void (*)(void))parks));
    CHECK(!rn_cursor_from_saved(&c, parked->stack_hi, parked->stack_lo, parked->stack_hi));
    CHECK(!rn_cursor_from_saved(&c, parked->stack_lo - 64, parked->stack_lo, parked->stack_hi));
    chan_send(ch, 1);
    chan_free(ch);
}

/* ---- what a step restores ------------------------------------------------------------------------ */

static uintptr_t seen_sp, seen_cfa;

__attribute__((noinline)) static void callee(void)
{
    struct rn_cursor c;
    rn_cursor_from_here(&c);
    seen_cfa = (uintptr_t)__builtin_dwarf_cfa();
    CHECK_EQ(rn_cursor_step(&c), 1);
    CHECK_EQ(c.cfa, seen_cfa);
    CHECK_EQ(c.regs[RN_REG_SP], seen_cfa);
    CHECK_EQ(c.regs[RN_REG_PC], __builtin_return_address(0));
    seen_sp = c.regs[RN_REG_SP];
    __asm__ volatile("" : : : "memory");
}

TEST_PLAIN(one_step)
{
    for (int i = 0; i < 4; i++)
        callee();
    CHECK(seen_sp != 0);
}

/* ---- damage ------------------------------------------------------------------------------------ */

TEST_PLAIN(damaged_stacks_end_the_walk)
{
    static uintptr_t stack[512];
    struct rn_cursor c;
    uint64_t seed = test_seed();
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < 512; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            /* code, stack, or nothing */
            stack[i] = seed >> 62 == 0   ? (uintptr_t)walk_here + (seed >> 32) % 4096
                       : seed >> 62 == 1 ? (uintptr_t)&stack[(seed >> 32) % 512]
                                         : seed;
        }
        if (!rn_cursor_from_saved(&c, &stack[round % 256], stack, stack + 512))
            continue;
        int steps = 0;
        while (steps < 2000 && rn_cursor_step(&c) > 0)
            steps++;
        CHECK(steps < 2000);
    }
}

/* ---- the cache, from many threads -------------------------------------------------------------- */

static rn_atomic(uint32_t) wrong;

static void *walks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        struct rn_cursor warm, cold;
        rn_cursor_from_here(&warm);
        cold = warm;
        cold.warm = false;
        int a, b;
        do {
            a = rn_cursor_step(&warm);
            b = rn_cursor_step(&cold);
            if (a != b || warm.regs[RN_REG_PC] != cold.regs[RN_REG_PC] ||
                warm.regs[RN_REG_SP] != cold.regs[RN_REG_SP] || warm.regs[RN_REG_FP] != cold.regs[RN_REG_FP])
                rn_add_relaxed(&wrong, 1); /* relaxed: read after the joins */
        } while (a > 0 && b > 0);
    }
    return NULL;
}

TEST_PLAIN(cache_agrees_with_the_tables)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&t[i], NULL, walks, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    CHECK_EQ(rn_load_relaxed(&wrong), 0); /* relaxed: the threads have ended */
}

TEST_PLAIN(function_start)
{
    CHECK_EQ(rn_function_start((uintptr_t)raiser + 1), (uintptr_t)raiser);
    CHECK_EQ(rn_function_start(1), 0);
}
