/* Hibernation: who is put away and who is not, and what else must work while stacks are away. */
#include <runnel.h>
#include <runnel/debug.h>
#include <runnel/fd.h>
#include <runnel/file.h>
#include <runnel/net.h>
#include <runnel/process.h>
#include <runnel/test.h>
#include "os/linux/internal.h"
#include "sched/rt.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef RN_HIBERNATES

__attribute__((constructor)) static void hibernate_soon(void)
{
    setenv("RUNNEL_HIBERNATE", "2", 1);
}

static void needs_the_kernel(void)
{
    if (!rn_os_away_begin())
        rn_test_skip("this kernel can't put stacks away");
}

/* Polls until n are away. */
static void wait_for_away(int n)
{
    while (rn_load_relaxed(&rn__hib_away) < n) /* relaxed: a count */
        rn_sleep(RN_MILLISECOND);
}

static bool is_away(struct rn_g *g)
{
    return rn_load_acquire(&g->hib) == RN_HIB_AWAY; /* pairs with the release in rn_hib_decide */
}

struct seat {
    struct rn_g *g;
    char *buf;
    chan(int) door;
};

static void sit(struct seat *s, rn_waitgroup *wg)
{
    char buf[200] = "nothing yet";
    s->g = rn__self();
    s->buf = buf;
    wg_done(wg);
    int n = chan_recv(s->door);
    CHECK_EQ(strlen(buf), n);
    wg_done(wg);
}

/* Until `away` of them are. */
static void take_seats_until(struct seat *seats, int n, rn_waitgroup *wg, int away)
{
    wg_add(wg, n);
    for (int i = 0; i < n; i++) {
        seats[i].door = chan_make(int, 0);
        go(sit, &seats[i], wg);
    }
    wg_wait(wg);
    wg_add(wg, n);
    wait_for_away(away);
}

static void take_seats(struct seat *seats, int n, rn_waitgroup *wg)
{
    take_seats_until(seats, n, wg, n);
}

TEST(those_away_are_counted)
{
    struct seat seats[40];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_stats s;
    needs_the_kernel();
    take_seats(seats, 40, &wg);
    rn_debug_stats(&s);
    CHECK_EQ(s.goroutines, 41);
    CHECK_EQ(s.hibernated, 40);
    for (int i = 0; i < 40; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&wg);
    rn_debug_stats(&s);
    CHECK_EQ(s.hibernated, 0);
}

TEST(one_that_waits_for_long_is_put_away_and_comes_back)
{
    struct seat seats[40];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    take_seats(seats, 40, &wg);
    for (int i = 0; i < 40; i++)
        CHECK(is_away(seats[i].g));
    CHECK_STR(seats[7].buf, "nothing yet");
    CHECK(!is_away(seats[7].g));
    strcpy(seats[7].buf, "by another");
    for (int i = 0; i < 40; i++)
        chan_send(seats[i].door, i == 7 ? 10 : 11);
    wg_wait(&wg);
}

TEST(system_calls_of_the_library_reach_a_stack_that_is_away)
{
    struct seat seats[3];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    rn_conn *in = NULL, *out = NULL;
    REQUIRE(rn_pipe(&in, &out) == 0);
    take_seats(seats, 3, &wg);
    CHECK_EQ(rn_net_write(out, seats[0].buf, 12), 12);
    CHECK(!is_away(seats[0].g));
    CHECK_EQ(rn_net_read(in, seats[1].buf, 12), 12);
    struct iovec piece = {seats[2].buf, 4};
    wait_for_away(1);
    CHECK_EQ(rn_net_writev(out, &piece, 1), 4);
    CHECK_EQ(rn_net_readv(in, &piece, 1), 4);
    CHECK_STR(seats[1].buf, "nothing yet");
    for (int i = 0; i < 3; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&wg);
    rn_net_close(in);
    rn_net_close(out);
}

/* So do those that open a file by its name.  (Of http's: tests/unit/http_away.c.) */
TEST(the_name_of_a_file_may_lie_on_a_stack_that_is_away)
{
    const char *const cat[] = {"cat", NULL};
    char dir[] = "/tmp/runnel-hibernate-XXXXXX";
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    struct seat seat;
    rn_output o;
    needs_the_kernel();
    REQUIRE(mkdtemp(dir) && chdir(dir) == 0);
    REQUIRE(rn_file_write_all("nothing yet", "hello", 5, 0600) == 0);
    take_seats(&seat, 1, &wg);
    CHECK_EQ(rn_process_output(&(rn_command){.argv = cat, .in = RN_STDIO_FILE(seat.buf)}, &o), 0);
    CHECK_STR(o.out ? o.out : "", "hello");
    rn_output_free(&o);
    chan_send(seat.door, 11);
    wg_wait(&wg);
    CHECK_EQ(rn_path_remove_all(dir), 0);
}

/* Held before a system call, it stays, however long it waits, until it has run. */
TEST(one_that_is_held_stays)
{
    struct seat seats[2];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    take_seats(seats, 2, &wg);
    rn__hib_hold(seats[0].buf, 200);
    CHECK_EQ(rn_load_relaxed(&seats[0].g->hib), RN_HIB_STAYS); /* relaxed: we have just set it */
    for (int i = 0; i < 20; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK_EQ(rn_load_relaxed(&seats[0].g->hib), RN_HIB_STAYS); /* relaxed: it has not run */
    CHECK(is_away(seats[1].g));
    for (int i = 0; i < 2; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&wg);
}

struct room {
    struct rn_g *g;
    char *buf;
    size_t bytes;
    chan(int) door;
};

/* A buffer that nothing was read into yet, between variables that are in use. */
static void sit_in_a_large_room(struct room *r, rn_waitgroup *wg)
{
    char before[40] = "before";
    char buf[r->bytes];
    char after[40] = "after";
    memset(buf, 0, sizeof buf);
    r->g = rn__self();
    r->buf = buf;
    wg_done(wg);
    int at = chan_recv(r->door);
    CHECK_STR(before, "before");
    CHECK_STR(after, "after");
    for (size_t i = 0; i < r->bytes; i++)
        if (buf[i] != (at >= 0 && i == (size_t)at ? 'x' : 0))
            rn_test_fail(__FILE__, __LINE__, "byte %zu of %zu is %d", i, r->bytes, buf[i]);
    wg_done(wg);
}

static void take_rooms(struct room *rooms, int n, rn_waitgroup *wg)
{
    wg_add(wg, n);
    for (int i = 0; i < n; i++) {
        rooms[i].bytes = 600 + 970 * (size_t)i; /* to 38 KiB */
        rooms[i].door = chan_make(int, 0);
        go(sit_in_a_large_room, &rooms[i], wg);
    }
    wg_wait(wg);
    wg_add(wg, n);
    wait_for_away(n);
}

static void empty_buffers(void)
{
    enum { N = 40 };
    struct room rooms[N];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    take_rooms(rooms, N, &wg);
    for (int i = 0; i < N; i++) {
        CHECK(rooms[i].g->hollow);
        if (i % 2)
            rooms[i].buf[rooms[i].bytes / 2] = 'x'; /* where there may be a page that does not trap */
    }
    for (int i = 0; i < N; i++)
        chan_send(rooms[i].door, i % 2 ? (int)(rooms[i].bytes / 2) : -1);
    wg_wait(&wg);
}

TEST(an_empty_buffer_is_not_kept_and_is_there)
{
    needs_the_kernel();
    empty_buffers();
}

TEST(a_child_sees_empty_buffers)
{
    struct room rooms[8];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    take_rooms(rooms, 8, &wg);
    pid_t child = fork();
    if (child == 0) {
        int wrong = 0;
        for (int i = 0; i < 8; i++)
            for (size_t k = 0; k < rooms[i].bytes; k++)
                wrong += rooms[i].buf[k] != 0;
        _exit(wrong ? 6 : 5);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    for (int i = 0; i < 8; i++)
        chan_send(rooms[i].door, -1);
    wg_wait(&wg);
}

static void pinned(struct rn_g **g, chan(int) door, rn_waitgroup *wg)
{
    rn_pin();
    *g = rn__self();
    wg_done(wg);
    chan_recv(door);
    rn_unpin();
    wg_done(wg);
}

static __attribute__((noinline)) int deep(chan(int) door, rn_waitgroup *wg)
{
    volatile char much[20000];
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = 5;
    wg_done(wg);
    chan_recv(door);
    return much[19999] + much[0];
}

static void uses_much(struct rn_g **g, chan(int) door, rn_waitgroup *wg)
{
    *g = rn__self();
    CHECK_EQ(deep(door, wg), 10);
    wg_done(wg);
}

TEST(who_is_pinned_or_uses_much_stack_is_not_put_away)
{
    struct seat seats[1];
    struct rn_g *others[2];
    rn_waitgroup wg = RN_WAITGROUP_INIT, also = RN_WAITGROUP_INIT;
    chan(int) door = chan_make(int, 0);
    needs_the_kernel();
    wg_add(&also, 2);
    go(pinned, &others[0], door, &also);
    go(uses_much, &others[1], door, &also);
    wg_wait(&also);
    take_seats(seats, 1, &wg);
    for (int i = 0; i < 20; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK(!is_away(others[0]));
    CHECK(!is_away(others[1]));
    wg_add(&also, 2);
    chan_close(door);
    wg_wait(&also);
    chan_send(seats[0].door, 11);
    wg_wait(&wg);
}

static void waits_for_an_hour(struct rn_g **g, rn_waitgroup *wg)
{
    *g = rn__self();
    wg_done(wg);
    chan_select(on_timeout(RN_HOUR));
}

TEST(who_has_a_timeout_is_not_put_away)
{
    struct seat seats[1];
    struct rn_g *waits;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    wg_add(&wg, 1);
    go(waits_for_an_hour, &waits, &wg);
    wg_wait(&wg);
    take_seats(seats, 1, &wg);
    for (int i = 0; i < 20; i++)
        rn_sleep(RN_MILLISECOND);
    CHECK(!is_away(waits));
    chan_send(seats[0].door, 11);
    wg_wait(&wg);
}

static void sleeps(struct rn_g **g, rn_duration d, rn_waitgroup *wg)
{
    volatile int local[10] = {[9] = 3};
    *g = rn__self();
    rn_sleep(d);
    CHECK_EQ(local[9], 3);
    wg_done(wg);
}

/* Sleeps for longer each time until some were away meanwhile: the putter may come late. */
TEST(sleepers_are_put_away_and_wake)
{
    enum { N = 20 };
    struct rn_g *g[N];
    int64_t away = 0;
    needs_the_kernel();
    for (rn_duration d = 20 * RN_MILLISECOND; away == 0; d *= 2) {
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_add(&wg, N);
        for (int i = 0; i < N; i++)
            go(sleeps, &g[i], d + i % 3 * RN_MILLISECOND, &wg);
        rn_sleep(d * 3 / 4);
        away = rn_load_relaxed(&rn__hib_away); /* relaxed: a count */
        wg_wait(&wg);
    }
}

static void waits_for_a_close(chan(int) door, rn_waitgroup *wg)
{
    int v = 7;
    CHECK(!chan_recv_ok(door, &v));
    CHECK_EQ(v, 0);
    wg_done(wg);
}

static int64_t away_after_a_close(int n)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    chan(int) door = chan_make(int, 0);
    wg_add(&wg, n);
    for (int i = 0; i < n; i++)
        go(waits_for_a_close, door, &wg);
    wait_for_away(n);
    chan_close(door);
    int64_t away = rn_load_relaxed(&rn__hib_away); /* relaxed: a count */
    chan_free(door);                               /* before most of them have run */
    wg_wait(&wg);
    return away;
}

/* A close touches nobody's stack: each comes back when it runs, and finds its variable cleared.  (They may all have
 * run before this one looks; not every time.) */
TEST(a_close_does_not_bring_back_all_at_once)
{
    needs_the_kernel();
    while (away_after_a_close(400) == 0)
        continue;
}

/* Says at *self who it is, turned round: the leak finder takes it for no pointer. */
static void for_ever(chan(int) c, rn_waitgroup *wg, uintptr_t *self)
{
    *self = ~(uintptr_t)rn__self();
    volatile int local[150] = {[149] = 3}; /* mostly zeroes: those are not kept */
    wg_done(wg);
    chan_recv(c);
    (void)local[149];
}

TEST(leaks_are_found_among_those_that_are_away)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_leak leaks[8];
    uintptr_t kept_ones[3], leaked[3];
    needs_the_kernel();
    wg_add(&wg, 6);
    chan(int) kept = chan_make(int, 0);
    for (int i = 0; i < 3; i++)
        go(for_ever, kept, &wg, &kept_ones[i]);
    for (int i = 0; i < 3; i++)
        go(for_ever, chan_make(int, 0), &wg, &leaked[i]);
    wg_wait(&wg);
    for (int i = 0; i < 3; i++) /* one that has not come to its receive yet is no leak */
        while (!is_away((struct rn_g *)~leaked[i]))
            rn_sleep(RN_MILLISECOND);
    CHECK_EQ(rn_debug_find_leaks(leaks, 8), 3);
    CHECK(rn_load_relaxed(&rn__hib_away) >= 3); /* relaxed: a count */
    chan_close(kept);
}

/* In a child of fork, until it execs, the stacks that were away are there. */
TEST(a_child_sees_them)
{
    struct seat seats[1];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    take_seats(seats, 1, &wg);
    pid_t child = fork();
    if (child == 0)
        _exit(strcmp(seats[0].buf, "nothing yet") == 0 ? 5 : 6);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    CHECK(is_away(seats[0].g));
    chan_send(seats[0].door, 11);
    wg_wait(&wg);
}

/* Also one that another thread was bringing back at that moment, without userfaultfd: its pages are locked then. */
TEST(a_child_sees_who_is_being_brought_back)
{
    struct seat seats[1];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    take_seats(seats, 1, &wg);
    char *buf = seats[0].buf, *page = buf - (uintptr_t)buf % rn_os_page;
    rn_store_relaxed(&seats[0].g->hib, RN_HIB_THAWING); /* relaxed, both: nobody else uses it */
    REQUIRE(mprotect(page, rn_os_page, PROT_NONE) == 0);
    pid_t child = fork();
    if (child == 0) {
        bool there = strcmp(buf, "nothing yet") == 0;
        strcpy(buf, "of the child");
        _exit(there && strcmp(buf, "of the child") == 0 ? 5 : 6);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    REQUIRE(mprotect(page, rn_os_page, PROT_READ | PROT_WRITE) == 0);
    rn_store_relaxed(&seats[0].g->hib, RN_HIB_AWAY);
    chan_send(seats[0].door, 11);
    wg_wait(&wg);
}

/* ---- signal handlers ---- */

enum { HANDLED = 60, SIGNALS = 3000 };
static struct seat handled[HANDLED];
static rn_atomic(uint32_t) signals_n;

static void touch_one(int signo)
{
    (void)signo;
    uint32_t n = rn_add_relaxed(&signals_n, 1); /* relaxed: a count; the buffers have been there since before */
    if (strcmp(handled[n * 7 % HANDLED].buf, "nothing yet") != 0)
        abort();
}

static void sit_again(struct seat *s, rn_waitgroup *wg)
{
    char buf[200] = "nothing yet";
    s->buf = buf;
    wg_done(wg);
    while (chan_recv(s->door))
        continue;
    wg_done(wg);
}

/* The thread that puts stacks away. */
static int monitor_thread(void)
{
    DIR *d = opendir("/proc/self/task");
    int found = 0;
    for (struct dirent *e; d && !found && (e = readdir(d)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "r");
        if (f && fgets(name, sizeof name, f) && strcmp(name, "runnel-monitor\n") == 0)
            found = atoi(e->d_name);
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
    return found;
}

/* To the putter, and to whoever brings back: both may be at the very stack that the handler touches. */
static void send_signals(int monitor)
{
    for (uint32_t n = 0; n < SIGNALS; n++) {
        REQUIRE(syscall(SYS_tgkill, getpid(), n % 2 ? monitor : getpid(), SIGUSR1) == 0);
        if (n % 4 == 0)
            chan_send(handled[n / 4 % HANDLED].door, 1);
        while (rn_load_relaxed(&signals_n) <= n) /* relaxed: a count */
            sched_yield();
    }
}

TEST(a_signal_handler_may_touch_a_stack_while_its_thread_puts_it_away_or_brings_it_back)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    needs_the_kernel();
    wg_add(&wg, HANDLED);
    for (int i = 0; i < HANDLED; i++) {
        handled[i].door = chan_make(int, 0);
        go(sit_again, &handled[i], &wg);
    }
    wg_wait(&wg);
    wg_add(&wg, HANDLED);
    struct sigaction a = {.sa_handler = touch_one, .sa_flags = SA_RESTART | SA_ONSTACK};
    REQUIRE(sigaction(SIGUSR1, &a, NULL) == 0);
    int monitor;
    while ((monitor = monitor_thread()) == 0) /* it may not have named itself yet */
        rn_sleep(RN_MILLISECOND);
    send_signals(monitor);
    for (int i = 0; i < HANDLED; i++)
        chan_send(handled[i].door, 0);
    wg_wait(&wg);
}

static void come_and_go(void)
{
    struct seat seats[40];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    take_seats(seats, 40, &wg);
    for (int i = 0; i < 40; i += 2)
        CHECK_STR(seats[i].buf, "nothing yet");
    for (int i = 0; i < 40; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&wg);
    empty_buffers();
}

TEST_PLAIN(also_where_userfaultfd_is_forbidden)
{
    rn__os_no_userfaultfd = true;
    needs_the_kernel();
    rn_os_away_end();
    CHECK_EQ(rn_run(come_and_go), 0);
}

/* Takes all mappings that the process may have, in one range; false: there are more than that. */
static bool take_all_mappings(char *range, size_t pages)
{
    for (size_t i = 1; i < pages; i += 2)
        if (mprotect(range + i * rn_os_page, rn_os_page, PROT_READ) != 0)
            return true;
    return false;
}

static void come_back_without_mappings(void)
{
    enum { N = 40, PAGES = 1 << 17 };
    struct seat seats[N];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    take_seats(seats, N, &wg);
    char *range = mmap(NULL, PAGES * rn_os_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(range != MAP_FAILED);
    bool none_left = take_all_mappings(range, PAGES);
    int said = 0;
    for (int i = 0; i < N; i += 2)
        said += strcmp(seats[i].buf, "nothing yet") == 0;
    for (int i = 0; i < N; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&wg);
    munmap(range, PAGES * rn_os_page);
    CHECK_EQ(said, N / 2);
    if (!none_left)
        rn_test_skip("there may be more mappings than this test takes");
}

TEST_PLAIN(without_userfaultfd_stacks_come_back_also_when_there_are_no_mappings_left)
{
    rn__os_no_userfaultfd = true;
    needs_the_kernel();
    rn_os_away_end();
    CHECK_EQ(rn_run(come_back_without_mappings), 0);
    rn__os_no_userfaultfd = false;
}

static void wait_twice(struct rn_g **g, chan(int) door, rn_waitgroup *wg)
{
    *g = rn__self();
    chan_recv(door);
    wg_done(wg);
    chan_recv(door);
    wg_done(wg);
}

static void wake_all_soon(void)
{
    enum { N = 1100 };
    static struct rn_g *g[N];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    chan(int) door = chan_make(int, 0);
    for (int i = 0; i < N; i++)
        go(wait_twice, &g[i], door, &wg);
    wait_for_away(N);
    wg_add(&wg, N);
    for (int i = 0; i < N; i++)
        chan_send(door, 1);
    wg_wait(&wg);
    for (int i = 0; i < N; i++)
        CHECK_EQ(g[i]->reluctance, 1);
    wg_add(&wg, N);
    chan_close(door);
    wg_wait(&wg);
}

/* Woken soon after it was put away, it is to be parked for longer before the next time. */
TEST_PLAIN(who_is_woken_soon_is_put_away_later)
{
    needs_the_kernel();
    setenv("RUNNEL_HIBERNATE", "on", 1);
    CHECK_EQ(rn_run(wake_all_soon), 0);
    setenv("RUNNEL_HIBERNATE", "2", 1);
}

/* The listing looks at stacks that are away.  That went over the handler on the signal stack, and the program ended as if by a
 * second failure, by exit, without a core file. */
TEST_DIES(a_wild_pointer_while_some_are_away, 128 + SIGSEGV, "unexpected fault address 0x10\nfatal error: fault\n")
{
    struct seat seats[40];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    int *volatile p = (int *)16;
    needs_the_kernel();
    take_seats(seats, 40, &wg);
    *p = 1;
}

/* Nobody would be put away for days, and the putter would not be in a hurry, if there were memory for all. */
static void start_more_than_there_is_memory_for(void)
{
    enum { N = 3000, MOST = 500 };
    struct seat *seats = calloc(N, sizeof *seats);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_store_relaxed(&rn__stacks_most, MOST); /* relaxed: a number */
    take_seats_until(seats, N, &wg, N - MOST);
    for (int i = 0; i < N; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&wg);
    while (rn__stacks_tight()) /* also the stacks of those that have ended are given back */
        rn_sleep(RN_MILLISECOND);
    free(seats);
}

TEST_PLAIN(where_memory_is_tight_all_are_put_away_soon)
{
    int64_t most = rn_load_relaxed(&rn__stacks_most); /* relaxed: a number */
    needs_the_kernel();
    setenv("RUNNEL_HIBERNATE", "1000000000", 1);
    CHECK_EQ(rn_run(start_more_than_there_is_memory_for), 0);
    setenv("RUNNEL_HIBERNATE", "2", 1);
    rn_store_relaxed(&rn__stacks_most, most);
}

/* Blocks SIGSEGV until it is told, as a thread does that is being started. */
static void *blocks_a_fault(void *told)
{
    uint64_t faults = UINT64_C(1) << (SIGSEGV - 1);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &faults, NULL, sizeof faults);
    while (!rn_load_acquire((rn_atomic(bool) *)told))
        rn_os_nap(RN_MILLISECOND);
    return NULL;
}

static rn_duration until_away;

/* start says how long it took, in until_away. */
static void are_away_soon(void (*start)(void))
{
    enum { TRIES = 5 };                               /* of which the machine may hold some up */
    int64_t most = rn_load_relaxed(&rn__stacks_most); /* relaxed: a number */
    needs_the_kernel();
    setenv("RUNNEL_HIBERNATE", "on", 1);
    until_away = RN_MINUTE;
    for (int i = 0; i < TRIES && until_away > RN_SECOND / 2; i++)
        CHECK_EQ(rn_run(start), 0);
    CHECK(until_away <= RN_SECOND / 2);
    setenv("RUNNEL_HIBERNATE", "2", 1);
    rn_store_relaxed(&rn__stacks_most, most);
}

static void start_them_beside_a_new_thread(void)
{
    enum { N = 3000, MOST = 500, LOOKS = 50 }; /* ms, in which the monitor looks */
    struct seat *seats = calloc(N, sizeof *seats);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_atomic(bool) told = false;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, blocks_a_fault, &told) == 0);
    rn_store_relaxed(&rn__stacks_most, MOST); /* relaxed: a number */
    take_seats_until(seats, N, &wg, 0);
    rn_sleep(LOOKS * RN_MILLISECOND);
    rn_time since = rn_now();
    rn_store_release(&told, true); /* pairs with the acquire in blocks_a_fault */
    wait_for_away(N - MOST);
    until_away = rn_now() - since;
    for (int i = 0; i < N; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&wg);
    pthread_join(thread, NULL);
    free(seats);
}

/* Nobody was put away for a second then, in which the goroutines that were started took all memory. */
TEST_PLAIN(where_memory_is_tight_a_new_thread_holds_nobody_up)
{
    are_away_soon(start_them_beside_a_new_thread);
}

/* The first are too few to be worth it: each look is in vain, and the next one later. */
static void start_them_after_looks_in_vain(void)
{
    enum { FIRST = 900, N = 3000, MOST = 500, LOOKS = 1300 }; /* ms: then the next is a second away */
    struct seat *seats = calloc(FIRST + N, sizeof *seats);
    rn_waitgroup first = RN_WAITGROUP_INIT, wg = RN_WAITGROUP_INIT;
    rn_store_relaxed(&rn__stacks_most, MOST); /* relaxed: a number */
    take_seats_until(seats, FIRST, &first, 0);
    for (rn_time until = rn_now() + LOOKS * RN_MILLISECOND; rn_now() < until;)
        rn_sleep(RN_MILLISECOND);
    rn_time since = rn_now();
    take_seats_until(seats + FIRST, N, &wg, 0);
    wait_for_away(FIRST + N - MOST);
    until_away = rn_now() - since;
    for (int i = 0; i < FIRST + N; i++)
        chan_send(seats[i].door, 11);
    wg_wait(&first);
    wg_wait(&wg);
    free(seats);
}

/* The pause after looks in vain, of up to 5 s, went on through a burst, which took all memory. */
TEST_PLAIN(where_memory_is_tight_a_burst_ends_the_pause)
{
    are_away_soon(start_them_after_looks_in_vain);
}

static chan(int) never;

static void leave_many(void)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    uintptr_t selves[300];
    wg_add(&wg, 300);
    for (int i = 0; i < 300; i++)
        go(for_ever, never, &wg, &selves[i]);
    wg_wait(&wg);
    wait_for_away(1); /* who comes into a queue touches who was last, who then stays */
}

TEST_PLAIN(a_run_ends_while_some_are_away)
{
    needs_the_kernel();
    never = chan_make(int, 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(rn_run(leave_many), 0);
    CHECK(chan_try_send(never, 1) < 0);
    chan_free(never);
}

#else

TEST(nobody_is_put_away_under_a_sanitizer)
{
    CHECK(true);
}

#endif
