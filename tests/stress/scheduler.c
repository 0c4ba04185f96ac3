/* The scheduler under a seed: goroutines that start others, hand on tokens, yield, pin themselves, block
 * their thread, compute, and end; every token must arrive. */
#include <runnel.h>
#include <runnel/test.h>
#include <time.h>

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t seeded(uint64_t n)
{
    return (test_seed() + n) * 0x9e3779b97f4a7c15 + 1;
}

/* ---- a ring of tokens ---------------------------------------------------------------------------- */

static void block_thread(rn_duration d)
{
    struct timespec t = {.tv_nsec = d};
    nanosleep(&t, NULL);
}

static void compute(uint64_t rounds)
{
    volatile uint64_t x = rounds;
    while (x > 0)
        x--;
}

/* One of the things that goroutines do. */
static void act(uint64_t *state)
{
    switch (next_random(state) % 64) {
    case 0:
        rn_pin();
        rn_yield();
        rn_unpin();
        break;
    case 1:
        block_thread(50 * RN_MICROSECOND);
        break;
    case 2:
        rn_blocking_enter();
        block_thread(50 * RN_MICROSECOND);
        rn_blocking_leave();
        break;
    case 3:
        compute(100000);
        break;
    case 4:
        rn_sleep(20 * RN_MICROSECOND);
        break;
    case 5:
    case 6:
    case 7:
        rn_yield();
        break;
    default:
        break;
    }
}

static void relay(uint64_t state, chan(int) from, chan(int) to)
{
    for (int v; chan_next(from, &v);) {
        act(&state);
        chan_send(to, v + 1);
    }
    chan_close(to);
}

TEST(tokens_go_round_a_ring)
{
    enum { STATIONS = 50, TOKENS = 20, LAPS = 30 };
    chan(int) links[STATIONS + 1];
    for (int i = 0; i <= STATIONS; i++)
        links[i] = chan_make(int, i % 3 == 0 ? TOKENS : i % 3 - 1);
    for (int i = 0; i < STATIONS; i++)
        go(relay, seeded((uint64_t)i), links[i], links[i + 1]);
    for (int i = 0; i < TOKENS; i++)
        chan_send(links[0], i * STATIONS * LAPS);
    int ended = 0;
    while (ended < TOKENS) {
        int v = chan_recv(links[STATIONS]);
        if (v % (STATIONS * LAPS) == 0)
            ended++;
        else
            chan_send(links[0], v);
    }
    chan_close(links[0]);
    for (int v; chan_next(links[STATIONS], &v);)
        FAIL("token %d is left over", v);
    while (rn_num_goroutines() > 1)
        rn_yield();
    for (int i = 0; i <= STATIONS; i++)
        rn_chan_free(links[i]);
}

/* ---- a tree of goroutines -------------------------------------------------------------------------- */

static rn_atomic(int64_t) leaves;

static void grow(uint64_t state, int depth, rn_waitgroup *wg)
{
    act(&state);
    if (depth == 0) {
        leaves++;
        return;
    }
    for (int i = 0; i < 3; i++)
        rn_wg_go(wg, grow, next_random(&state) | 1, depth - 1, wg);
}

TEST(a_tree_grows_and_every_leaf_is_counted)
{
    enum { DEPTH = 9, LEAVES = 19683 };
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_wg_go(&wg, grow, seeded(1), DEPTH, &wg);
    rn_wg_wait(&wg);
    CHECK_EQ(leaves, LEAVES);
}

/* ---- idle and busy in turn --------------------------------------------------------------------------- */

static void answer(chan(int) ask, chan(int) reply)
{
    for (int v; chan_next(ask, &v);)
        chan_send(reply, v + 1);
}

/* Between two questions everybody sleeps, so that each wakes a worker. */
TEST(workers_that_fall_asleep_are_woken)
{
    uint64_t state = seeded(2);
    chan(int) ask = chan_make(int, 0), reply = chan_make(int, 0);
    rn_waitgroup all = RN_WAITGROUP_INIT;
    for (int i = 0; i < 4; i++)
        rn_wg_go(&all, answer, ask, reply);
    for (int i = 0; i < 2000; i++) {
        rn_sleep((rn_duration)(next_random(&state) % 60000));
        int burst = (int)(next_random(&state) % 4) + 1, sum = 0;
        for (int k = 0; k < burst; k++)
            chan_send(ask, i);
        for (int k = 0; k < burst; k++)
            sum += chan_recv(reply);
        REQUIRE(sum == burst * (i + 1));
    }
    chan_close(ask);
    rn_wg_wait(&all);
    rn_chan_free(ask);
    rn_chan_free(reply);
}

/* ---- other numbers of processors ------------------------------------------------------------------- */

static void change_procs(uint64_t state, chan(rn_unit) stop)
{
    while (chan_try_recv(stop, NULL) == RN_EAGAIN) {
        CHECK_EQ(rn_set_procs((int)(next_random(&state) % 8) + 1), 0);
        rn_sleep(100 * RN_MICROSECOND);
    }
}

TEST(processors_come_and_go)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT, changer = RN_WAITGROUP_INIT;
    chan(rn_unit) stop = chan_make(rn_unit, 1);
    leaves = 0;
    rn_wg_go(&changer, change_procs, seeded(3), stop);
    rn_wg_go(&wg, grow, seeded(4), 8, &wg);
    rn_wg_wait(&wg);
    CHECK_EQ(leaves, 6561);
    chan_send(stop, RN_UNIT);
    rn_wg_wait(&changer);
    rn_chan_free(stop);
}
