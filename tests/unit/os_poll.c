/* The poller: edges, deadlines, wake-ups. */
#include "os/os.h"
#include <errno.h>
#include <runnel/test.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rn_os_event events[8];

static int poll_now(void)
{
    return rn_os_poll_wait(events, 8, 0);
}

TEST_PLAIN(a_socket_becomes_writable_then_readable)
{
    int pair[2];
    REQUIRE(rn_os_poll_open() == 0);
    REQUIRE(rn_os_poll_open() == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    CHECK_EQ(rn_os_poll_add(pair[0], 42), 0);
    REQUIRE(poll_now() == 1);
    CHECK_EQ(events[0].tag, 42);
    CHECK_EQ(events[0].ready, RN_POLL_WRITE);
    CHECK_EQ(poll_now(), 0); /* an edge is told once */
    REQUIRE(write(pair[1], "x", 1) == 1);
    REQUIRE(poll_now() == 1);
    CHECK(events[0].ready & RN_POLL_READ);
    close(pair[1]);
    REQUIRE(poll_now() == 1);
    CHECK_EQ(events[0].ready, RN_POLL_READ | RN_POLL_WRITE | RN_POLL_HANGUP);
    CHECK_EQ(rn_os_poll_del(pair[0]), 0);
    CHECK_EQ(rn_os_poll_del(pair[0]), -ENOENT);
    close(pair[0]);
    rn_os_poll_close();
    rn_os_poll_close();
}

TEST_PLAIN(errors_are_returned)
{
    REQUIRE(rn_os_poll_open() == 0);
    CHECK_EQ(rn_os_poll_add(-1, 1), -EBADF);
    int file = open("/proc/self/exe", O_RDONLY);
    CHECK_EQ(rn_os_poll_add(file, 1), -EPERM); /* files are always ready */
    close(file);
    rn_os_poll_close();
}

TEST_PLAIN(a_wait_lasts_until_its_deadline)
{
    REQUIRE(rn_os_poll_open() == 0);
    for (rn_duration d = 1000; d < 5 * RN_MILLISECOND; d *= 7) {
        rn_time until = rn_os_now() + d;
        while (rn_os_now() < until)
            CHECK_EQ(rn_os_poll_wait(events, 8, until), 0);
    }
    rn_os_poll_close();
}

TEST_PLAIN(a_wake_before_the_wait_ends_exactly_one_wait)
{
    REQUIRE(rn_os_poll_open() == 0);
    for (int i = 0; i < 3; i++) {
        rn_os_poll_wake();
        rn_os_poll_wake();
        CHECK_EQ(rn_os_poll_wait(events, 8, INT64_MAX), 0);
        rn_time until = rn_os_now() + RN_MILLISECOND;
        CHECK_EQ(rn_os_poll_wait(events, 8, until), 0);
        CHECK(rn_os_now() >= until);
    }
    rn_os_poll_close();
}

static rn_atomic(uint32_t) rounds;

static void *wake_often(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < 2000; i++) {
        rn_os_poll_wake();
        while (rn_load_relaxed(&rounds) == i) /* relaxed: a counter */
            rn_os_yield();
    }
    return NULL;
}

TEST_PLAIN(no_wake_from_another_thread_is_lost)
{
    pthread_t thread;
    rn_os_init();
    REQUIRE(rn_os_poll_open() == 0);
    REQUIRE(rn_os_thread_start(&thread, wake_often, NULL, "waker") == 0);
    for (uint32_t i = 0; i < 2000; i++) {
        CHECK_EQ(rn_os_poll_wait(events, 8, INT64_MAX), 0);
        rn_add_relaxed(&rounds, 1); /* relaxed: a counter */
    }
    pthread_join(thread, NULL);
    rn_os_poll_close();
}

TEST_PLAIN(many_ready_descriptors_come_in_portions)
{
    enum { PIPES = 20 };
    int pipes[PIPES][2], seen = 0;
    REQUIRE(rn_os_poll_open() == 0);
    for (int i = 0; i < PIPES; i++) {
        REQUIRE(pipe(pipes[i]) == 0);
        REQUIRE(write(pipes[i][1], "x", 1) == 1);
        CHECK_EQ(rn_os_poll_add(pipes[i][0], (uint64_t)i + 1), 0);
    }
    for (int n; (n = poll_now()) > 0;)
        seen += n;
    CHECK_EQ(seen, PIPES);
    rn_os_poll_close();
}

static rn_atomic(bool) over;

static void *wake_always(void *arg)
{
    while (!rn_load_relaxed(&over)) { /* relaxed: until it is seen */
        rn_os_poll_wake();
        rn_cpu_rest(20);
    }
    return arg;
}

/* A plain thread that starts a timer while its run ends comes late to the eventfd: what has got its number by then is the
 * program's.  (It was written to that.) */
TEST_PLAIN(a_wake_that_comes_late_is_written_nowhere)
{
    enum { NUMBERS = 2 };
    pthread_t thread;
    int late = 0;
    rn_os_init();
    REQUIRE(rn_os_thread_start(&thread, wake_always, NULL, "waker") == 0);
    for (rn_time until = rn_os_now() + 200 * RN_MILLISECOND; late == 0 && rn_os_now() < until;) {
        int own[NUMBERS];
        uint64_t count;
        REQUIRE(rn_os_poll_open() == 0);
        rn_os_poll_close();
        for (int n = 0; n < NUMBERS; n++)
            REQUIRE((own[n] = eventfd(0, EFD_NONBLOCK)) >= 0);
        rn_os_yield();
        for (int n = 0; n < NUMBERS; n++) {
            late += read(own[n], &count, sizeof count) > 0;
            close(own[n]);
        }
    }
    rn_store_relaxed(&over, true); /* relaxed: as above */
    pthread_join(thread, NULL);
    CHECK_EQ(late, 0);
}
