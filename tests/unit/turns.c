/* Turns of those whom descriptors wake, beside others that are runnable. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>

enum { PAIRS = 64, ROUNDS = 300 };

static int rounds[PAIRS];
static rn_atomic_bool over;

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
