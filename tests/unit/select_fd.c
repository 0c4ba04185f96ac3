/* Descriptors as cases of a select, and pipes. */
#define _GNU_SOURCE 1
#include "../conformance/chan_inside.h"
#include "../quiet.h"
#include "../wakers.h"
#include "sched/sched.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <runnel/context.h>
#include <runnel/fd.h>
#include <runnel/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void put(int fd)
{
    uint64_t one = 1;
    REQUIRE(write(fd, &one, sizeof one) == sizeof one);
}

static void take(int fd)
{
    uint64_t n;
    REQUIRE(read(fd, &n, sizeof n) == sizeof n);
}

TEST(levels)
{
    int e = eventfd(0, 0); /* blocking: the descriptor is the user's */
    chan(int) c = chan_make(int, 1);
    int got = 0;
    CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_recv(c, NULL), on_default()), 2);
    CHECK_EQ(chan_select(on_fd(e, RN_FD_WRITE), on_recv(c, NULL), on_default()), 0);
    put(e);
    for (int i = 0; i < 3; i++) /* ready until somebody reads */
        CHECK_EQ(chan_select(on_recv(c, NULL), on_fd_ready(e, RN_FD_READ | RN_FD_WRITE, &got)), 1);
    CHECK_EQ(got, RN_FD_READ | RN_FD_WRITE);
    take(e);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_fd(e, RN_FD_READ), on_timeout(RN_MILLISECOND)), 2);
    got = 7;
    chan_send(c, 1);
    CHECK_EQ(chan_select(on_recv(c, NULL), on_fd_ready(e, RN_FD_READ, &got)), 0);
    CHECK_EQ(got, 7);
    close(e);
    chan_free(c);
}

TEST(what_is_no_descriptor_or_never_waits)
{
    int got = 0, file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK_EQ(chan_select(on_fd(file, RN_FD_READ), on_default()), 0);
    CHECK_EQ(chan_select(on_fd(null, RN_FD_READ)), 0);
    close(null);
    close(file);
    CHECK_EQ(chan_select(on_fd_ready(file, RN_FD_READ, &got)), 0);
    CHECK_EQ(got, -EBADF);
    CHECK_EQ(chan_select(on_fd(-1, RN_FD_READ), on_default()), 1);
    CHECK_EQ(chan_select(on_fd(-1, RN_FD_READ), on_timeout(RN_MILLISECOND)), 1);
}

static void put_when_asleep(int fd, chan(int) c)
{
    await_receivers(INSIDE(c), 1);
    put(fd);
}

static void send_when_asleep(chan(int) c)
{
    await_receivers(INSIDE(c), 1);
    chan_send(c, 5);
}

TEST(a_descriptor_wakes_a_select)
{
    int e = eventfd(0, 0), before = open_descriptors();
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 200; i++) {
        go(put_when_asleep, e, c);
        CHECK_EQ(chan_select(on_recv(c, NULL), on_fd(e, RN_FD_READ), on_timeout(RN_HOUR)), 1);
        CHECK(nobody_waits(INSIDE(c)));
        take(e);
    }
    CHECK_EQ(open_descriptors(), before);
    CHECK_EQ(rn_num_descriptors(), 0);
    await_no_wakers();
    close(e);
    chan_free(c);
}

TEST(a_channel_wakes_it_and_nothing_is_left)
{
    int e = eventfd(0, 0);
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 200; i++) {
        int v = 0;
        go(send_when_asleep, c);
        CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_recv(c, &v)), 1);
        CHECK_EQ(v, 5);
    }
    CHECK_EQ(rn_num_descriptors(), 0);
    await_no_wakers();
    close(e);
    chan_free(c);
}

TEST(contexts_and_timeouts_beside_descriptors)
{
    int e = eventfd(0, 0);
    rn_context *ctx = ctx_with_timeout(NULL, 2 * RN_MILLISECOND);
    CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_done(ctx), on_timeout(RN_HOUR)), 1);
    CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_done(ctx)), 1);
    CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_timeout(RN_MILLISECOND), on_timeout(RN_HOUR)), 1);
    CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_timeout(0)), 1);
    ctx_cancel(ctx);
    await_no_wakers();
    close(e);
}

TEST(all_kinds_of_descriptors)
{
    int pair[2], pipes[2], timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), watch = inotify_init1(IN_CLOEXEC);
    char dir[] = "/tmp/runnel-select-XXXXXX", byte;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipes) == 0 && mkdtemp(dir));
    REQUIRE(inotify_add_watch(watch, dir, IN_CREATE) >= 0);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK_EQ(chan_select(on_fd(pair[0], RN_FD_READ), on_fd(pipes[0], RN_FD_READ), on_fd(timer, RN_FD_READ),
                         on_fd(watch, RN_FD_READ), on_default()),
             4);
    struct itimerspec soon = {.it_value.tv_nsec = RN_MILLISECOND};
    timerfd_settime(timer, 0, &soon, NULL);
    CHECK_EQ(chan_select(on_fd(pair[0], RN_FD_READ), on_fd(pipes[0], RN_FD_READ), on_fd(timer, RN_FD_READ),
                         on_fd(watch, RN_FD_READ)),
             2);
    CHECK_EQ(chan_select(on_fd(terminal, RN_FD_WRITE), on_default()), 0);
    CHECK_EQ(write(pair[1], "x", 1), 1);
    CHECK_EQ(chan_select(on_fd(pair[0], RN_FD_READ), on_fd(pipes[0], RN_FD_READ)), 0);
    close(pipes[1]); /* the end of the stream is readiness */
    CHECK_EQ(chan_select(on_fd(pipes[0], RN_FD_READ), on_fd(watch, RN_FD_READ)), 0);
    CHECK_EQ(read(pipes[0], &byte, 1), 0);
    char path[64];
    snprintf(path, sizeof path, "%s/x", dir);
    close(open(path, O_CREAT | O_CLOEXEC, 0600));
    CHECK_EQ(chan_select(on_fd(watch, RN_FD_READ), on_timeout(RN_HOUR)), 0);
    unlink(path);
    rmdir(dir);
    int all[] = {pair[0], pair[1], pipes[0], timer, watch, terminal};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
}

/* Chosen uniformly: a descriptor and a channel that are both ready. */
TEST(a_fair_choice)
{
    int e = eventfd(1, 0), seen[2] = {0};
    chan(int) c = chan_make(int, 1);
    chan_send(c, 1);
    for (int i = 0; i < 2000; i++) {
        int k = chan_select(on_fd(e, RN_FD_READ), on_recv(c, NULL));
        seen[k]++;
        if (k == 1)
            chan_send(c, 1);
    }
    CHECK(seen[0] > 800 && seen[1] > 800);
    close(e);
    chan_free(c);
}

static void take_one(int fd, chan(int) done)
{
    while (chan_select(on_fd(fd, RN_FD_READ)) == 0) {
        uint64_t n;
        if (read(fd, &n, sizeof n) == sizeof n)
            break;
        CHECK_EQ(errno, EAGAIN);
    }
    chan_send(done, 1);
}

TEST(many_wait_for_one_descriptor)
{
    enum { MANY = 50 };
    int e = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
    chan(int) done = chan_make(int, MANY);
    for (int i = 0; i < MANY; i++)
        go(take_one, e, done);
    for (int i = 0; i < MANY; i++) {
        put(e);
        chan_recv(done);
    }
    CHECK_EQ(rn_num_descriptors(), 0);
    close(e);
    chan_free(done);
}

static void await_room(int fd, chan(int) done)
{
    chan_send(done, chan_select(on_fd(fd, RN_FD_WRITE)));
}

static void await_byte(int fd, chan(int) done)
{
    chan_send(done, chan_select(on_fd(fd, RN_FD_READ)));
}

/* An edge that came while nobody waited for it, and whose byte is gone, is no readiness, nor the end of it. */
TEST(an_edge_that_another_took)
{
    int pair[2];
    char bytes[4096] = {0};
    chan(int) room = chan_make(int, 0), byte = chan_make(int, 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    while (write(pair[0], bytes, sizeof bytes) > 0)
        continue;
    go(await_room, pair[0], room); /* keeps the descriptor watched */
    rn_sleep(20 * RN_MILLISECOND);
    REQUIRE(write(pair[1], "x", 1) == 1);
    rn_sleep(20 * RN_MILLISECOND);
    REQUIRE(read(pair[0], bytes, 1) == 1);
    go(await_byte, pair[0], byte);
    rn_sleep(20 * RN_MILLISECOND);
    REQUIRE(write(pair[1], "y", 1) == 1);
    CHECK_EQ(chan_select(on_recv(byte, NULL), on_timeout(10 * RN_SECOND)), 0);
    while (read(pair[1], bytes, sizeof bytes) > 0)
        continue;
    chan_recv(room);
    close(pair[0]);
    close(pair[1]);
    chan_free(room);
    chan_free(byte);
}

/* One that a connection of the library uses as well. */
TEST(a_connections_descriptor)
{
    rn_conn *r, *w;
    chan(int) c = chan_make(int, 0);
    REQUIRE(rn_pipe(&r, &w) == 0);
    int fd = rn_net_fd(r);
    char buf[8];
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(chan_select(on_fd(fd, RN_FD_READ), on_timeout(RN_MICROSECOND)), 1);
        CHECK_EQ(net_write(w, "abc", 3), 3);
        CHECK_EQ(chan_select(on_fd(fd, RN_FD_READ), on_recv(c, NULL)), 0);
        CHECK_EQ(net_read(r, buf, sizeof buf), 3);
    }
    net_free(r);
    net_free(w);
    chan_free(c);
    CHECK_EQ(rn_num_descriptors(), 0);
}

/* More descriptors than waiters fit into the frame. */
TEST(twenty_descriptors)
{
    enum { MANY = 20 };
    int e[MANY];
    chan(int) c = chan_make(int, 0);
    struct rn_case cases[MANY + 1];
    for (int i = 0; i < MANY; i++) {
        e[i] = eventfd(0, 0);
        cases[i] = on_fd(e[i], RN_FD_READ);
    }
    cases[MANY] = on_recv(c, NULL);
    for (int i = 0; i < MANY; i++) {
        go(put_when_asleep, e[i], c);
        CHECK_EQ(chan_select_array(cases, MANY + 1), i);
        take(e[i]);
    }
    for (int i = 0; i < MANY; i++)
        close(e[i]);
    chan_free(c);
}

/* No descriptor is left for the library: it finds out by looking. */
TEST(when_descriptors_run_out)
{
    rn_conn *r, *w;
    chan(int) c = chan_make(int, 0);
    REQUIRE(rn_pipe(&r, &w) == 0);
    CHECK_EQ(rn_fd_wait(rn_net_fd(r), RN_FD_READ, rn_now()), RN_ETIMEOUT); /* registered by its connection */
    net_set_read_deadline(r, rn_now() + RN_MICROSECOND);
    char byte;
    CHECK_EQ(net_read(r, &byte, 1), RN_ETIMEOUT);
    struct rlimit was, none;
    getrlimit(RLIMIT_NOFILE, &was);
    none = was;
    none.rlim_cur = (rlim_t)open_descriptors();
    int fd = rn_net_fd(r);
    setrlimit(RLIMIT_NOFILE, &none);
    while (dup(fd) >= 0)
        continue;
    go(put_when_asleep, rn_net_fd(w), c);
    CHECK_EQ(chan_select(on_fd(fd, RN_FD_READ), on_recv(c, NULL)), 0);
    setrlimit(RLIMIT_NOFILE, &was);
    net_set_read_deadline(r, 0);
    CHECK_EQ(net_read(r, &byte, 1), 1); /* so its writer is through with it before it is closed */
    net_free(r);
    net_free(w);
    chan_free(c);
}

/* Descriptors, channels, contexts and timeouts race; every value and every event is taken once. */
struct crowd {
    int e[4];
    chan(int) c;
    chan(rn_unit) done;
    rn_atomic(long) put, taken, sent, received;
};

static void take_some(struct crowd *w, rn_context *end)
{
    for (;;) {
        int v;
        struct rn_case cases[] = {on_fd(w->e[0], RN_FD_READ),     on_fd(w->e[1], RN_FD_READ), on_recv(w->c, &v),
                                  on_fd(w->e[2], RN_FD_READ),     on_fd(w->e[3], RN_FD_READ), on_done(end),
                                  on_timeout(50 * RN_MICROSECOND)};
        static const int which[] = {0, 1, -1, 2, 3, -1, -1};
        int k = chan_select_array(cases, 7);
        uint64_t n;
        if (k == 2)
            rn_add_relaxed(&w->received, 1);
        else if (k == 5)
            break;
        else if (k != 6 && read(w->e[which[k]], &n, sizeof n) == sizeof n)
            rn_add_relaxed(&w->taken, 1);
    }
    chan_send(w->done, RN_UNIT);
}

static void give_some(struct crowd *w, uint64_t seed, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        int k = (int)test_random_below(&seed, 5);
        if (k == 4) {
            chan_send(w->c, i);
            rn_add_relaxed(&w->sent, 1);
        } else {
            put(w->e[k]);
            rn_add_relaxed(&w->put, 1);
        }
    }
    chan_send(w->done, RN_UNIT);
}

TEST(a_crowd)
{
    enum { TAKERS = 6, GIVERS = 4, ROUNDS = 1500 };
    struct crowd w = {.c = chan_make(int, 0), .done = chan_make(rn_unit, 16)};
    rn_context *end = ctx_with_cancel(NULL);
    for (int i = 0; i < 4; i++)
        w.e[i] = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
    for (int i = 0; i < TAKERS; i++)
        go(take_some, &w, end);
    for (int i = 0; i < GIVERS; i++)
        go(give_some, &w, test_seed() + (uint64_t)i, ROUNDS);
    for (int i = 0; i < GIVERS; i++)
        chan_recv(w.done);
    while (rn_load_relaxed(&w.taken) < rn_load_relaxed(&w.put) ||
           rn_load_relaxed(&w.received) < rn_load_relaxed(&w.sent))
        rn_sleep(RN_MILLISECOND);
    ctx_cancel(end);
    for (int i = 0; i < TAKERS; i++)
        chan_recv(w.done);
    CHECK_EQ(w.taken, w.put);
    CHECK_EQ(w.received, w.sent);
    CHECK(nobody_waits(INSIDE(w.c)));
    CHECK_EQ(rn_num_descriptors(), 0);
    await_no_wakers();
    for (int i = 0; i < 4; i++)
        close(w.e[i]);
    chan_free(w.c);
    chan_free(w.done);
}

/* ---- plain threads ---------------------------------------------------------------------------------- */

struct pair {
    int e;
    chan(int) c;
};

static void *wait_as_a_thread(void *arg)
{
    struct pair *p = arg;
    CHECK_EQ(chan_select(on_fd(p->e, RN_FD_READ), on_recv(p->c, NULL)), 0);
    return NULL;
}

TEST(a_plain_thread)
{
    struct pair p = {eventfd(0, 0), chan_make(int, 0)};
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, wait_as_a_thread, &p) == 0);
    await_receivers(INSIDE(p.c), 1);
    put(p.e);
    pthread_join(t, NULL);
    close(p.e);
    chan_free(p.c);
}

TEST_PLAIN(without_a_run)
{
    int e = eventfd(1, 0);
    CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_default()), 0);
    take(e);
    CHECK_EQ(chan_select(on_fd(e, RN_FD_READ), on_default()), 1);
    EXPECT_PANIC("on_fd: a plain thread can't wait for a descriptor in a select while no rn_run is under way",
                 chan_select(on_fd(e, RN_FD_READ)));
    close(e);
}

/* ---- pipes ------------------------------------------------------------------------------------------ */

static void produce(rn_conn *w, size_t bytes)
{
    char *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (char)(i * 7 + i / 251);
    CHECK_EQ(net_write(w, data, bytes), bytes);
    free(data);
    net_free(w);
}

TEST(a_pipe_carries_more_than_it_holds)
{
    enum { BYTES = 3 << 20 };
    rn_conn *r, *w;
    REQUIRE(rn_pipe(&r, &w) == 0);
    go(produce, w, BYTES);
    static char buf[50000];
    size_t at = 0;
    for (ssize_t n; (n = net_read(r, buf, sizeof buf)) > 0;)
        for (ssize_t i = 0; i < n; i++, at++)
            if (buf[i] != (char)(at * 7 + at / 251))
                FAIL("byte %zu is wrong", at);
    CHECK_EQ(at, BYTES);
    net_free(r);
}

TEST(the_ends_of_a_pipe)
{
    rn_conn *r, *w;
    char byte;
    REQUIRE(rn_pipe(&r, &w) == 0);
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    CHECK_EQ(net_read_ctx(ctx, r, &byte, 1), RN_ETIMEOUT);
    ctx_cancel(ctx);
    net_set_read_deadline(r, rn_now() + RN_MILLISECOND);
    CHECK_EQ(net_read(r, &byte, 1), RN_ETIMEOUT);
    net_set_read_deadline(r, 0);
    CHECK_EQ(net_write(w, "x", 1), 1);
    CHECK_EQ(net_read(r, &byte, 1), 1);
    CHECK(fcntl(rn_net_fd(r), F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(rn_net_fd(w), F_GETFD) & FD_CLOEXEC);
    net_close(r);
    CHECK_EQ(net_read(r, &byte, 1), RN_ECLOSED);
    CHECK_EQ(net_write(w, "x", 1), -EPIPE); /* and no SIGPIPE */
    net_free(r);
    net_free(w);
}

TEST(descriptors_of_others_as_connections)
{
    int pair[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    rn_conn *a, *b;
    char buf[4];
    CHECK_EQ(rn_conn_of_fd(file, &a), -EPERM);
    close(file);
    CHECK_EQ(rn_conn_of_fd(file, &a), -EBADF);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    REQUIRE(rn_conn_of_fd(pair[0], &a) == 0 && rn_conn_of_fd(pair[1], &b) == 0);
    CHECK_EQ(net_write(a, "abc", 3), 3);
    CHECK_EQ(net_read(b, buf, 4), 3);
    net_free(b);
    CHECK_EQ(net_write(a, "abc", 3), -EPIPE);
    net_free(a);
}
