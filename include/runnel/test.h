/* runnel/test.h: tests for concurrent programs.
 *
 *     #include <runnel.h>
 *     #include <runnel/test.h>
 *
 *     TEST(two_and_two)
 *     {
 *         chan(int) c = chan_make(int, 1);
 *         chan_send(c, 2 + 2);
 *         CHECK_EQ(chan_recv(c), 4);
 *         chan_free(c);
 *     }
 *
 * `runnel test` finds, builds and runs every *_test.c.  The file is a whole program: this header
 * defines main (unless RN_TEST_NO_MAIN is defined first, for a second file of the same program),
 * which understands --list and --run PATTERN (part of a test's name, or a regular expression) and
 * prints TAP: "ok 1 - two_and_two # 0.2 ms", failures as "file:line: what was wrong" below theirs.
 *
 * Each test runs in a process of its own, as the main goroutine of a fresh runtime, so that a
 * crash, a deadlock or an exit in one does not touch the others; what it wrote is shown when it
 * fails.  A test that takes longer than RUNNEL_TEST_TIMEOUT (seconds; 60) is sent SIGQUIT, which
 * prints its goroutines, and ended.  RUNNEL_TEST_FORK=0 runs everything in one process, for
 * debuggers.
 *
 * BENCH(name) { … } beside them measures (`runnel test -bench PATTERN`); see below.
 */
#ifndef RUNNEL_TEST_H
#define RUNNEL_TEST_H

#include <runnel/base.h>
#include <runnel/go.h>
#include <setjmp.h>
#if defined(__cplusplus) && __has_include(<runnel/cxx.h>)
#include <runnel/cxx.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
/* EXPECT_PANIC's setjmp makes gcc warn about variables that nobody reads after the jump. */
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

RN_EXTERN_C_BEGIN

struct rn_bench;
struct rn_test;
/* A test that is a program's rn_main: what it leaves ends with its process, and only goroutines are looked for. */
enum { RN_TEST_PROGRAM = -2 };
RN_PUBLIC bool rn_bench_more(struct rn_bench *b); /* for rn_bench_loop */
RN_PUBLIC void rn_bench_run(struct rn_test *t);   /* for BENCH */
/* Where calls of malloc are counted, in programs that were built for benchmarks (RN_BENCH_ALLOC). */
RN_PUBLIC void rn_bench_count_with(void (*count)(uint64_t *calls, uint64_t *bytes));
struct rn_test {
    const char *name;
    const char *file;
    int line;
    void (*run)(void);
    int status;       /* TEST_DIES: the exit status, or 128 + signal; RN_TEST_PROGRAM; otherwise -1 */
    const char *says; /* TEST_DIES: what stderr must contain */
    struct rn_test *next;
    void (*bench)(struct rn_bench *b); /* BENCH: the body; else NULL */
};

/* TEST(name) { … }: runs in a goroutine of a fresh runtime. */
#define TEST(name) RN__TEST_IN_RUN(name##_, #name, -1, NULL)

/* TEST_PLAIN(name) { … }: runs on the main thread, with no runtime started. */
#define TEST_PLAIN(name) RN__TEST_ALONE(name##_, #name, -1, NULL)

/* TEST_DIES(name, status, "text") { … }: the body, in a fresh runtime, must end the process with
 * this exit status (128 + n for signal n), and stderr must contain the text.  For a body that
 * returns the status is 0.  TEST_PLAIN_DIES: without a runtime. */
#define TEST_DIES(name, status, text) RN__TEST_IN_RUN(name##_, #name, status, text)
#define TEST_PLAIN_DIES(name, status, text) RN__TEST_ALONE(name##_, #name, status, text)

/* `id` is the test's name and an underscore, made where the name is an argument: a name may be a macro's. */
#define RN__TEST_IN_RUN(id, name, status, says) \
    static void id##body(void);                 \
    RN__TEST_ROOM(id)                           \
    static void id##test(void)                  \
    {                                           \
        rn_run(RN__TEST_MAIN(id));              \
    }                                           \
    RN__TEST_ADD_AS(id, name, status, says)     \
    static void id##body(void)
#define RN__TEST_ALONE(id, name, status, says) \
    static void id##test(void);                \
    RN__TEST_ADD_AS(id, name, status, says)    \
    static void id##test(void)

/* When schedules are explored, the goroutines that a test has left run on when it has returned.  Room above
 * its frame, for the calls that end it, keeps its variables from being overwritten meanwhile. */
#ifdef RN_EXPLORE
#define RN__TEST_ROOM(name_)                               \
    static void rn__main_of_##name_(void)                  \
    {                                                      \
        char rn_room_[1024];                               \
        __asm__ volatile("" : : "r"(rn_room_) : "memory"); \
        name_##body();                                     \
        __asm__ volatile("" : : "r"(rn_room_) : "memory"); \
    }
#define RN__TEST_MAIN(name_) rn__main_of_##name_
#else
#define RN__TEST_ROOM(name_)
#define RN__TEST_MAIN(name_) name_##body
#endif

/* What these macros get is pasted to name_ beforehand: a test may be called as a macro is, mutex_lock say. */
#define RN__TEST_ADD_AS(name_, shown, status, text)                                                          \
    static struct rn_test name_##entry = {shown, __FILE__, __LINE__, name_##test, status, text, NULL, NULL}; \
    __attribute__((constructor)) static void name_##added(void)                                              \
    {                                                                                                        \
        rn_test_add(&name_##entry);                                                                          \
    }

/* BENCH(name) { … }: measures what its loop does, in a goroutine of a fresh runtime:
 *
 *     BENCH(channel)
 *     {
 *         chan(int) c = chan_make(int, 1);
 *         while (bench_loop(b)) {
 *             chan_send(c, 1);
 *             chan_recv(c);
 *         }
 *         chan_free(c);
 *     }
 *
 * `runnel test -bench PATTERN` runs the benchmarks, and no tests, and prints lines that Go's benchstat reads:
 *
 *     BenchmarkChannel-2    50000000    23.10 ns/op    0 B/op    0 allocs/op    0 switches/op
 *
 * ns of real time; what malloc and its kin were asked for, by anybody in the process; how often a goroutine was
 * resumed, on any processor.  How often the loop runs is chosen by time: a second for each benchmark, or
 * RUNNEL_BENCH_TIME (seconds).  What stands before and behind the loop is not counted. */
#define BENCH(name)                                                                            \
    static void name##_bench_body(struct rn_bench *b);                                         \
    static void name##_bench_test(void);                                                       \
    static struct rn_test name##_bench_entry = {#name, __FILE__, __LINE__, name##_bench_test,  \
                                                -1,    NULL,     NULL,     name##_bench_body}; \
    static void name##_bench_test(void)                                                        \
    {                                                                                          \
        rn_bench_run(&name##_bench_entry);                                                     \
    }                                                                                          \
    __attribute__((constructor)) static void name##_bench_add(void)                            \
    {                                                                                          \
        rn_test_add(&name##_bench_entry);                                                      \
    }                                                                                          \
    static void name##_bench_body(struct rn_bench *b)

/* One benchmark's state.  Only left is anybody's business, and only rn_bench_loop's. */
typedef struct rn_bench rn_bench;
struct rn_bench {
    uint64_t left; /* iterations before the clock is looked at again */
    uint64_t n, target;
    struct {
        int64_t ns;
        uint64_t allocs, bytes, resumed;
    } begun, total;
    int64_t bytes; /* that one operation handles */
    int metrics_n;
    struct {
        double value;
        char unit[24];
    } metrics[8];
    bool running, looped;
};

/* True as long as the loop is to continue.  Each benchmark has one such loop, in the goroutine of its body. */
static inline bool rn_bench_loop(rn_bench *b)
{
    __asm__ volatile("" : : : "memory"); /* so that the compiler keeps the loop's work */
    return b->left ? b->left--, true : rn_bench_more(b);
}
/* For work that is not a single loop (several goroutines share it, say): the body performs this many operations, and is
 * run again, with more, until the time is up.  Not to be mixed with bench_loop. */
static inline long rn_bench_n(const rn_bench *b)
{
    return (long)b->target;
}
/* For use with bench_n.  reset discards what was measured so far; stop and start leave out what lies between them. */
RN_PUBLIC void rn_bench_reset(rn_bench *b);
RN_PUBLIC void rn_bench_stop(rn_bench *b);
RN_PUBLIC void rn_bench_start(rn_bench *b);
/* Says that one operation handles n bytes, so that MB/s are printed as well. */
RN_PUBLIC void rn_bench_bytes(rn_bench *b, int64_t n);
/* Also prints a figure of your own; the unit is a word such as "hits/op".  Up to 8; the last value given for a unit
 * counts. */
RN_PUBLIC void rn_bench_metric(rn_bench *b, double value, const char *unit);
#ifndef RN_NO_SHORT_NAMES
#define bench_loop rn_bench_loop
#define bench_n rn_bench_n
#define bench_reset rn_bench_reset
#define bench_stop rn_bench_stop
#define bench_start rn_bench_start
#define bench_bytes rn_bench_bytes
#define bench_metric rn_bench_metric
#endif

/* The CHECKs record a failure and go on; REQUIRE ends the test's process.  They work in any
 * goroutine or thread of the test. */
#define CHECK(cond) ((cond) ? (void)0 : rn_test_fail(__FILE__, __LINE__, "not true: %s", #cond))
#define REQUIRE(cond)                                                              \
    do {                                                                           \
        if (!(cond)) {                                                             \
            rn_test_fail(__FILE__, __LINE__, "required, but not true: %s", #cond); \
            rn_test_abandon();                                                     \
        }                                                                          \
    } while (0)
/* Two integers or pointers are equal. */
#define CHECK_EQ(a, b) rn_test_equal(__FILE__, __LINE__, #a, #b, (long long)(intptr_t)(a), (long long)(intptr_t)(b))
/* Two strings are equal; NULL equals only NULL. */
#define CHECK_STR(a, b) rn_test_equal_str(__FILE__, __LINE__, #a, #b, (a), (b))
/* Records a failure in printf's manner. */
#define FAIL(...) rn_test_fail(__FILE__, __LINE__, __VA_ARGS__)

/* EXPECT_PANIC("text", statements…): they must panic with exactly this text, which is recovered.
 * Runs in the same goroutine; variables that the statements assign to are indeterminate after. */
#define EXPECT_PANIC(text, ...)                                                    \
    do {                                                                           \
        struct rn_test_guard rn_guard_;                                            \
        rn_test_guard_enter(&rn_guard_);                                           \
        if (_setjmp(rn_guard_.back) == 0) {                                        \
            rn_defer(rn_test_guard_caught, &rn_guard_);                            \
            __VA_ARGS__;                                                           \
            rn_guard_.done = true;                                                 \
        }                                                                          \
        rn_test_guard_leave(__FILE__, __LINE__, #__VA_ARGS__, (text), &rn_guard_); \
    } while (0)

struct rn_test_guard {
    jmp_buf back;
    char text[256];
    bool done, caught;
};

/* Ends the test's process; the test counts as skipped, for this reason (no newline). */
RN_PUBLIC RN_NORETURN void rn_test_skip(const char *reason);

/* Under `runnel test` (RUNNEL_TEST_LEAKS=1 in the environment) a test fails when it leaves goroutines, timers, channels,
 * processes or descriptors behind; each is named.  Goroutines that are about to end when its function returns are waited for, up
 * to three seconds.  A test that means to leave something calls this first. */
RN_PUBLIC void rn_test_leaks_ok(void);
#ifndef RN_NO_SHORT_NAMES
#define test_leaks_ok rn_test_leaks_ok
#endif

/* A seed for a test's random choices; the same throughout one run.  RUNNEL_SEED sets it; a
 * failing test that asked for it prints it. */
RN_PUBLIC uint64_t rn_test_seed(void);
#ifndef RN_NO_SHORT_NAMES
#define test_seed rn_test_seed
#endif

/* Registers a test; for the macros. */
RN_PUBLIC void rn_test_add(struct rn_test *t);
/* Runs the registered tests as the command line says; returns the exit status: 0 when all passed,
 * 1 when one failed, 2 for a command line that makes no sense.  What the header's main calls. */
RN_PUBLIC int rn_test_main(int argc, char **argv);
/* What the macros above call. */
RN_PUBLIC void rn_test_fail(const char *file, int line, const char *format, ...) RN_PRINTF(3, 4);
RN_PUBLIC RN_NORETURN void rn_test_abandon(void);
RN_PUBLIC void rn_test_equal(const char *file, int line, const char *a, const char *b, long long va, long long vb);
RN_PUBLIC void rn_test_equal_str(const char *file, int line, const char *a, const char *b, const char *va,
                                 const char *vb);
RN_PUBLIC void rn_test_guard_enter(struct rn_test_guard *guard);
RN_PUBLIC void rn_test_guard_caught(void *guard);
RN_PUBLIC void rn_test_guard_leave(const char *file, int line, const char *code, const char *text,
                                   struct rn_test_guard *guard);

RN_EXTERN_C_END

/* AddressSanitizer has a malloc of its own, and other C libraries none to hand over to. */
#if defined(RN_BENCH_ALLOC) && !defined(RN_TEST_NO_MAIN) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#include <runnel/test_alloc.h>
#endif

#ifndef RN_TEST_NO_MAIN
int main(int argc, char **argv)
{
    return rn_test_main(argc, argv);
}
#endif

#endif
