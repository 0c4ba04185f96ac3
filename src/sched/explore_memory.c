/* Where the program's own code touches memory: the calls that a compiler makes for -fsanitize=thread,
 * answered here instead of by ThreadSanitizer's runtime, which is not linked.
 *
 * Every atomic operation is a point.  A plain access is one when its place in the program is known to
 * touch memory that another goroutine touches too, one of them writing, and not under one lock.  Such
 * places are found while schedules run, and kept from one to the next (explore.h, `places`); so the first
 * schedules have few of these points, and the later ones all that matter.
 *
 * Memory is watched in pieces of 8 bytes, in a table that is exact: what is found does not depend on
 * where the kernel has put things.  Not seen: what libc does with memory (memcpy, strlen …), and code
 * that was compiled elsewhere.
 */
#if defined(RN_EXPLORE) && !defined(RN_RACE)
#include "sched/rt.h"
#include <string.h>

/* ---- who shares what ------------------------------------------------------------------------------ */

struct visit {
    uint32_t g; /* 0: nobody yet */
    uintptr_t lock;
    uintptr_t place;
};

struct piece {
    uintptr_t at; /* address / 8; 0: free */
    struct visit read, write;
};

enum { PIECES = 1 << 18 };
static struct {
    struct piece *of; /* open addressing */
    uint32_t n;
    uintptr_t known[2 * RN_EXPLORE_PLACES]; /* places, in a table; 0: free */
    uint32_t known_n;                       /* how many of the plan's are in it */
} memory;

static uint64_t mix(uint64_t z)
{
    z *= 0x9e3779b97f4a7c15;
    return z ^ z >> 32;
}

static bool look_up(uintptr_t place)
{
    uint32_t mask = 2 * RN_EXPLORE_PLACES - 1, at = (uint32_t)mix(place) & mask;
    while (memory.known[at] && memory.known[at] != place)
        at = (at + 1) & mask;
    if (memory.known[at])
        return true;
    memory.known[at] = place;
    return false;
}

static void add_place(uintptr_t place)
{
    struct rn_explore_shared *s = rn__explore;
    if (s->places_n == RN_EXPLORE_PLACES || look_up(place))
        return;
    s->places[s->places_n++] = place;
    memory.known_n++;
}

static bool is_known(uintptr_t place)
{
    uint32_t mask = 2 * RN_EXPLORE_PLACES - 1, at = (uint32_t)mix(place) & mask;
    while (memory.known[at] && memory.known[at] != place)
        at = (at + 1) & mask;
    return memory.known[at] != 0;
}

/* The first use: what earlier schedules have found. */
static bool open_memory(void)
{
    memory.of = rn_os_map(PIECES * sizeof *memory.of, rn_os_page);
    for (; memory.known_n < rn__explore->places_n; memory.known_n++)
        look_up(rn__explore->places[memory.known_n]);
    return memory.of != NULL;
}

static struct piece *piece_of(uintptr_t at)
{
    uint32_t i = (uint32_t)at & (PIECES - 1); /* neighbours stay together: each page of the table costs a fault */
    while (memory.of[i].at && memory.of[i].at != at)
        i = (i + 1) & (PIECES - 1);
    if (memory.of[i].at)
        return &memory.of[i];
    if (memory.n == PIECES / 2)
        return NULL;
    memory.n++;
    memory.of[i].at = at;
    return &memory.of[i];
}

/* One lock, and not both as readers. */
static bool kept_apart(uintptr_t a, uintptr_t b)
{
    return (a | 1) == (b | 1) && a > 1 && !(a & b & 1);
}

static void compare(const struct visit *before, const struct visit *now)
{
    if (!before->g || before->g == now->g || kept_apart(before->lock, now->lock))
        return;
    add_place(before->place);
    add_place(now->place);
}

bool rn__explore_shares(struct rn_g *g, uintptr_t at, size_t bytes, bool write, uintptr_t place)
{
    if (!memory.of && !open_memory())
        return false;
    struct visit now = {(uint32_t)g->id, g->explore.lock, place};
    for (uintptr_t p = at >> 3; p <= (at + bytes - 1) >> 3; p++) {
        struct piece *piece = piece_of(p);
        if (!piece)
            break;
        compare(&piece->write, &now);
        if (write)
            compare(&piece->read, &now);
        *(write ? &piece->write : &piece->read) = now;
    }
    return is_known(place);
}

/* ---- what the compiler calls ------------------------------------------------------------------------ */

#define HERE ((uintptr_t)__builtin_return_address(0))
#define RN_TSAN_CALL RN_PUBLIC __attribute__((used))

#define PLAIN(name, bytes, write)                       \
    void name(void *at);                                \
    RN_TSAN_CALL void name(void *at)                    \
    {                                                   \
        rn__explore_access(at, (bytes), (write), HERE); \
    }
#define PLAINS(bytes)                                          \
    PLAIN(__tsan_read##bytes, bytes, false)                    \
    PLAIN(__tsan_write##bytes, bytes, true)                    \
    PLAIN(__tsan_read_write##bytes, bytes, true)               \
    PLAIN(__tsan_unaligned_read##bytes, bytes, false)          \
    PLAIN(__tsan_unaligned_write##bytes, bytes, true)          \
    PLAIN(__tsan_unaligned_read_write##bytes, bytes, true)     \
    PLAIN(__tsan_volatile_read##bytes, bytes, false)           \
    PLAIN(__tsan_volatile_write##bytes, bytes, true)           \
    PLAIN(__tsan_unaligned_volatile_read##bytes, bytes, false) \
    PLAIN(__tsan_unaligned_volatile_write##bytes, bytes, true)
PLAINS(1)
PLAINS(2)
PLAINS(4)
PLAINS(8)
PLAINS(16)

#define RANGE(name, write)                                                      \
    void name(void *at, unsigned long bytes);                                   \
    RN_TSAN_CALL void name(void *at, unsigned long bytes)                       \
    {                                                                           \
        if (bytes)                                                              \
            rn__explore_access(at, bytes > 4096 ? 4096 : bytes, (write), HERE); \
    }
RANGE(__tsan_read_range, false)
RANGE(__tsan_write_range, true)

#define NOTHING(name, ...)              \
    void name(__VA_ARGS__);             \
    RN_TSAN_CALL void name(__VA_ARGS__) \
    {                                   \
    }
NOTHING(__tsan_init, void)
NOTHING(__tsan_func_exit, void)
NOTHING(__tsan_func_entry, void *pc __attribute__((unused)))
NOTHING(__tsan_vptr_read, void *at __attribute__((unused)))
NOTHING(__tsan_vptr_update, void *at __attribute__((unused)), void *to __attribute__((unused)))
NOTHING(__tsan_atomic_thread_fence, int order __attribute__((unused)))
NOTHING(__tsan_atomic_signal_fence, int order __attribute__((unused)))

/* ---- atomics ------------------------------------------------------------------------------------------ */

/* All sequentially consistent, whatever order was asked for: the threads that take part are one, and
 * perhaps plain threads of the program.  (Weaker orders are not explored.) */
#define BEFORE(at) rn__explore_point(RN_AT_ATOMIC, (const void *)(uintptr_t)(at))
#define AFTER(at) rn__explore_point(RN_AFTER_ATOMIC, (const void *)(uintptr_t)(at))
#define OF(T, at) ((rn_atomic(T) *)(uintptr_t)(at))

#define ATOMIC_CALL(T, name, params, ...) \
    T name params;                        \
    RN_TSAN_CALL T name params            \
    {                                     \
        (void)order;                      \
        BEFORE(at);                       \
        __VA_ARGS__;                      \
        AFTER(at);                        \
        return was;                       \
    }
#define FETCH(T, name, value)                                                                   \
    ATOMIC_CALL(T, name, (volatile T * at, T v, int order), T was = rn_load_seq_cst(OF(T, at)); \
                while (!rn_cas_seq_cst(OF(T, at), &was, (T)(value))) continue)
#define SWAP(T, name)                                                            \
    int name(volatile T *at, T *expected, T v, int order, int fail);             \
    RN_TSAN_CALL int name(volatile T *at, T *expected, T v, int order, int fail) \
    {                                                                            \
        (void)order, (void)fail;                                                 \
        BEFORE(at);                                                              \
        int done = rn_cas_seq_cst(OF(T, at), expected, v);                       \
        AFTER(at);                                                               \
        return done;                                                             \
    }
#define ATOMICS(bits)                                                                                               \
    ATOMIC_CALL(uint##bits##_t, __tsan_atomic##bits##_load, (const volatile uint##bits##_t *at, int order),         \
                uint##bits##_t was = rn_load_seq_cst(OF(uint##bits##_t, at)))                                       \
    ATOMIC_CALL(uint##bits##_t, __tsan_atomic##bits##_exchange,                                                     \
                (volatile uint##bits##_t * at, uint##bits##_t v, int order),                                        \
                uint##bits##_t was = rn_xchg_seq_cst(OF(uint##bits##_t, at), v))                                    \
    FETCH(uint##bits##_t, __tsan_atomic##bits##_fetch_add, was + v)                                                 \
    FETCH(uint##bits##_t, __tsan_atomic##bits##_fetch_sub, was - v)                                                 \
    FETCH(uint##bits##_t, __tsan_atomic##bits##_fetch_and, was &v)                                                  \
    FETCH(uint##bits##_t, __tsan_atomic##bits##_fetch_or, was | v)                                                  \
    FETCH(uint##bits##_t, __tsan_atomic##bits##_fetch_xor, was ^ v)                                                 \
    FETCH(uint##bits##_t, __tsan_atomic##bits##_fetch_nand, ~(was & v))                                             \
    SWAP(uint##bits##_t, __tsan_atomic##bits##_compare_exchange_strong)                                             \
    SWAP(uint##bits##_t, __tsan_atomic##bits##_compare_exchange_weak)                                               \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t v, int order);                     \
    RN_TSAN_CALL void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t v, int order)         \
    {                                                                                                               \
        (void)order;                                                                                                \
        BEFORE(at);                                                                                                 \
        rn_store_seq_cst(OF(uint##bits##_t, at), v);                                                                \
        AFTER(at);                                                                                                  \
    }                                                                                                               \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile uint##bits##_t *at, uint##bits##_t expected, \
                                                              uint##bits##_t v, int order, int fail);               \
    RN_TSAN_CALL uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                                         \
        volatile uint##bits##_t *at, uint##bits##_t expected, uint##bits##_t v, int order, int fail)                \
    {                                                                                                               \
        __tsan_atomic##bits##_compare_exchange_strong(at, &expected, v, order, fail);                               \
        return expected;                                                                                            \
    }
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

#elif defined(RN_EXPLORE)
#include "sched/sched.h"

/* The race detector sees the accesses; here they are no points. */
bool rn__explore_shares(struct rn_g *g, uintptr_t at, size_t bytes, bool write, uintptr_t place)
{
    (void)g, (void)at, (void)bytes, (void)write, (void)place;
    return false;
}

#else
typedef int rn__explore_memory_is_another_build; /* an empty file is no C */
#endif
