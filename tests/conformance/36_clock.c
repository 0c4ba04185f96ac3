/* SEMANTICS 36: the clock is monotonic.  Ten million timers: logarithmic or better. */
#include <runnel.h>
#include <runnel/test.h>
#include <stdlib.h>

TEST(the_clock_never_goes_back)
{
    rn_time last = rn_now();
    CHECK(last != 0);
    for (int i = 0; i < 100000; i++) {
        rn_time now = rn_now();
        if (now < last)
            FAIL("from %lld to %lld", (long long)last, (long long)now);
        last = now;
    }
}

TEST(durations)
{
    CHECK(rn_ms(1500 * RN_MICROSECOND) == 1.5);
    CHECK(rn_since(rn_now() + RN_HOUR) < 0);
    CHECK(rn_until(rn_now() + RN_HOUR) > 59 * RN_MINUTE);
    CHECK_EQ(rn_time_add(INT64_MAX - 1, 5), INT64_MAX);
    CHECK_EQ(rn_time_add(INT64_MIN + 1, -5), INT64_MIN);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The time for each of n timers that are set, reset and stopped while all n are pending, in ns. */
static double cost(size_t n)
{
    rn_timer *t = malloc(n * sizeof *t);
    REQUIRE(t);
    rn_time start = rn_now();
    for (size_t i = 0; i < n; i++)
        rn_after_func(&t[i], RN_HOUR + (rn_duration)(i * 7919 % n) * RN_MICROSECOND, nothing, NULL);
    for (size_t i = 0; i < n; i++)
        rn_timer_reset(&t[i], RN_HOUR + (rn_duration)(i * 104729 % n) * RN_MICROSECOND);
    for (size_t i = 0; i < n; i++)
        CHECK(rn_timer_stop(&t[i * 31 % n]) || n % 31 == 0);
    double each = (double)rn_since(start) / (double)n;
    free(t);
    return each;
}

TEST(the_cost_of_a_timer_does_not_grow)
{
    double few = cost(10000), many = cost(400001);
    if (many > 20 * few + 2000)
        FAIL("%.0f ns each with 10000 timers, %.0f with 400001", few, many);
}

TEST(all_fire)
{
    enum { N = 5000 };
    rn_timer *t = malloc(N * sizeof *t);
    REQUIRE(t);
    for (int i = 0; i < N; i++)
        rn_timer_init(&t[i], (i * 7919 % N) * RN_MICROSECOND);
    for (int i = 0; i < N; i++)
        chan_recv(rn_timer_chan(&t[i]));
    for (int i = 0; i < N; i++)
        rn_timer_destroy(&t[i]);
    free(t);
}
