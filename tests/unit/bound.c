/* Upper bounds of the clock (os/bound.h): never before it, and hardly after, on this machine and on made-up ones whose clock
 * is steered, interrupted, suspended, or not what it was said to be. */
#include "os/bound.h"
#include "os/os.h"
#include <runnel/test.h>

TEST_PLAIN(a_bound_is_not_before_the_clock_and_little_after)
{
    rn_os_init();
    struct rn_bound b = {0};
    /* Longer than it takes to measure the counter's scale. */
    rn_time end = rn_os_now() + 60 * RN_MILLISECOND;
    for (rn_time before = 0, after; before < end;) {
        before = rn_os_now();
        rn_time bound = rn_os_now_bound(&b);
        after = rn_os_now();
        REQUIRE(bound >= before && bound <= after + RN_BOUND_LATE);
    }
}

TEST_PLAIN(who_seldom_asks_gets_the_clock_itself)
{
    rn_os_init();
    struct rn_bound b = {0};
    for (int i = 0; i < 20; i++) {
        for (rn_time until = rn_os_now() + 200 * RN_MICROSECOND; rn_os_now() < until;)
            continue;
        rn_time bound = rn_os_now_bound(&b);
        REQUIRE(bound <= rn_os_now());
    }
}

/* ---- machines ------------------------------------------------------------------------------------- */

/* Both advance together; step counts `hertz` a second when the clock is not steered. */
struct machine {
    double clock, counter;
    double hertz, steered; /* the clock runs so many times as fast */
    uint64_t seed;
    struct rn_rate rate;
    struct rn_bound bound;
    unsigned told, looked; /* by the counter; by the clock */
};

static double chance(struct machine *m)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(m->seed >> 40) / (1 << 24);
}

static void pass(struct machine *m, double ns)
{
    m->clock += ns * m->steered;
    m->counter += ns * m->hertz / 1e9;
}

static rn_time clock_of(const struct machine *m)
{
    return (rn_time)m->clock;
}

static struct rn_reading reading(struct machine *m, rn_time before)
{
    struct rn_reading r = {.before = before};
    pass(m, chance(m) * 30);
    r.count = (uint64_t)m->counter;
    pass(m, 20 + chance(m) * 30);
    if (chance(m) < 0.001) /* interrupted */
        pass(m, chance(m) * 1e6);
    r.after = clock_of(m);
    return r;
}

static rn_time ask(struct machine *m)
{
    rn_time bound;
    if (m->bound.reach && rn_bound_tell(&m->bound, (uint64_t)m->counter, &bound)) {
        m->told++;
        return bound;
    }
    m->looked++;
    rn_time now = clock_of(m);
    if (!rn_bound_is_often(&m->bound, &m->rate, now))
        return now;
    struct rn_reading r = reading(m, now);
    return rn_bound_look(&m->bound, &m->rate, &r);
}

static struct machine machine(double hertz)
{
    struct machine m = {.clock = 1e12, .counter = 1e13, .hertz = hertz, .steered = 1, .seed = 20261121};
    struct rn_reading r;
    do
        r = reading(&m, clock_of(&m));
    while (!rn_reading_is_near(&r));
    rn_rate_begin(&m.rate, &r);
    return m;
}

/* Some hundred nanoseconds between two questions, and now and then a pause. */
static void wait_a_little(struct machine *m)
{
    pass(m, chance(m) < 0.001 ? chance(m) * 1e6 : chance(m) * 1000);
}

/* Asks n times; true while every answer is as it must be. */
static bool good(struct machine *m, int n)
{
    bool all = true;
    for (int i = 0; i < n; i++) {
        wait_a_little(m);
        rn_time before = clock_of(m), bound = ask(m), after = clock_of(m);
        all &= bound >= before && bound <= after + RN_BOUND_LATE;
    }
    return all;
}

static void start(struct machine *m)
{
    m->told = 0;
    for (int i = 0; i < 100 && !m->told; i++)
        REQUIRE(good(m, 1000));
    REQUIRE(m->told > 0);
}

TEST_PLAIN(bounds_hold_on_machines_of_every_pace)
{
    static const double hertz[] = {11e6, 24e6, 62.5e6, 1e9, 2.6e9, 5.3e9};
    for (size_t i = 0; i < sizeof hertz / sizeof *hertz; i++) {
        struct machine m = machine(hertz[i]);
        start(&m);
        m.told = m.looked = 0;
        CHECK(good(&m, 100000));
        CHECK(m.told > 20 * m.looked);
    }
}

TEST_PLAIN(too_coarse_a_counter_is_not_used)
{
    struct machine m = machine(1e6);
    CHECK(good(&m, 100000));
    CHECK(m.told == 0);
}

TEST_PLAIN(bounds_hold_while_the_clock_is_steered)
{
    static const double steered[] = {1.0005, 0.9995, 1.083, 0.917, 1.11, 0.89};
    for (size_t i = 0; i < sizeof steered / sizeof *steered; i++) {
        struct machine m = machine(2.6e9);
        start(&m);
        m.told = m.looked = 0;
        for (int turn = 0; turn < 1000; turn++) {
            m.steered = turn % 2 ? 1 : steered[i];
            REQUIRE(good(&m, 100));
        }
        CHECK(m.told > 20 * m.looked);
    }
}

TEST_PLAIN(bounds_hold_over_a_suspension_that_stops_the_clock_or_the_counter)
{
    for (int kind = 0; kind < 3; kind++) {
        struct machine m = machine(2.6e9);
        start(&m);
        for (int turn = 0; turn < 100; turn++) {
            if (kind == 0)
                m.counter += 3600 * m.hertz; /* the clock stood still */
            else if (kind == 1)
                m.counter = 12345; /* the counter began anew */
            else
                m.clock += 3600e9, m.counter += 3600 * m.hertz; /* it was only we who slept */
            REQUIRE(good(&m, 1000));
        }
    }
}

/* Before anybody has asked often, too: what is measured over such a time would be no scale. */
TEST_PLAIN(the_scale_is_not_measured_over_a_suspension)
{
    struct machine m = machine(2.6e9);
    m.counter += 100 * m.hertz;
    m.clock += 11e9;
    start(&m);
    m.told = m.looked = 0;
    CHECK(good(&m, 100000));
    CHECK(m.told > 20 * m.looked);
}

TEST_PLAIN(a_counter_that_is_not_what_we_were_told_is_given_up)
{
    for (int kind = 0; kind < 2; kind++) {
        struct machine m = machine(2.6e9);
        start(&m);
        m.steered = kind ? 2 : 0.5;
        good(&m, 1000);
        m.told = 0;
        CHECK(good(&m, 100000));
        CHECK(m.told == 0);
    }
}

/* Timers set one after the other by one thread keep their order, but for the jitter of a reading. */
TEST_PLAIN(bounds_of_one_thread_rise)
{
    struct machine m = machine(2.6e9);
    start(&m);
    m.told = m.looked = 0;
    rn_time last = 0;
    for (int i = 0; i < 100000; i++) {
        pass(&m, 5 + chance(&m) * 100);
        rn_time bound = ask(&m);
        REQUIRE(bound >= last - 1100);
        last = bound > last ? bound : last;
    }
    CHECK(m.told > 20 * m.looked);
}
