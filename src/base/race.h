/* What the race detector is told; nothing at all in builds without it (RN_RACE).
 *
 * In the race build the library itself is not instrumented: whatever it orders for its own sake (locks,
 * queues, wake-ups) stays unseen, and each operation says which edge of the memory model it makes,
 * and which of the program's memory it reads or writes.  docs/design/race.md lists the edges.
 *
 *     rn__race_release(p)    what this goroutine has done so far comes before …
 *     rn__race_acquire(p)    … what this one does from here on.  p is an address that serves as a name;
 *                            what was released under it before stays (the clocks are joined).
 *     rn__race_store(&word)  the same as release, but what was there before is forgotten
 *     rn__race_read/write    this goroutine reads, writes the program's memory, at the place pc
 *                            (NULL: that was told already)
 *     rn__race_touch         looks at an object, atomically: against its memory being freed or reused
 *     rn__race_mark          writes a byte atomically, and leaves it as it is: races with reads of it, not with
 *                            other marks
 *
 * Names are made of odd addresses inside of an object (RN_RACE_NAME), so that they differ from those
 * that the program's own atomics have.
 */
#ifndef RN_BASE_RACE_H
#define RN_BASE_RACE_H

#include "base/sanitizers.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(RN_RACE) || defined(RN_TSAN)
enum { RN_RACE_HOLDS_SIGNALS = 1 };
/* The handlers of signals that the detector has held back run: it does that in any function of libc that it
 * watches. */
static inline void rn__race_signals(void)
{
    size_t (*volatile any)(const char *, size_t) = strnlen;
    (void)any("", 0);
}
#else
enum { RN_RACE_HOLDS_SIGNALS = 0 };
#define rn__race_signals() ((void)0)
#endif

#ifdef RN_RACE

enum { RN_RACE_ON = 1 };
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
void __tsan_read_range_pc(void *addr, size_t size, void *pc);
void __tsan_write_range_pc(void *addr, size_t size, void *pc);
void __tsan_write_range(void *addr, size_t size);
unsigned char __tsan_atomic8_load(const volatile unsigned char *a, int order);
unsigned char __tsan_atomic8_fetch_or(volatile unsigned char *a, unsigned char v, int order);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_atomic64_store(volatile uint64_t *a, uint64_t v, int order);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

enum { RN_RACE_RELAXED = 0, RN_RACE_RELEASE = 3 };

/* Something was reported: the detector has descriptors of its own since, to the process that looks names up. */
extern bool rn__race_reported;

/* A place in the program: the caller of the library's function that this stands in. */
#define RN_RACE_PC __builtin_return_address(0)
/* The nth name in an object of more than 2n + 1 bytes. */
#define RN_RACE_NAME(object, n) ((void *)((uintptr_t)(object) + 1 + 2 * (uintptr_t)(n)))

static inline void rn__race_acquire(void *name)
{
    __tsan_acquire(name);
}

static inline void rn__race_release(void *name)
{
    __tsan_release(name);
}

static inline void rn__race_store(uint64_t *word)
{
    __tsan_atomic64_store(word, 0, RN_RACE_RELEASE);
}

static inline void rn__race_read(const volatile void *p, size_t n, void *pc)
{
    if (p && n && pc)
        __tsan_read_range_pc((void *)(uintptr_t)p, n, pc);
}

static inline void rn__race_write(const volatile void *p, size_t n, void *pc)
{
    if (p && n && pc)
        __tsan_write_range_pc((void *)(uintptr_t)p, n, pc);
}

/* A string, with its end. */
static inline void rn__race_read_text(const char *text, void *pc)
{
    if (text)
        rn__race_read(text, strlen(text) + 1, pc);
}

/* At the place in the library where it stands. */
static inline void rn__race_write_here(volatile void *p, size_t n)
{
    __tsan_write_range((void *)(uintptr_t)p, n);
}

static inline void rn__race_touch(const volatile void *object)
{
    (void)__tsan_atomic8_load((const volatile unsigned char *)object, RN_RACE_RELAXED);
}

/* Around a piece of the library that a report is to show as called at the place pc. */
static inline void rn__race_call_begin(void *pc)
{
    __tsan_func_entry(pc);
}

static inline void rn__race_call_end(void)
{
    __tsan_func_exit();
}

/* First in a public function that has libc read or write the program's memory: a report shows the place that called it. */
#define RN_RACE_CALLED() \
    __attribute__((cleanup(rn__race_called_end), unused)) char rn_called_ = (rn__race_call_begin(RN_RACE_PC), 0)
static inline void rn__race_called_end(const char *called)
{
    (void)called;
    rn__race_call_end();
}

static inline void rn__race_mark(volatile void *byte, void *pc)
{
    rn__race_call_begin(pc); /* an atomic access can't be given a place */
    (void)__tsan_atomic8_fetch_or((volatile unsigned char *)byte, 0, RN_RACE_RELAXED);
    rn__race_call_end();
}

/* Around what the library does to its own memory through libc's functions, which the detector sees. */
static inline void rn__race_own_begin(void)
{
    AnnotateIgnoreWritesBegin("", 0);
}

static inline void rn__race_own_end(void)
{
    AnnotateIgnoreWritesEnd("", 0);
}

/* A pair of words under which a sender and a receiver meet: see chan/race.h. */
struct rn_race_turn {
    uint64_t sent, received;
    struct rn_race_turn *next;
};
/* One with this goroutine's past in both words; NULL when there is no memory. */
struct rn_race_turn *rn__race_turn_get(void);
void rn__race_turn_put(struct rn_race_turn *t); /* NULL is nothing */

#else

enum { RN_RACE_ON = 0, rn__race_reported = 0 };
#define RN_RACE_PC NULL
#define RN_RACE_NAME(object, n) ((void)(n), (void *)(object))
#define rn__race_acquire(name) ((void)(name))
#define rn__race_release(name) ((void)(name))
#define rn__race_read(p, n, pc) ((void)(p), (void)(n), (void)(pc))
#define rn__race_write(p, n, pc) ((void)(p), (void)(n), (void)(pc))
#define rn__race_read_text(text, pc) ((void)(text), (void)(pc))
#define rn__race_touch(object) ((void)(object))
#define rn__race_mark(byte, pc) ((void)(byte), (void)(pc))
#define rn__race_call_begin(pc) ((void)(pc))
#define rn__race_call_end() ((void)0)
#define RN_RACE_CALLED() ((void)0)
#define rn__race_own_begin() ((void)0)
#define rn__race_own_end() ((void)0)

#endif

/* The name, by its number, for the end of one who had a place, as the nth that ends, and for who then gets a place as the
 * (n + limit)th; as if a place were a value in a buffered channel of that size (Go, errgroup).  0, the name for all ends, is
 * none of them. */
static inline uint32_t rn__race_place(uint32_t n, int64_t limit)
{
    enum { NAMES = 8 };
    return RN_RACE_ON ? 1 + (uint32_t)(n % (uint64_t)limit % NAMES) : 0;
}

#endif
