/* Close races with sends, receives, selects and other closes: what was sent without a panic is
 * received, exactly one close succeeds, and everybody gets away. */
#include "chan_stress.h"
#include "../on_purpose.h"

struct trial {
    chan(long) c;
    chan(int) other;
    rn_atomic(uint64_t) sent, received, sends, receives;
    rn_atomic(int) closes, refused, cut_off;
    uint64_t seed;
    int steps;
};

/* Calls f(t, v); false when it panicked with this text. */
static bool attempt(void (*f)(struct trial *, long), struct trial *t, long v, const char *text);

struct caught {
    const char *text;
    bool panicked;
};

static void catch (void *arg)
{
    struct caught *c = arg;
    const char *text = rn_recover();
    if (!text)
        return;
    c->panicked = true;
    CHECK_STR(text, c->text);
}

static void guarded(void (*f)(struct trial *, long), struct trial *t, long v, struct caught *c)
{
    defer(catch, c);
    f(t, v);
}

static bool attempt(void (*f)(struct trial *, long), struct trial *t, long v, const char *text)
{
    struct caught c = {.text = text};
    guarded(f, t, v, &c);
    return !c.panicked;
}

static void send_plain(struct trial *t, long v)
{
    chan_send(t->c, v);
}

static void send_select(struct trial *t, long v)
{
    while (chan_select(on_send(t->c, v), on_recv(t->other, NULL)) != 0)
        ;
}

static void send_try(struct trial *t, long v)
{
    while (chan_try_send(t->c, v) != 0)
        rn_yield();
}

static void sender(void *arg)
{
    struct trial *t = arg;
    void (*const how[])(struct trial *, long) = {send_plain, send_select, send_try};
    uint64_t random = t->seed ^ (uintptr_t)&random;
    for (int i = 0; i < t->steps; i++) {
        long v = (long)(test_random(&random) >> 1);
        if (!attempt(how[test_random_below(&random, 3)], t, v, "send on closed channel")) {
            rn_add_relaxed(&t->cut_off, 1);
            return;
        }
        rn_add_relaxed(&t->sent, (uint64_t)v);
        rn_add_relaxed(&t->sends, 1);
    }
}

static bool receive_once(struct trial *t, uint64_t *random, long *v)
{
    bool open = false;
    switch (test_random_below(random, 3)) {
    case 0:
        return chan_next(t->c, v);
    case 1:
        while (chan_select(on_recv(t->other, NULL), on_recv_ok(t->c, v, &open)) != 1)
            ;
        return open;
    default:
        for (int err; (err = chan_try_recv(t->c, v)) != 0; rn_yield())
            if (err == RN_ECLOSED)
                return false;
        return true;
    }
}

static void receiver(void *arg)
{
    struct trial *t = arg;
    uint64_t random = t->seed ^ (uintptr_t)&random;
    for (long v; receive_once(t, &random, &v);) {
        rn_add_relaxed(&t->received, (uint64_t)v);
        rn_add_relaxed(&t->receives, 1);
    }
}

static void close_it(struct trial *t, long unused)
{
    (void)unused;
    chan_close(t->c);
}

static void closer(void *arg)
{
    struct trial *t = arg;
    uint64_t random = t->seed ^ (uintptr_t)&random;
    for (uint32_t n = test_random_below(&random, 200); n > 0; n--)
        rn_yield();
    if (attempt(close_it, t, 0, "close of closed channel"))
        rn_add_relaxed(&t->closes, 1);
    else
        rn_add_relaxed(&t->refused, 1);
}

TEST(close_races)
{
    RACES_ON_PURPOSE();
    uint64_t random = test_seed();
    for (rn_time until = stress_until() + 500 * RN_MILLISECOND; rn__now() < until;) {
        struct trial t = {.seed = test_random(&random), .steps = 500};
        struct stress_crew crew = {.threads = 0};
        int closers = 1 + (int)test_random_below(&random, 3), others = 1 + (int)test_random_below(&random, 6);
        t.c = chan_make(long, test_random_below(&random, 5));
        t.other = chan_make(int, 0);
        for (int i = 0; i < others; i++) {
            stress_start(&crew, false, sender, &t);
            stress_start(&crew, test_random_below(&random, 8) == 0, receiver, &t);
        }
        for (int i = 0; i < closers; i++)
            stress_start(&crew, false, closer, &t);
        stress_join(&crew);
        CHECK_EQ(t.closes, 1);
        CHECK_EQ(t.refused, closers - 1);
        CHECK_EQ(t.sends, t.receives);
        CHECK_EQ(t.sent, t.received);
        CHECK(nobody_waits(INSIDE(t.c)) && nobody_waits(INSIDE(t.other)));
        chan_free(t.c);
        chan_free(t.other);
    }
}

/* A closed channel tells everybody, however many there are and however they wait. */
static void wait_for_close(void *arg)
{
    struct trial *t = arg;
    uint64_t random = t->seed ^ (uintptr_t)&random;
    long v;
    if (receive_once(t, &random, &v))
        FAIL("a value came out of a channel that nobody sends on");
}

TEST(close_reaches_all)
{
    uint64_t random = test_seed();
    for (rn_time until = stress_until(); rn__now() < until;) {
        struct trial t = {.seed = test_random(&random)};
        struct stress_crew crew = {.threads = 0};
        int n = 1 + (int)test_random_below(&random, 200);
        t.c = chan_make(long, test_random_below(&random, 2));
        t.other = chan_make(int, 0);
        for (int i = 0; i < n; i++)
            stress_start(&crew, test_random_below(&random, 50) == 0, wait_for_close, &t);
        for (uint32_t k = test_random_below(&random, 50); k > 0; k--)
            rn_yield();
        chan_close(t.c);
        stress_join(&crew);
        CHECK(nobody_waits(INSIDE(t.c)) && nobody_waits(INSIDE(t.other)));
        chan_free(t.c);
        chan_free(t.other);
    }
}
