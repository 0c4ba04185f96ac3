/* Runs a piece of program again and again, each time with another of the library's requests for
 * memory, address space or a thread failing, until none is left to fail.
 *
 * Each round is a process of its own, in which the piece runs twice under one runtime: once while the
 * request fails, and once more after that with nothing failing, which must succeed: a failure may
 * not leave anything behind.  The first time the piece may succeed, or panic for want of memory; the
 * program may also die of such a panic in another goroutine, or because it could not begin, with
 * status 2.  Whatever else
 * happens (a signal, a sanitizer's report, a deadlock, a time-out) is a failure of the test.
 *
 * The piece releases what it makes by defer, so that a panic leaks nothing.
 */
#ifndef RN_TESTS_FAULT_NTH_H
#define RN_TESTS_FAULT_NTH_H

#define _GNU_SOURCE 1
#include "base/fault.h"
#include <runnel.h>
#include <runnel/test.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SURVIVED = 0, DIED = 2, UNCLEAN = 70, NOTHING_FAILED = 77 };

struct round {
    void (*piece)(void);
    uint64_t nth;
    bool onwards; /* all requests from the nth on fail */
};

/* Does the text say that something has run out? */
static bool tells_shortage(const char *text)
{
    return strstr(text, "out of memory") || strstr(text, "without memory") || strstr(text, "no thread for");
}

/* Recovers a panic that says that memory has run out; any other goes on and kills. */
static void recover_shortage(void *arg)
{
    (void)arg;
    const char *text = rn_recover();
    if (text && !tells_shortage(text))
        rn_panic("%s", text);
}

static void under_shortage(void (*piece)(void))
{
    defer(recover_shortage, NULL);
    piece();
}

static int run_twice(struct round *r)
{
    under_shortage(r->piece);
    bool failed = rn__fault_count() >= r->nth;
    rn__fault_arm(0, false);
    r->piece();
    for (int i = 0; i < 1000 && rn_num_goroutines() > 1; i++) /* some may be on their way out */
        rn_sleep(RN_MILLISECOND);
    if (rn_num_goroutines() > 1 || rn_num_contexts() > 0) {
        fprintf(stderr, "%zu goroutines, %zu contexts left\n", rn_num_goroutines(), rn_num_contexts());
        return UNCLEAN;
    }
    return failed ? SURVIVED : NOTHING_FAILED;
}

/* After so many seconds this process prints its goroutines and dies. */
static void limit_time(time_t seconds)
{
    struct sigevent quit = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGQUIT};
    struct itimerspec after = {.it_value.tv_sec = seconds};
    timer_t timer;
    REQUIRE(timer_create(CLOCK_MONOTONIC, &quit, &timer) == 0);
    REQUIRE(timer_settime(timer, 0, &after, NULL) == 0);
}

/* In the child: never returns. */
static void run_round(struct round *r, int errors)
{
    enum { SECONDS = 30 };
    dup2(errors, STDERR_FILENO);
    limit_time(SECONDS);
    rn__fault_arm(r->nth, r->onwards);
    exit(rn_run(run_twice, r));
}

static bool reported_cleanly(int status, const char *errors)
{
    if (!WIFEXITED(status))
        return false;
    if (WEXITSTATUS(status) == DIED)
        return tells_shortage(errors) && !strstr(errors, "deadlock") && !strstr(errors, "runtime error");
    return WEXITSTATUS(status) == SURVIVED || WEXITSTATUS(status) == NOTHING_FAILED;
}

/* Forks one round; returns whether more are to come. */
static bool one_round(struct round *r)
{
    static char text[16384];
    int status, errors = memfd_create("stderr", MFD_CLOEXEC);
    REQUIRE(errors >= 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
        run_round(r, errors);
    REQUIRE(waitpid(child, &status, 0) == child);
    ssize_t n = pread(errors, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(errors);
    if (!reported_cleanly(status, text))
        FAIL("request %llu%s failing: status %#x; stderr:\n%s", (unsigned long long)r->nth,
             r->onwards ? " and later" : "", (unsigned)status, text);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == NOTHING_FAILED);
}

/* All rounds for a piece of program. */
static void each_request_fails(void (*piece)(void))
{
    enum { MOST = 3000, STEP_ONWARDS = 3 };
    struct round r = {.piece = piece, .nth = 1, .onwards = false};
    while (one_round(&r) && r.nth < MOST)
        r.nth++;
    CHECK(r.nth < MOST);
    uint64_t last = r.nth;
    r.onwards = true;
    for (r.nth = 1; r.nth < last; r.nth += STEP_ONWARDS)
        one_round(&r);
}

/* A test that does so with the block that follows. */
#define FAULT_TEST(name)                  \
    static void name##_piece(void);       \
    TEST_PLAIN(name)                      \
    {                                     \
        each_request_fails(name##_piece); \
    }                                     \
    static void name##_piece(void)

#endif
