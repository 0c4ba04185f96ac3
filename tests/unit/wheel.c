/* The timing wheel against a plain array, under random operations, and its particular cases. */
#include "base/wheel.h"
#include <runnel/test.h>
#include <stdlib.h>
#include <string.h>

static struct rn_wheel w;

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Below 2^bits for a random number of bits up to `most`: small and large ones alike. */
static rn_time any_size(int most)
{
    return (rn_time)(next_random() & (((uint64_t)1 << next_random() % (uint64_t)(most + 1)) - 1));
}

/* ---- random operations ------------------------------------------------------------------- */

enum { ENTRIES = 300 };
static struct rn_wheel_entry entries[ENTRIES];
static bool in[ENTRIES];
static size_t n_in;
static rn_time now;

static rn_time random_moment(void)
{
    rn_time d = any_size(62);
    switch (next_random() % 20) {
    case 0:
        return INT64_MAX;
    case 1:
        return now - any_size(40);
    case 2:
        return -d;
    default:
        return d > INT64_MAX - now ? INT64_MAX : now + d;
    }
}

static void random_add(void)
{
    size_t i = next_random() % ENTRIES;
    if (in[i])
        return;
    entries[i].when = random_moment();
    rn_wheel_add(&w, &entries[i]);
    in[i] = true;
    n_in++;
}

static void random_remove(void)
{
    size_t i = next_random() % ENTRIES;
    if (!in[i])
        return;
    rn_wheel_remove(&w, &entries[i]);
    in[i] = false;
    n_in--;
}

/* Another moment, or one not far from the last. */
static void random_move(void)
{
    size_t i = next_random() % ENTRIES;
    if (!in[i])
        return;
    rn_time d = any_size(24), when = entries[i].when;
    if (next_random() % 2)
        when = random_moment();
    else
        when = when > INT64_MAX - d ? INT64_MAX : when + d;
    rn_wheel_move(&w, &entries[i], when);
}

static rn_time earliest(void)
{
    rn_time first = INT64_MAX;
    for (int i = 0; i < ENTRIES; i++)
        if (in[i] && entries[i].when < first)
            first = entries[i].when;
    return first;
}

/* Takes out all that is due at `moment`; a moment before now is that of a slow caller. */
static void expire_until(rn_time moment)
{
    int64_t last_slot = INT64_MIN;
    for (struct rn_wheel_entry *e; (e = rn_wheel_expire(&w, moment));) {
        REQUIRE(in[e - entries]);
        CHECK(e->when <= moment);
        in[e - entries] = false;
        n_in--;
        int64_t slot = (e->when < now ? now : e->when) >> RN_WHEEL_SHIFT;
        CHECK(slot >= last_slot); /* in order but for those within one slot */
        last_slot = slot;
    }
    if (moment < now)
        return;
    now = moment;
    CHECK(earliest() > now);
}

static void random_expire(void)
{
    rn_time next = rn_wheel_next(&w);
    switch (next_random() % 4) {
    case 0:
        if (next > now && next - now < (rn_time)1 << 45)
            expire_until(next);
        break;
    case 1:
        expire_until(now - any_size(20) % now);
        break;
    default:
        expire_until(now + any_size(36));
    }
}

static bool count_one(struct rn_wheel_entry *e, void *arg)
{
    ++*(size_t *)arg;
    return e == NULL;
}

static void check_all(void)
{
    size_t seen = 0;
    CHECK(!rn_wheel_any(&w, count_one, &seen));
    CHECK_EQ(seen, n_in);
    CHECK_EQ(w.count, n_in);
    CHECK(rn_wheel_next(&w) <= earliest());
    CHECK(n_in > 0 || rn_wheel_next(&w) == INT64_MAX);
}

static void random_run(uint64_t seed, int operations)
{
    state = seed * 0x9e3779b97f4a7c15 + 1;
    memset(in, 0, sizeof in);
    n_in = 0;
    now = 1 + any_size(50);
    rn_wheel_init(&w, now);
    for (int i = 0; i < operations; i++) {
        uint64_t choice = next_random() % 16;
        if (choice < 7)
            random_add();
        else if (choice < 9)
            random_remove();
        else if (choice < 11)
            random_move();
        else if (choice < 15)
            random_expire();
        else
            check_all();
    }
}

TEST_PLAIN(random_operations_agree_with_a_plain_array)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        random_run(seed, 20000);
    random_run(test_seed(), 20000);
}

/* ---- particular cases -------------------------------------------------------------------- */

TEST_PLAIN(an_entry_is_never_early_by_a_nanosecond)
{
    static const rn_duration after[] = {0, 1, 16383, 16384, 1000000, 67108864, RN_SECOND, RN_HOUR, 365 * 24 * RN_HOUR};
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        struct rn_wheel_entry e = {.when = 1000000007 + after[i]};
        rn_wheel_init(&w, 1000000007);
        rn_wheel_add(&w, &e);
        CHECK_EQ(rn_wheel_next(&w), e.when);
        CHECK(rn_wheel_expire(&w, e.when - 1) == NULL);
        CHECK_EQ(rn_wheel_next(&w), e.when);
        CHECK(rn_wheel_expire(&w, e.when) == &e);
        CHECK(rn_wheel_expire(&w, e.when) == NULL);
        CHECK_EQ(w.count, 0);
    }
}

TEST_PLAIN(equal_moments_come_in_the_order_added)
{
    struct rn_wheel_entry e[50];
    rn_wheel_init(&w, 5);
    for (int i = 0; i < 50; i++) {
        e[i].when = 123456789;
        rn_wheel_add(&w, &e[i]);
    }
    for (int i = 0; i < 50; i++)
        CHECK(rn_wheel_expire(&w, 123456789) == &e[i]);
}

TEST_PLAIN(removal_leaves_a_bound_that_is_not_late)
{
    struct rn_wheel_entry a = {.when = 1000}, b = {.when = 2000}, c = {.when = RN_SECOND};
    rn_wheel_init(&w, 1);
    rn_wheel_add(&w, &a);
    rn_wheel_add(&w, &b);
    rn_wheel_add(&w, &c);
    rn_wheel_remove(&w, &a);
    CHECK(rn_wheel_next(&w) <= 2000);
    CHECK(rn_wheel_expire(&w, 1500) == NULL);
    CHECK_EQ(rn_wheel_next(&w), 2000);
    rn_wheel_remove(&w, &b);
    CHECK_EQ(rn_wheel_next(&w), RN_SECOND);
    rn_wheel_remove(&w, &c);
    CHECK_EQ(rn_wheel_next(&w), INT64_MAX);
}

TEST_PLAIN(a_due_entry_that_was_not_fetched_can_be_removed)
{
    struct rn_wheel_entry a = {.when = 100}, b = {.when = 101};
    rn_wheel_init(&w, 1);
    rn_wheel_add(&w, &a);
    rn_wheel_add(&w, &b);
    CHECK(rn_wheel_expire(&w, 200) == &a);
    CHECK(rn_wheel_next(&w) <= 101);
    rn_wheel_remove(&w, &b);
    CHECK(rn_wheel_expire(&w, 200) == NULL);
    CHECK_EQ(w.count, 0);
}
