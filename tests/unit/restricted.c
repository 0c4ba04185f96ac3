/* System calls that a filter forbids, or that the kernel is too old for: what can't be done without is named, and ends the
 * program; all else is done in another way, or not at all. */
#define _GNU_SOURCE 1
#include "../emulated.h"
#include "base/sanitizers.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ANY = -1, GUARD_INSTALL = 102 };

/* A call, or that call with this for its argument of that number, fails for all threads of this process from now on. */
static void forbid(unsigned call, int arg, unsigned value, unsigned err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, arg == ANY ? 2 : 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + (arg == ANY ? 0 : 8 * (unsigned)arg)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof code[0], code};
    if (emulated() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
        rn_test_skip("no such filters here");
}

#ifndef RN_TSAN /* which uses no membarrier */
/* A program that locks itself in when it has begun.  (It was ended by SIGABRT, without a word.) */
TEST_DIES(membarrier_is_forbidden_when_it_is_in_use, 2, "fatal error: membarrier")
{
    forbid(SYS_membarrier, ANY, 0, EPERM);
    rn_sleep(RN_MILLISECOND); /* whoever goes to sleep needs it */
}
#endif

/* ---- threads ---- */

#ifdef SYS_clone3
static int has_begun(void)
{
    return 0;
}

/* Docker's profile before 20.10.10; glibc tries clone only where clone3 does not exist.  (The message was "rn_run: no thread
 * for the monitor: Operation not permitted".) */
TEST_PLAIN_DIES(clone3_is_forbidden, 2, "Operation not permitted (a seccomp filter forbids clone3, it seems: ")
{
    forbid(SYS_clone3, ANY, 0, EPERM);
    (void)rn_run(has_begun);
}
#endif

/* ---- the poller ---- */

static void forbid_waiting(void)
{
#ifdef SYS_epoll_wait
    forbid(SYS_epoll_wait, ANY, 0, EPERM);
#endif
    forbid(SYS_epoll_pwait, ANY, 0, EPERM);
    forbid(SYS_epoll_pwait2, ANY, 0, EPERM);
}

static void waits_for_a_byte(rn_conn *c)
{
    char byte;
    net_set_read_deadline(c, rn_now() + RN_SECOND);
    (void)net_read(c, &byte, 1);
}

/* Nothing was said, and nobody woke. */
TEST_DIES(epoll_wait_is_forbidden, 2, "fatal error: epoll_wait")
{
    rn_conn *a, *b;
    REQUIRE(net_pair(&a, &b) == 0);
    forbid_waiting();
    waits_for_a_byte(a);
}

/* Whatever a filter has it say: there is epoll_wait. */
TEST(epoll_pwait2_is_forbidden)
{
    rn_conn *a, *b;
    char byte;
    REQUIRE(net_pair(&a, &b) == 0);
    forbid(SYS_epoll_pwait2, ANY, 0, EINVAL);
    net_set_read_deadline(a, rn_now() + RN_MILLISECOND);
    CHECK_EQ(net_read(a, &byte, 1), RN_ETIMEOUT);
    net_free(a);
    net_free(b);
}

static void close_what_is(const char *name)
{
    char path[64], what[64];
    for (int fd = 3; fd < 100; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, what, sizeof what - 1);
        what[n > 0 ? n : 0] = 0;
        if (strcmp(what, name) == 0)
            close(fd);
    }
}

/* The same, as by closefrom. */
TEST_DIES(the_poller_is_closed, 2, "fatal error: the program has closed a descriptor")
{
    rn_conn *a, *b;
    REQUIRE(net_pair(&a, &b) == 0);
    go(waits_for_a_byte, a);
    rn_sleep(RN_MILLISECOND);
    close_what_is("anon_inode:[eventpoll]");
    rn_sleep(RN_SECOND);
}

static void is_busy(rn_duration d)
{
    for (rn_time start = rn_now(); rn_now() - start < d;)
        continue;
}

/* A timer that comes before all others wakes the poller that sleeps for these. */
TEST_DIES(the_wake_up_is_closed, 2, "fatal error: the program has closed a descriptor")
{
    rn_conn *a, *b;
    rn_set_procs(2);
    REQUIRE(net_pair(&a, &b) == 0);
    go(waits_for_a_byte, a);
    close_what_is("anon_inode:[eventfd]");
    for (int i = 0; i < 20; i++) {
        is_busy(10 * RN_MILLISECOND);
        chan_recv(rn_after(RN_MILLISECOND));
    }
}

/* ---- writing to a pipe ---- */

enum { NO_SIGNAL = 0x100 /* RWF_NOSIGNAL */ };

static void writes_and_finds_nobody(void)
{
    rn_conn *r, *w;
    char byte = 0;
    REQUIRE(rn_pipe(&r, &w) == 0);
    CHECK_EQ(net_write(w, "x", 1), 1);
    CHECK_EQ(net_read(r, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    net_free(r);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(net_write(w, "x", 1), -EPIPE); /* and no SIGPIPE */
    net_free(w);
}

/* Linux before 6.18, and filters. */
TEST(a_write_without_sigpipe_is_unknown)
{
    forbid(SYS_pwritev2, 5, NO_SIGNAL, EOPNOTSUPP);
    writes_and_finds_nobody();
}

TEST(a_write_without_sigpipe_is_forbidden)
{
    forbid(SYS_pwritev2, ANY, 0, EPERM);
    writes_and_finds_nobody();
}

/* What knows no flags is written to all the same, and pipes by the flag afterwards. */
TEST(an_eventfd_as_a_connection)
{
    rn_conn *c;
    uint64_t one = 1, got = 0;
    REQUIRE(rn_conn_of_fd(eventfd(0, EFD_CLOEXEC), &c) == 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(net_write(c, &one, sizeof one), sizeof one);
    CHECK_EQ(net_read(c, &got, sizeof got), sizeof got);
    CHECK_EQ(got, 2);
    net_free(c);
    writes_and_finds_nobody();
}

#if !defined(RN_TSAN) && !defined(RN_ASAN) /* whose own write it is */
/* Each write to a pipe blocked SIGPIPE and let it through again: two system calls more. */
TEST(a_write_to_a_pipe_is_one_call)
{
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    if (syscall(SYS_pwritev2, fds[1], &(struct iovec){(char[]){"x"}, 1}, 1, -1L, -1L, NO_SIGNAL) != 1)
        rn_test_skip("Linux before 6.18");
    close(fds[0]);
    close(fds[1]);
    forbid(SYS_rt_sigprocmask, ANY, 0, EPERM); /* without it SIGPIPE would kill */
    writes_and_finds_nobody();
}
#endif

/* ---- stacks that are put away ---- */

static void wait_with_a_local(chan(rn_unit) c, int i, int *sum)
{
    volatile int mine = i;
    chan_recv(c);
    *sum += mine; /* on one processor */
}

static void waits_for_long(void)
{
    enum { N = 300 };
    int sum = 0;
    chan(rn_unit) c = chan_make(rn_unit, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < N; i++)
        wg_go(&wg, wait_with_a_local, c, i, &sum);
    rn_sleep(100 * RN_MILLISECOND);
    chan_close(c);
    wg_wait(&wg);
    CHECK_EQ(sum, N * (N - 1) / 2);
    chan_free(c);
}

static void put_away_soon(void)
{
    setenv("RUNNEL_HIBERNATE", "5", 1);
    rn_set_procs(1);
    rn_run(waits_for_long);
}

/* Linux before 6.13.  (The first of two ways that were tried left the page protected, and the other one wrote to it.) */
TEST_PLAIN(no_guards)
{
    forbid(SYS_madvise, 2, GUARD_INSTALL, EINVAL);
    put_away_soon();
}

#if !defined(RN_TSAN) && !defined(RN_ASAN) /* which have too many mappings of their own */
static void waits(chan(rn_unit) c, rn_waitgroup *wg)
{
    chan_recv(c);
    wg_done(wg);
}

/* Guards took all mappings that a process may have (65,530), so that there was none for the stacks that came after them. */
TEST(more_goroutines_than_guards)
{
    enum { N = 60000 };
    chan(rn_unit) c = chan_make(rn_unit, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    forbid(SYS_madvise, 2, GUARD_INSTALL, EINVAL);
    wg_add(&wg, N);
    for (int i = 0; i < N; i++)
        CHECK_EQ(rn_go_try(waits, c, &wg), 0);
    chan_close(c);
    wg_wait(&wg);
    chan_free(c);
}
#endif

TEST_PLAIN(no_copy_in_the_place_of_a_guard)
{
    forbid(SYS_ioctl, 1, UFFDIO_COPY, EINVAL);
    put_away_soon();
}
