/* SEMANTICS 4: a goroutine that computes or blocks in a system call does not keep others from
 * running, also with one processor. */
#include <runnel.h>
#include <runnel/test.h>
#include <netdb.h>
#include <time.h>
#include <unistd.h>

static rn_atomic_bool stop, up;

static void compute(void)
{
    rn_atomic_store(&up, true);
    while (!rn_atomic_load(&stop))
        ;
}

static void wait_until_up(void)
{
    while (!rn_atomic_load(&up))
        rn_yield();
}

static void echo(chan(int) in, chan(int) out)
{
    for (int v; chan_next(in, &v);)
        chan_send(out, v);
    chan_close(out);
}

static void others_go_on(void)
{
    chan(int) in = chan_make(int, 0), out = chan_make(int, 0);
    go(echo, in, out);
    for (int i = 0; i < 1000; i++) {
        chan_send(in, i);
        CHECK_EQ(chan_recv(out), i);
    }
    rn_time t = rn_now();
    rn_sleep(RN_MILLISECOND);
    CHECK(rn_since(t) < 500 * RN_MILLISECOND);
    chan_close(in);
    chan_recv(out); /* echo has seen the end of both */
    chan_free(in);
    chan_free(out);
}

TEST(beside_a_loop_without_end)
{
    rn_set_procs(1);
    rn_atomic_store(&stop, false);
    rn_atomic_store(&up, false);
    go(compute);
    wait_until_up();
    others_go_on();
    rn_atomic_store(&stop, true);
}

static void sleeps(int fd, chan(int) out)
{
    char c;
    rn_atomic_store(&up, true);
    chan_send(out, (int)read(fd, &c, 1));
}

/* The call ends only once the others have gone on. */
TEST(beside_a_sleeping_system_call)
{
    rn_set_procs(1);
    rn_atomic_store(&up, false);
    int fd[2];
    REQUIRE(pipe(fd) == 0);
    chan(int) out = chan_make(int, 0);
    go(sleeps, fd[0], out);
    wait_until_up();
    others_go_on();
    REQUIRE(write(fd[1], "", 1) == 1);
    CHECK_EQ(chan_recv(out), 1);
    close(fd[0]);
    close(fd[1]);
    chan_free(out);
}

static void looks_up(chan(int) out)
{
    struct addrinfo *a = NULL;
    int err = getaddrinfo("localhost", "80", NULL, &a);
    if (!err)
        freeaddrinfo(a);
    chan_send(out, err);
}

TEST(getaddrinfo_in_many)
{
    rn_set_procs(1);
    chan(int) out = chan_make(int, 0);
    for (int i = 0; i < 20; i++)
        go(looks_up, out);
    others_go_on();
    for (int i = 0; i < 20; i++)
        chan_recv(out);
    chan_free(out);
}

static void reads(int fd, chan(int) out)
{
    char c;
    rn_blocking_enter();
    ssize_t n = read(fd, &c, 1);
    rn_blocking_leave();
    chan_send(out, (int)n);
}

TEST(announced_calls_hand_off_at_once)
{
    rn_set_procs(1);
    int fd[2];
    REQUIRE(pipe(fd) == 0);
    chan(int) out = chan_make(int, 0);
    for (int i = 0; i < 50; i++)
        go(reads, fd[0], out);
    others_go_on();
    char c[50] = {0};
    REQUIRE(write(fd[1], c, 50) == 50);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(chan_recv(out), 1);
    close(fd[0]);
    close(fd[1]);
    chan_free(out);
}

static void burn(rn_waitgroup *wg, rn_duration d)
{
    for (rn_time t = rn_now(); rn_since(t) < d;)
        ;
    wg_done(wg);
}

TEST(timers_fire_beside_many_that_compute)
{
    rn_set_procs(1);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 4);
    for (int i = 0; i < 4; i++)
        go(burn, &wg, 100 * RN_MILLISECOND);
    rn_time t = rn_now();
    rn_sleep(5 * RN_MILLISECOND);
    CHECK(rn_since(t) < 380 * RN_MILLISECOND); /* in turn it would be 400 */
    wg_wait(&wg);
}

static void ping(chan(int) a, chan(int) b)
{
    for (int v; chan_next(a, &v);)
        chan_send(b, v);
}

static rn_atomic_int64 turns;

static void takes_turns(void)
{
    while (!rn_atomic_load(&stop)) {
        rn_atomic_add(&turns, 1);
        rn_yield();
    }
}

TEST(a_ping_pong_starves_neither_timers_nor_the_queue)
{
    rn_set_procs(1);
    rn_atomic_store(&stop, false);
    static chan(int) a, b; /* in use to the end */
    a = chan_make(int, 0);
    b = chan_make(int, 0);
    go(ping, a, b);
    go(ping, b, a);
    chan_send(a, 1); /* goes round for ever */
    go(takes_turns);
    rn_time t = rn_now();
    for (int i = 0; i < 20; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK(rn_since(t) < 2 * RN_SECOND);
    CHECK(rn_atomic_load(&turns) > 20);
    rn_atomic_store(&stop, true);
}

/* Whoever is woken by one that then computes runs on the other processor, also after the two have been handing over
 * for long, so that nobody expects it.  Without that it would be the monitor's turn, after a time slice of 10 ms.  Counted is
 * the processor time of the one that computes, and one time of three is enough: other programs may want both. */
static rn_atomic_bool woken;

static void notes(chan(int) in, chan(int) out)
{
    for (int v; chan_next(in, &v);) {
        rn_atomic_store(&woken, true);
        chan_send(out, v);
    }
    chan_close(out);
}

static rn_duration thread_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * RN_SECOND + t.tv_nsec;
}

static bool is_woken_soon(chan(int) in, chan(int) out)
{
    for (int i = 0; i < 20000; i++) {
        chan_send(in, i);
        chan_recv(out);
    }
    rn_yield(); /* the other waits now */
    rn_atomic_store(&woken, false);
    chan_send(in, 0);
    rn_duration start = thread_time(), computed = 0;
    while (!rn_atomic_load(&woken) && computed < 5 * RN_MILLISECOND)
        computed = thread_time() - start;
    chan_recv(out);
    return computed < 5 * RN_MILLISECOND;
}

TEST(one_that_is_woken_runs_beside_a_waker_that_computes)
{
    rn_set_procs(2);
    chan(int) in = chan_make(int, 0), out = chan_make(int, 1);
    go(notes, in, out);
    int soon = 0;
    for (int i = 0; i < 60 && soon < 20; i++)
        soon += is_woken_soon(in, out);
    CHECK_EQ(soon, 20);
    chan_close(in);
    chan_recv(out); /* the other has seen the end of both */
    chan_free(in);
    chan_free(out);
}

/* Several pairs, so that the queue of those that have run is never empty: the new ones get their turns all the
 * same, be it a few or more than the processor's queues hold. */
static void counts(void)
{
    rn_atomic_add(&turns, 1);
}

static void starts_beside_pairs(int procs)
{
    static chan(int) a[8]; /* in use to the end */
    rn_set_procs(procs);
    rn_atomic_store(&turns, 0);
    for (int i = 0; i < 8; i++)
        a[i] = chan_make(int, 0);
    for (int i = 0; i < 8; i += 2) {
        go(ping, a[i], a[i + 1]);
        go(ping, a[i + 1], a[i]);
        chan_send(a[i], 1);
    }
    for (int many = 1; many < 1000; many += 333) {
        int64_t before = rn_atomic_load(&turns);
        for (int i = 0; i < many; i++)
            go(counts);
        while (rn_atomic_load(&turns) < before + many) /* ends by the test's time limit if one starves */
            rn_yield();
    }
}

TEST(new_goroutines_start_beside_pairs_that_wake_each_other)
{
    starts_beside_pairs(1);
}

TEST(new_goroutines_start_beside_pairs_on_two_processors)
{
    starts_beside_pairs(2);
}

static void nothing(void)
{
}

/* Starts goroutines until those that were started before have all had their turn; sends how many. */
static void starts_without_pause(int64_t until, chan(int64_t) out)
{
    int64_t n = 0;
    for (; rn_atomic_load(&turns) < until; n++)
        go(nothing);
    chan_send(out, n);
}

TEST(those_before_one_that_starts_others_without_pause_have_their_turns)
{
    enum { MANY = 100, MOST = 1000 * MANY };
    rn_set_procs(1);
    chan(int64_t) out = chan_make(int64_t, 0);
    rn_atomic_store(&turns, 0);
    for (int i = 0; i < MANY; i++)
        go(counts);
    go(starts_without_pause, MANY, out);
    CHECK(chan_recv(out) < MOST);
    chan_free(out);
}
