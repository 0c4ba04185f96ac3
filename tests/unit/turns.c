/* Turns of those whom descriptors wake, beside others that are runnable, and of those that are started for requests. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>

enum { PAIRS = 64, CALLERS = 64, ROUNDS = 300 };

static int rounds[PAIRS];
static rn_atomic_bool over;

/* Nobody begins before all are there: the kernel may put away, for longer than some take, the thread that starts them. */
static rn_waitgroup present = RN_WAITGROUP_INIT;

static void begin_together(void)
{
    wg_done(&present);
    wg_wait(&present);
}

/* Longer than it takes until descriptors are looked at again. */
static void compute(void)
{
    for (rn_time begin = rn_now(); rn_since(begin) < 30 * RN_MICROSECOND;)
        continue;
}

static void serve(rn_conn *c)
{
    char b[1];
    while (net_read(c, b, 1) == 1) {
        compute();
        CHECK_EQ(net_write(c, b, 1), 1);
    }
}

static void ask(rn_conn *c, int *n)
{
    char b[1] = {0};
    begin_together();
    while (!rn_atomic_load(&over)) {
        CHECK_EQ(net_write(c, b, 1), 1);
        CHECK_EQ(net_read(c, b, 1), 1);
        if (++*n == ROUNDS)
            rn_atomic_store(&over, true);
    }
    net_close_write(c);
}

/* Two that write to each other, of whom a look finds one each time, don't go first for ever. */
TEST(pairs_that_descriptors_wake_have_turns_alike)
{
    rn_set_procs(1);
    rn_conn *here[PAIRS], *there[PAIRS];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    int least = ROUNDS;
    for (int i = 0; i < PAIRS; i++)
        REQUIRE(net_pair(&here[i], &there[i]) == 0);
    wg_add(&present, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        wg_go(&wg, serve, there[i]);
        wg_go(&wg, ask, here[i], &rounds[i]);
    }
    wg_wait(&wg);
    for (int i = 0; i < PAIRS; i++) {
        least = rounds[i] < least ? rounds[i] : least;
        net_free(here[i]);
        net_free(there[i]);
    }
    CHECK(least >= ROUNDS / 10);
}

static int calls[CALLERS];
static rn_atomic_bool enough;

static void answer(chan(int) to, rn_waitgroup *wg)
{
    chan_send(to, 1);
    wg_done(wg);
}

/* A goroutine for each request, of which many come over one connection. */
static void dispatch(rn_conn *c, chan(int) * callers)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    unsigned char from[CALLERS];
    for (ssize_t n; (n = net_read(c, from, sizeof from)) > 0;)
        for (ssize_t i = 0; i < n; i++) {
            wg_add(&wg, 1);
            go(answer, callers[from[i]], &wg);
        }
    wg_wait(&wg);
}

static void call(rn_conn *c, unsigned char id, chan(int) here)
{
    begin_together();
    while (!rn_atomic_load(&enough)) {
        CHECK_EQ(net_write(c, &id, 1), 1);
        chan_recv(here);
        if (++calls[id] == ROUNDS)
            rn_atomic_store(&enough, true);
    }
}

/* Newest first, those who are answered would be answered again and again.  Who is in a system call while the kernel puts its
 * thread away is late by that: some few. */
TEST(a_goroutine_for_each_request_has_its_turn)
{
    rn_set_procs(1);
    rn_conn *here, *there;
    chan(int) callers[CALLERS];
    rn_waitgroup wg = RN_WAITGROUP_INIT, server = RN_WAITGROUP_INIT;
    int late = 0;
    REQUIRE(net_pair(&here, &there) == 0);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = chan_make(int, 1);
    wg_add(&present, CALLERS);
    wg_go(&server, dispatch, there, callers);
    for (int i = 0; i < CALLERS; i++)
        wg_go(&wg, call, here, (unsigned char)i, callers[i]);
    wg_wait(&wg);
    net_close_write(here);
    wg_wait(&server);
    for (int i = 0; i < CALLERS; i++) {
        late += calls[i] < ROUNDS * 2 / 3;
        chan_free(callers[i]);
    }
    net_free(here);
    net_free(there);
    CHECK(late <= 3);
}
