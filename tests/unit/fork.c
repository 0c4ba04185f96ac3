/* Children of fork: what needs other threads ends one that was made while a run was under way, and works in all others.
 * (The child waited for ever, or ran copies of the goroutines that its parent ran, too.) */
#define _GNU_SOURCE 1
#include "base/sanitizers.h"
#include <pthread.h>
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The status of a child that calls f(arg), and _exit(7) when it returns; what it says on stderr goes to text. */
static int child(void (*f)(void *), void *arg, char *text, size_t n)
{
    int to[2], status = -1;
    if (pipe(to) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(to[1], 2);
        f(arg);
        _exit(7);
    }
    close(to[1]);
    size_t got = 0;
    for (ssize_t r; (r = read(to[0], text + got, n - 1 - got)) > 0;)
        got += (size_t)r;
    text[got] = 0;
    close(to[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its runtime ends a child that starts threads when the parent had some; and with the detector more goes the slow way. */
#ifdef RN_TSAN
enum { WATCHED = 1 };
#else
enum { WATCHED = 0 };
#endif

static bool is_refused(void (*f)(void *), void *arg)
{
    char text[2000];
    int status = child(f, arg, text, sizeof text);
    const char *said = "fatal error: a child of fork uses what needs other threads";
    bool refused = status == 2 && strncmp(text, said, strlen(said)) == 0 && text[strlen(text) - 1] == '\n';
    if (!refused)
        FAIL("status %d, %s", status, text);
    return refused;
}

static bool is_done(void (*f)(void *), void *arg)
{
    char text[2000];
    int status = child(f, arg, text, sizeof text);
    if (status != 7)
        FAIL("status %d, %s", status, text);
    return status == 7;
}

static void receives(void *c)
{
    chan_recv((chan(int))c);
}

static void sleeps(void *unused)
{
    (void)unused;
    rn_sleep(RN_MILLISECOND);
}

static void nothing(void)
{
}

static void starts_one(void *unused)
{
    (void)unused;
    go(nothing);
    rn_yield();
}

static void yields(void *unused)
{
    (void)unused;
    rn_yield();
}

static int main_of_a_run(void)
{
    return 7;
}

static void runs(void *unused)
{
    (void)unused;
    _exit(rn_run(main_of_a_run));
}

static void uses_what_waits_for_nobody(void *unused)
{
    (void)unused;
    rn_mutex m = RN_MUTEX_INIT;
    mutex_lock(&m);
    mutex_unlock(&m);
    chan(int) c = chan_make(int, 1);
    chan_send(c, 3);
    _exit(chan_recv(c) == 3 ? 7 : 1);
}

static void executes(void *unused)
{
    (void)unused;
    execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
}

TEST(a_child_of_a_goroutine)
{
    chan(int) c = chan_make(int, 0);
    CHECK(is_refused(receives, c));
    CHECK(is_refused(sleeps, NULL));
    CHECK(is_refused(starts_one, NULL));
    CHECK(is_refused(yields, NULL));
    CHECK(WATCHED || is_done(uses_what_waits_for_nobody, NULL));
    CHECK(is_done(executes, NULL));
    chan_free(c);
}

static void *forks(void *c)
{
    CHECK(is_refused(receives, c));
    CHECK(is_refused(starts_one, NULL));
    CHECK(is_refused(runs, NULL));
    return NULL;
}

/* The first is the thread's first call of the library in the child, and later ones are not. */
static void *forks_as_one_that_is_known(void *c)
{
    sleeps(NULL);
    return forks(c);
}

TEST(a_child_of_a_plain_thread)
{
    chan(int) c = chan_make(int, 0);
    void *(*const as[])(void *) = {forks, forks_as_one_that_is_known};
    for (int i = 0; i < 2; i++) {
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, as[i], c) == 0);
        rn_blocking_enter();
        pthread_join(t, NULL);
        rn_blocking_leave();
    }
    chan_free(c);
}

TEST_PLAIN(a_child_that_is_made_between_runs)
{
    char text[4000];
    for (int i = 0; i < 3; i++) {
        CHECK((WATCHED && i > 0) || is_done(runs, NULL));
        CHECK(is_done(sleeps, NULL));
        CHECK_EQ(rn_run(main_of_a_run), 7);
    }
    chan(int) c = chan_make(int, 0);
    CHECK_EQ(child(receives, c, text, sizeof text), 2);
    CHECK(strstr(text, "fatal error: all threads are asleep - deadlock!"));
    chan_free(c);
}
