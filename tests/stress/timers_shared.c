/* Timers that several goroutines stop and reset at once, under a seed. */
#include <runnel.h>
#include <runnel/test.h>

enum { TIMERS = 8, WORKERS = 12, STEPS = 3000 };

static rn_timer timers[TIMERS];
static rn_timer funcs[TIMERS];
static rn_ticker tickers[TIMERS];
static _Atomic long ran, received;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void count_ran(void *arg)
{
    (void)arg;
    ran++;
}

static void step(uint64_t *state)
{
    uint64_t i = next_random(state) % TIMERS;
    rn_duration d = (rn_duration)(next_random(state) % 100000);
    rn_time at = 0;
    switch (next_random(state) % 9) {
    case 0:
        rn_timer_reset(&timers[i], d);
        break;
    case 1:
        rn_timer_stop(&timers[i]);
        break;
    case 2:
        rn_timer_reset(&funcs[i], d);
        break;
    case 3:
        rn_timer_stop(&funcs[i]);
        break;
    case 4:
        rn_ticker_reset(&tickers[i], d + 1);
        break;
    case 5:
        rn_ticker_stop(&tickers[i]);
        break;
    case 6:
        received += chan_try_recv(rn_timer_chan(&timers[i]), &at) == 0;
        CHECK(at <= rn_now());
        break;
    case 7:
        received += chan_select(on_recv(rn_ticker_chan(&tickers[i]), &at), on_timeout(d / 10)) == 0;
        CHECK(at <= rn_now());
        break;
    default:
        received += chan_select(on_recv(rn_timer_chan(&timers[i]), &at), on_timeout(d / 10)) == 0;
        CHECK(at <= rn_now());
    }
}

static void work(int i)
{
    uint64_t state = (test_seed() + (uint64_t)i) * 0x9e3779b97f4a7c15u | 1;
    for (int n = 0; n < STEPS; n++)
        step(&state);
}

static void check_stopped(int i)
{
    rn_timer_stop(&timers[i]);
    rn_timer_stop(&funcs[i]);
    rn_ticker_stop(&tickers[i]);
    CHECK(!rn_timer_stop(&timers[i]));
    CHECK(!rn_timer_stop(&funcs[i]));
    CHECK_EQ(chan_try_recv(rn_timer_chan(&timers[i]), NULL), RN_EAGAIN);
    CHECK_EQ(chan_try_recv(rn_ticker_chan(&tickers[i]), NULL), RN_EAGAIN);
}

TEST(timers_of_everybody)
{
    for (int i = 0; i < TIMERS; i++) {
        rn_timer_init(&timers[i], RN_HOUR);
        rn_after_func(&funcs[i], RN_HOUR, count_ran, NULL);
        rn_ticker_init(&tickers[i], RN_MICROSECOND);
    }
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < WORKERS; i++)
        wg_go(&wg, work, i);
    wg_wait(&wg);
    for (int i = 0; i < TIMERS; i++)
        check_stopped(i);
    long before = ran;
    while (rn_num_goroutines() > 1)
        rn_yield();
    rn_sleep(RN_MILLISECOND);
    CHECK(ran >= before);
    CHECK(received > 0);
    for (int i = 0; i < TIMERS; i++) {
        CHECK_EQ(chan_try_recv(rn_timer_chan(&timers[i]), NULL), RN_EAGAIN);
        rn_timer_destroy(&timers[i]);
        rn_timer_destroy(&funcs[i]);
        rn_ticker_destroy(&tickers[i]);
    }
}

static void free_itself(rn_timer *t)
{
    rn_timer_destroy(t);
    ran++;
}

/* The function of an after_func may destroy its timer. */
TEST(functions_that_destroy_their_timer)
{
    enum { N = 2000 };
    static rn_timer many[N];
    ran = 0;
    for (int i = 0; i < N; i++)
        rn_after_func(&many[i], i % 50 * RN_MICROSECOND, free_itself, &many[i]);
    while (ran < N)
        rn_yield();
}
