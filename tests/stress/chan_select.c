/* Random selects on a few channels, by goroutines and plain threads: everything sent is received, once,
 * and no waiter is left behind.  Each of a crew does, at random: a select of up to 12 cases (sends
 * and receives, doubles and NULLs among them, with or without default, timeout and context), a plain send
 * or receive, or a try. */
#include "chan_stress.h"
#include <runnel/context.h>

enum { CHANS = 6, CASES = 12 };

struct trial {
    chan(long) c[CHANS];
    rn_context *ctx;
    rn_atomic(uint64_t) sent, received, sends, receives;
    rn_atomic(int) id;
    uint64_t seed;
    int steps;
};

struct member {
    struct trial *t;
    uint64_t random, sent, received, sends, receives;
    long value;
};

static void count(struct member *m, bool send, long v)
{
    if (send)
        m->sent += (uint64_t)v, m->sends++;
    else
        m->received += (uint64_t)v, m->receives++;
}

static void select_some(struct member *m)
{
    struct rn_case cases[CASES + 3];
    long v[CASES];
    size_t n = 1 + test_random_below(&m->random, CASES);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = test_random_below(&m->random, CHANS + 1);
        v[i] = ++m->value;
        cases[i] = (struct rn_case){.kind = test_random_below(&m->random, 2) ? RN_CASE_SEND : RN_CASE_RECV,
                                    .chan = at < CHANS ? RN__CH(m->t->c[at]) : NULL,
                                    .elem = &v[i]};
    }
    size_t all = n;
    uint32_t kind = test_random_below(&m->random, 4);
    if (kind == 0)
        cases[all++] = on_default();
    else if (kind == 1)
        cases[all++] = on_done(m->t->ctx);
    /* Never for ever: the others may all have gone. */
    cases[all++] = on_timeout((1 + test_random_below(&m->random, 300)) * RN_MICROSECOND);
    size_t k = (size_t)chan_select_array(cases, all);
    if (k < n)
        count(m, cases[k].kind == RN_CASE_SEND, v[k]);
}

static void step(struct member *m)
{
    chan(long) c = m->t->c[test_random_below(&m->random, CHANS)];
    long v = ++m->value;
    switch (test_random_below(&m->random, 6)) {
    case 0:
        if (chan_try_send(c, v) == 0)
            count(m, true, v);
        break;
    case 1:
        if (chan_try_recv(c, &v) == 0)
            count(m, false, v);
        break;
    case 2:
        if (chan_select(on_send(c, v), on_timeout(100 * RN_MICROSECOND)) == 0)
            count(m, true, v);
        break;
    default:
        select_some(m);
    }
}

static void work(void *arg)
{
    struct trial *t = arg;
    long id = rn_add_relaxed(&t->id, 1);
    struct member m = {.t = t, .random = t->seed + (uint64_t)id * 77, .value = id << 40};
    for (int i = 0; i < t->steps; i++)
        step(&m);
    rn_add_relaxed(&t->sent, m.sent);
    rn_add_relaxed(&t->received, m.received);
    rn_add_relaxed(&t->sends, m.sends);
    rn_add_relaxed(&t->receives, m.receives);
}

static void finish(struct trial *t)
{
    for (int i = 0; i < CHANS; i++) {
        long v;
        CHECK(nobody_waits(INSIDE(t->c[i])));
        while (chan_try_recv(t->c[i], &v) == 0) {
            t->received += (uint64_t)v;
            t->receives++;
        }
        chan_free(t->c[i]);
    }
    if (t->sends != t->receives || t->sent != t->received)
        FAIL("%llu sent, %llu received", (unsigned long long)t->sends, (unsigned long long)t->receives);
}

static void run_trial(uint64_t *random, int threads_of_8)
{
    struct trial t = {.seed = test_random(random), .steps = 100, .ctx = rn_ctx_with_cancel(NULL)};
    struct stress_crew crew = {.threads = 0};
    int n = 2 + (int)test_random_below(random, 14);
    for (int i = 0; i < CHANS; i++)
        t.c[i] = chan_make(long, test_random_below(random, 3));
    for (int i = 0; i < n; i++)
        stress_start(&crew, (int)test_random_below(random, 8) < threads_of_8, work, &t);
    if (test_random_below(random, 2))
        rn_ctx_cancel(t.ctx);
    stress_join(&crew);
    finish(&t);
    rn_ctx_cancel(t.ctx);
}

TEST(goroutines)
{
    uint64_t random = test_seed();
    for (rn_time until = stress_until(); rn__now() < until;)
        run_trial(&random, 0);
}

TEST(goroutines_and_plain_threads)
{
    uint64_t random = test_seed();
    for (rn_time until = stress_until(); rn__now() < until;)
        run_trial(&random, 3);
}

/* Nothing but selects that wait for ever, with as many sends as receives. */
struct match {
    chan(long) c[4];
    rn_atomic(int) sends_left, receives_left;
    rn_atomic(uint64_t) sent, received;
    uint64_t seed;
};

static void only_send(void *arg)
{
    struct match *x = arg;
    uint64_t random = x->seed ^ (uintptr_t)&random;
    while (rn_sub_relaxed(&x->sends_left, 1) > 0) {
        long v = (long)test_random(&random);
        uint32_t a = test_random_below(&random, 4), b = test_random_below(&random, 4);
        chan_select(on_send(x->c[a], v), on_send(x->c[b], v), on_send(x->c[3 - a], v), on_send(x->c[3 - b], v));
        rn_add_relaxed(&x->sent, (uint64_t)v);
    }
}

static void only_receive(void *arg)
{
    struct match *x = arg;
    uint64_t random = x->seed ^ (uintptr_t)&random;
    while (rn_sub_relaxed(&x->receives_left, 1) > 0) {
        long v = 0;
        uint32_t a = test_random_below(&random, 4);
        chan_select(on_recv(x->c[a], &v), on_recv(x->c[(a + 1) % 4], &v), on_recv(x->c[(a + 2) % 4], &v),
                    on_recv(x->c[(a + 3) % 4], &v));
        rn_add_relaxed(&x->received, (uint64_t)v);
    }
}

TEST(selects_that_wait_for_ever_all_end)
{
    uint64_t random = test_seed();
    for (rn_time until = stress_until(); rn__now() < until;) {
        struct match x = {.sends_left = 3000, .receives_left = 3000, .seed = test_random(&random)};
        struct stress_crew crew = {.threads = 0};
        for (int i = 0; i < 4; i++)
            x.c[i] = chan_make(long, 0);
        for (int i = 0; i < 10; i++)
            stress_start(&crew, test_random_below(&random, 4) == 0, i % 2 ? only_send : only_receive, &x);
        stress_join(&crew);
        CHECK_EQ(x.sent, x.received);
        for (int i = 0; i < 4; i++) {
            CHECK(nobody_waits(INSIDE(x.c[i])));
            chan_free(x.c[i]);
        }
    }
}
