/* Counts how often a cache line has to go from one processor to another, on a machine that has fewer processors
 * than are asked about.
 *
 * The library and the program are compiled with -fsanitize=thread, which calls a function at each access to memory;
 * these functions are here, instead of the sanitizer's, and play a machine with one processor for each worker thread:
 *
 *  - The threads run in turns of some accesses each (TURN on average, drawn anew), so that they go on side by side,
 *    access by access, however the kernel schedules them.  Who blocks in a system call has no turns.
 *  - For each line of 64 bytes it is known which processors have a copy.  A read without a copy, and a write while
 *    another has one, is one transfer.  Caches are endless: lines that nobody shares are never counted.
 *
 * Who wakes a thread gives it its turns at once: the others wait until the kernel has let it go on.
 *
 * The clock goes by accesses, one nanosecond each, so that what waits for a millisecond does so here.
 *
 * What is not seen: assembly (a switch: two or three words of the goroutine's record), memcpy, the kernel.  A pause
 * instruction takes as long as PAUSE accesses.  The monitor does not run: it would take time for what it is not.
 *
 * One thread at a time has the turn, and only it touches what is here; `turn` hands it over. */
#define _GNU_SOURCE 1
#include "coherence.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROCESSORS = 64, TURN = 8, PAUSE = 20, LINE = 64, NOBODY = -1 };
enum { LINES = 1 << 22, SITES = 1 << 16 };

struct line {
    uintptr_t at;
    uint64_t copies;
};
struct site {
    uintptr_t pc;
    uint64_t transfers;
};

static struct line lines[LINES];
static struct site sites[SITES];
static uint64_t transfers, accesses;
static bool counting;
static double clock_ns = 1e9; /* an access takes a nanosecond on each processor */
static int active = 1;        /* processors that have had turns lately */

static atomic_int turn = NOBODY;
static atomic_int n_threads;
static atomic_int wants[PROCESSORS]; /* futex: 1 while this one runs or waits for its turn */
static atomic_int called[PROCESSORS];
static void *_Atomic sleeps_on[PROCESSORS]; /* a futex; the poller: in_poll */
static char in_poll;

static __thread int self = NOBODY;
static __thread int left;
static __thread bool apart; /* without turns: the monitor, and who is on its way into a system call or back */
static __thread uint32_t dice;

/* ---- turns ---------------------------------------------------------------------------------------------- */

static void wait_for_turn(void)
{
    for (int seen; atomic_load(&turn) != self;) {
        seen = atomic_load(&called[self]);
        if (atomic_load(&turn) != self)
            syscall(SYS_futex, &called[self], FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
    dice = dice * 1664525 + 1013904223;
    left = 1 + (int)(dice >> 16) % (2 * TURN);
}

/* The next one behind `me` who wants a turn gets it; NOBODY when there is none. */
static int hand_on(int me)
{
    int n = atomic_load(&n_threads), all = 0;
    for (int i = 0; i < n; i++)
        all += atomic_load(&wants[i]);
    active = all ? all : 1;
    for (int i = 1; i <= n; i++) {
        int next = (me + i) % n;
        if (!atomic_load(&wants[next]))
            continue;
        atomic_store(&turn, next);
        if (next != me) {
            atomic_fetch_add(&called[next], 1);
            syscall(SYS_futex, &called[next], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        }
        return next;
    }
    return NOBODY;
}

static void come(void)
{
    if (self == NOBODY) {
        self = atomic_fetch_add(&n_threads, 1);
        if (self >= PROCESSORS) {
            fputs("coherence: more threads than processors are played\n", stderr);
            _exit(1);
        }
        dice = (uint32_t)self * 2654435761u + 1;
    }
    atomic_store(&wants[self], 1);
    int nobody = NOBODY;
    if (!atomic_compare_exchange_strong(&turn, &nobody, self))
        wait_for_turn();
}

static void go_away(void)
{
    atomic_store(&wants[self], 0);
    if (hand_on(self) != NOBODY)
        return;
    atomic_store(&turn, NOBODY);
    /* Who came between the look and the store has not seen NOBODY. */
    for (int i = 0, n = atomic_load(&n_threads), nobody = NOBODY; i < n; i++, nobody = NOBODY)
        if (atomic_load(&wants[i]) && atomic_compare_exchange_strong(&turn, &nobody, i)) {
            atomic_fetch_add(&called[i], 1);
            syscall(SYS_futex, &called[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
            return;
        }
}

static void spend(int n)
{
    if (apart)
        return;
    if (self == NOBODY)
        come();
    clock_ns += (double)n / active;
    left -= n;
    if (left <= 0 && hand_on(self) != self)
        wait_for_turn();
}

/* ---- the caches ------------------------------------------------------------------------------------------ */

static struct line *find(uintptr_t at)
{
    for (size_t i = at * 0x9E3779B97F4A7C15u >> 42;; i = (i + 1) % LINES) {
        if (lines[i].at == at)
            return &lines[i];
        if (lines[i].at == 0) {
            lines[i].at = at;
            return &lines[i];
        }
    }
}

static void charge(uintptr_t pc)
{
    transfers++;
    for (size_t i = pc * 0x9E3779B97F4A7C15u >> 48;; i = (i + 1) % SITES)
        if (sites[i].pc == pc || sites[i].pc == 0) {
            sites[i].pc = pc;
            sites[i].transfers++;
            return;
        }
}

static __attribute__((noinline)) void touch(const volatile void *p, bool writes, void *pc)
{
    spend(1);
    if (apart)
        return;
    struct line *l = find((uintptr_t)p / LINE);
    uint64_t mine = (uint64_t)1 << self;
    bool moves = writes ? (l->copies & ~mine) != 0 : l->copies != 0 && !(l->copies & mine);
    l->copies = writes ? mine : l->copies | mine;
    accesses += counting;
    if (moves && counting)
        charge((uintptr_t)pc);
}

void rn_coherence_pause(void)
{
    spend(PAUSE);
}

void coherence_start(void)
{
    counting = true;
    transfers = accesses = 0;
    memset(sites, 0, sizeof sites);
}

static int more_first(const void *a, const void *b)
{
    const struct site *x = a, *y = b;
    return (x->transfers < y->transfers) - (x->transfers > y->transfers);
}

void coherence_tell(const char *what, int processors, long ops)
{
    enum { SHOWN = 12 };
    counting = false;
    printf("%s\t%d\t%ld\t%.3f\t%.1f\n", what, processors, ops, (double)transfers / (double)ops,
           (double)accesses / (double)ops);
    if (!getenv("SHARING_SITES"))
        return;
    qsort(sites, SITES, sizeof *sites, more_first);
    for (int i = 0; i < SHOWN && sites[i].transfers; i++)
        printf("  %.3f\t%#lx\n", (double)sites[i].transfers / (double)ops, (unsigned long)sites[i].pc - 1);
}

/* ---- what blocks, by the linker's --wrap ------------------------------------------------------------------ */

int __real_rn_os_futex_wait(void *word, uint32_t seen, int64_t deadline);
int __real_rn_os_poll_wait(void *events, int max, int64_t deadline);
void __real_rn_os_futex_wake(void *word, int n);
void __real_rn_os_poll_wake(void);

static void sleep_on(void *what)
{
    if (self == NOBODY)
        come();
    atomic_store(&sleeps_on[self], what);
    apart = true;
    go_away();
}

static void awake(void)
{
    atomic_store(&sleeps_on[self], NULL);
    apart = false;
    come();
}

/* Of several at one futex it is the kernel that chooses: they get their turns when they come. */
static void wake(void *what, int most)
{
    int sleepers = 0, n = atomic_load(&n_threads);
    for (int i = 0; i < n; i++)
        sleepers += atomic_load(&sleeps_on[i]) == what;
    for (int i = 0; i < n && sleepers <= most; i++) {
        void *is = what;
        if (atomic_compare_exchange_strong(&sleeps_on[i], &is, NULL))
            atomic_store(&wants[i], 1);
    }
}

int __wrap_rn_os_futex_wait(void *word, uint32_t seen, int64_t deadline)
{
    if (apart)
        return __real_rn_os_futex_wait(word, seen, deadline);
    sleep_on(word);
    int err = __real_rn_os_futex_wait(word, seen, deadline);
    awake();
    return err;
}

void __wrap_rn_os_futex_wake(void *word, int n)
{
    bool was = apart;
    apart = true;
    __real_rn_os_futex_wake(word, n);
    apart = was;
    wake(word, n);
}

int __wrap_rn_os_poll_wait(void *events, int max, int64_t deadline)
{
    sleep_on(&in_poll);
    int n = __real_rn_os_poll_wait(events, max, deadline);
    awake();
    return n;
}

void __wrap_rn_os_poll_wake(void)
{
    bool was = apart;
    apart = true;
    __real_rn_os_poll_wake();
    apart = was;
    wake(&in_poll, 1);
}

void __wrap_rn_os_yield(void)
{
    spend(TURN * 2);
}

/* The time that the accesses take; while nobody has turns it stands still. */
int64_t __wrap_rn_os_now(void)
{
    return (int64_t)clock_ns;
}

void *__wrap_rn__monitor(void *arg)
{
    apart = true;
    return arg;
}

/* ---- what the compiler calls ----------------------------------------------------------------------------- */

#define PC __builtin_return_address(0)
void __tsan_init(void)
{
}
#define PLAIN(n)                            \
    void __tsan_read##n(void *p)            \
    {                                       \
        touch(p, false, PC);                \
    }                                       \
    void __tsan_write##n(void *p)           \
    {                                       \
        touch(p, true, PC);                 \
    }                                       \
    void __tsan_unaligned_read##n(void *p)  \
    {                                       \
        touch(p, false, PC);                \
    }                                       \
    void __tsan_unaligned_write##n(void *p) \
    {                                       \
        touch(p, true, PC);                 \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(char *p, size_t n)
{
    for (size_t i = 0; i < n; i += LINE)
        touch(p + i, false, PC);
}

void __tsan_write_range(char *p, size_t n)
{
    for (size_t i = 0; i < n; i += LINE)
        touch(p + i, true, PC);
}

void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    atomic_thread_fence(memory_order_seq_cst);
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    atomic_signal_fence(memory_order_seq_cst);
}

#define RMW(bits, T, name)                                        \
    T __tsan_atomic##bits##_##name(volatile T *p, T v, int order) \
    {                                                             \
        (void)order;                                              \
        touch(p, true, PC);                                       \
        return atomic_##name((volatile _Atomic(T) *)p, v);        \
    }
#define ATOMIC(bits, T)                                                                       \
    T __tsan_atomic##bits##_load(const volatile T *p, int order)                              \
    {                                                                                         \
        (void)order;                                                                          \
        touch(p, false, PC);                                                                  \
        return atomic_load((const volatile _Atomic(T) *)p);                                   \
    }                                                                                         \
    void __tsan_atomic##bits##_store(volatile T *p, T v, int order)                           \
    {                                                                                         \
        (void)order;                                                                          \
        touch(p, true, PC);                                                                   \
        atomic_store((volatile _Atomic(T) *)p, v);                                            \
    }                                                                                         \
    RMW(bits, T, exchange)                                                                    \
    RMW(bits, T, fetch_add)                                                                   \
    RMW(bits, T, fetch_sub)                                                                   \
    RMW(bits, T, fetch_and)                                                                   \
    RMW(bits, T, fetch_or)                                                                    \
    RMW(bits, T, fetch_xor)                                                                   \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile T *p, T *c, T v, int a, int b) \
    {                                                                                         \
        (void)a, (void)b;                                                                     \
        touch(p, true, PC);                                                                   \
        return atomic_compare_exchange_strong((volatile _Atomic(T) *)p, c, v);                \
    }                                                                                         \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile T *p, T *c, T v, int a, int b)   \
    {                                                                                         \
        return __tsan_atomic##bits##_compare_exchange_strong(p, c, v, a, b);                  \
    }
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
