/* SEMANTICS 38 (and the format of 39): an unrecovered panic ends the program with the message, all goroutines' states
 * and traces, status 2. */
#include <runnel.h>
#include <runnel/test.h>
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Sanitizers report faults themselves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static void receiver(chan(int) c)
{
    chan_recv(c);
}

static void sender(chan(int) c)
{
    chan_send(c, 1);
}

static void say(void *text)
{
    fputs(text, stderr);
}

static void raise_text(void *text)
{
    rn_panic("%s", (const char *)text);
}

TEST_DIES(prints_message_and_trace, 2, "panic: broken 7\n\ngoroutine 1 [running]:\nprints_message_and_trace_body\n\t")
{
    rn_panic("broken %d", 7);
}

TEST_DIES(names_the_line, 2, "38_panic_report.c:48\n")
{
    rn_panic("here");
}

static void fails(void)
{
    rn_panic("in a goroutine");
}

TEST_DIES(shows_who_started_it, 2, " [running]:\nfails\n\t")
{
    go(fails);
    rn_sleep(RN_HOUR);
}

TEST_DIES(created_by, 2, "\ncreated by created_by_body in goroutine 1\n\t")
{
    go(fails);
    rn_sleep(RN_HOUR);
}

TEST_DIES(lists_the_others, 2, " [chan receive]:\nreceiver\n\t")
{
    chan(int) c = chan_make(int, 0);
    go(receiver, c);
    for (int i = 0; i < 100; i++)
        rn_yield();
    rn_panic("listing");
}

TEST_DIES(lists_senders, 2, " [chan send]:\nsender\n\t")
{
    chan(int) c = chan_make(int, 0), d = chan_make(int, 0);
    go(receiver, c);
    go(sender, d);
    while (rn_num_goroutines() < 3)
        rn_yield();
    for (int i = 0; i < 100; i++)
        for (int i = 0; i < 100; i++)
            rn_yield();
    rn_panic("listing");
}

static void linger(rn_duration d)
{
    rn_sleep(d);
}

static void fails_when_told(rn_waitgroup *wg)
{
    defer(linger, 2 * RN_MILLISECOND);
    defer(wg_done, wg);
    rn_panic("after main");
}

TEST_DIES(main_waits_for_a_panic_that_let_it_go, 2, "panic: after main\n\ngoroutine ")
{
    static rn_waitgroup wg;
    wg_add(&wg, 1);
    go(fails_when_told, &wg);
    wg_wait(&wg);
}

static void waits_while_it_fails(chan(int) c)
{
    defer(receiver, c);
    rn_panic("never told");
}

static int returns_beside_it(chan(int) c)
{
    go(waits_while_it_fails, c);
    rn_sleep(RN_MILLISECOND);
    return 7;
}

TEST_PLAIN(main_does_not_wait_for_ever)
{
    chan(int) c = chan_make(int, 0);
    CHECK_EQ(rn_run(returns_beside_it, c), 7);
    chan_free(c);
}

TEST_DIES(both_panics, 2, "panic: first\n\tpanic: second\n\ngoroutine 1 [running]:\n")
{
    defer(raise_text, "second");
    rn_panic("first");
}

static void recover_and_raise(void *text)
{
    (void)rn_recover();
    rn_panic("%s", (const char *)text);
}

TEST_DIES(recovered_and_raised, 2, "panic: first [recovered]\n\tpanic: second\n\n")
{
    defer(recover_and_raise, "second");
    rn_panic("first");
}

TEST_DIES(raised_again, 2, "panic: same [recovered, repanicked]\n\ngoroutine 1 [running]:\n")
{
    defer(recover_and_raise, "same");
    rn_panic("same");
}

/* A deferred call that is fatal does not hide why it ran. */
TEST_DIES(fatal_in_a_panic, 2,
          "panic: first\n\tfatal error: sync: unlock of unlocked mutex\n\ngoroutine 1 [running]:\n")
{
    rn_mutex mu = RN_MUTEX_INIT;
    defer(mutex_unlock, &mu);
    rn_panic("first");
}

TEST_DIES(fatal_after_a_panic_was_raised_again, 2,
          "panic: same [recovered, repanicked]\n\tfatal error: sync: unlock of unlocked mutex\n\n")
{
    rn_mutex mu = RN_MUTEX_INIT;
    defer(mutex_unlock, &mu);
    defer(recover_and_raise, "same");
    rn_panic("same");
}

static void recovers(void *arg)
{
    (void)arg, (void)rn_recover();
}

static void recovered_before(void)
{
    defer(recovers, NULL);
    rn_panic("gone");
}

TEST_DIES(fatal_in_an_exit, 2, "before\nfatal error: sync: unlock of unlocked mutex\n\n")
{
    rn_mutex mu = RN_MUTEX_INIT;
    recovered_before();
    defer(mutex_unlock, &mu);
    fputs("before\n", stderr);
    rn_exit_goroutine();
}

TEST_DIES(lines_are_set_in, 2, "panic: one\n\ttwo\n\n")
{
    rn_panic("one\ntwo");
}

TEST_DIES(deferred_calls_run_first, 2, "cleaned up\npanic: after\n")
{
    defer(say, "cleaned up\n");
    rn_panic("after");
}

TEST_DIES(named, 2, "\n\ngoroutine 1 \"boss\" [running]:\n")
{
    rn_set_name("boss");
    rn_panic("named");
}

TEST_DIES(fatal, 2, "fatal error: no way 3\n\ngoroutine 1 [running]:\nfatal_body\n\t")
{
    rn_fatal("no way %d", 3);
}

static void not_recovered(void *arg)
{
    (void)arg;
    (void)rn_recover();
}

TEST_DIES(fatal_cannot_be_recovered, 2, "fatal error: final\n")
{
    defer(not_recovered, NULL);
    rn_fatal("final");
}

TEST_DIES(quit_prints_the_same, 2, "SIGQUIT: quit\n\ngoroutine 1 [running]:\n")
{
    raise(SIGQUIT);
}

static void assert_late(chan(int) c)
{
    assert(chan_recv(c) == 2);
}

static void fail_elsewhere(void)
{
    chan(int) c = chan_make(int, 0);
    go(assert_late, c);
    chan_send(c, 1);
    (void)chan_recv(c);
}

TEST_DIES(an_assertion_is_reported, 128 + SIGABRT, "SIGABRT: abort\n\ngoroutine 2 [running]:\n")
{
    fail_elsewhere();
}

TEST_DIES(an_assertion_is_reported_with_its_function, 128 + SIGABRT, "\nassert_late\n\t")
{
    fail_elsewhere();
}

/* What watches over a service ends it so when it does not answer. */
TEST_DIES(an_abort_from_outside_is_reported, 128 + SIGABRT, "SIGABRT: abort\n\ngoroutine 1 [")
{
    kill(getpid(), SIGABRT);
    rn_sleep(RN_MINUTE);
}

#ifndef SANITIZED
/* With libc's lock for the heap held. */
TEST_DIES(an_abort_within_free, 128 + SIGABRT, "SIGABRT: abort\n\ngoroutine 1 [running]:\n")
{
    enum { NEITHER_CACHED_NOR_MAPPED = 5000 };
    void *volatile p = malloc(NEITHER_CACHED_NOR_MAPPED);
    free(p);
    free(p);
}
#endif

#ifndef SANITIZED
TEST_DIES(fault, 128 + SIGSEGV,
          "unexpected fault address 0x10\nfatal error: fault\n[signal SIGSEGV: segmentation "
          "violation]\n\ngoroutine 1 [running]:\nfault_body\n\t")
{
    int *volatile p = (int *)16;
    *p = 1;
}

#ifdef __x86_64__ /* elsewhere nothing traps at a division, and what does at a trap is SIGTRAP */
static int zero(void)
{
    return 0;
}

TEST_DIES(division_by_zero, 128 + SIGFPE,
          "fatal error: fault\n[signal SIGFPE: division by zero, or another arithmetic error]\n\ngoroutine 1 "
          "[running]:\ndivision_by_zero_body\n\t")
{
    int (*volatile by)(void) = zero;
    CHECK(10 / by() == 0);
}

/* Where clang's -fsanitize-trap and __builtin_trap end. */
TEST_DIES(a_trap, 128 + SIGILL,
          "fatal error: fault\n[signal SIGILL: illegal instruction, or a trap of the compiler's]\n\ngoroutine 1 "
          "[running]:\na_trap_body\n\t")
{
    __asm__ volatile("ud2");
}
#endif

/* Where no goroutine runs. */
TEST_DIES(
    fault_of_a_worker, 128 + SIGSEGV,
    "fatal error: fault\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 1 [sleep]:\nfault_of_a_worker_body\n")
{
    enum { WHAT_IT_CALLS = 32 };
    static rn_timer t;
    rn_timer_init(&t, RN_MILLISECOND);
    *(uintptr_t *)(void *)((char *)&t + WHAT_IT_CALLS) = 2;
    rn_sleep(RN_SECOND);
}
#endif

TEST_DIES(nobody_is_awake, 2,
          "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive (nil chan)]:\n"
          "nobody_is_awake_body\n\t")
{
    chan(int) never = NULL;
    chan_recv(never);
}

TEST_PLAIN_DIES(without_a_run, 2, "panic: before any run\n\n")
{
    rn_panic("before any run");
}

#ifndef SANITIZED /* it has its own way to end a thread */
static void ends_its_thread(void)
{
    pthread_exit(NULL);
}

TEST_DIES(pthread_exit_in_main, 2, "fatal error: pthread_exit in goroutine 1: ")
{
    ends_its_thread();
}

TEST_DIES(pthread_exit_in_another, 2, "fatal error: pthread_exit in goroutine ")
{
    go(ends_its_thread);
    rn_sleep(RN_HOUR);
}
#endif

#ifndef SANITIZED
#include <setjmp.h>

static jmp_buf there;

static void jumps(void)
{
    _longjmp(there, 1);
}

/* Whose frames they are was to be guessed. */
TEST_DIES(a_jump_to_another_goroutine, 2, "\truns on the stack of goroutine 1: longjmp")
{
    if (_setjmp(there) != 0)
        rn_panic("on a stack that is another's");
    go(jumps);
    rn_sleep(RN_SECOND);
}
#endif
