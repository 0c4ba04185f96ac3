/* Many senders and many receivers, goroutines and plain threads, on channels of every capacity: each
 * value comes out exactly once, and those of one sender come out in order at each receiver. */
#include "chan_stress.h"

enum { SENDERS_MAX = 40 };

struct trial {
    chan(long) c;
    long per_sender;
    rn_atomic(int) next_id;
    rn_atomic(uint64_t) sent, received, sends, receives;
    uint64_t seed;
    bool tries;
};

static uint64_t digest(uint64_t v)
{
    v ^= v >> 31;
    v *= 0x9E3779B97F4A7C15u;
    return v ^ v >> 29;
}

static void sender(void *arg)
{
    struct trial *t = arg;
    long id = rn_add_relaxed(&t->next_id, 1);
    uint64_t sum = 0, random = t->seed + (uint64_t)id;
    for (long i = 0; i < t->per_sender; i++) {
        long v = id << 32 | i;
        if (t->tries && test_random_below(&random, 4) == 0)
            while (chan_try_send(t->c, v) != 0)
                rn_yield();
        else
            chan_send(t->c, v);
        sum += digest((uint64_t)v);
    }
    rn_add_relaxed(&t->sent, sum);
    rn_add_relaxed(&t->sends, (uint64_t)t->per_sender);
}

static void receiver(void *arg)
{
    struct trial *t = arg;
    long last[SENDERS_MAX], v;
    uint64_t sum = 0, n = 0, random = t->seed ^ (uintptr_t)&v;
    memset(last, -1, sizeof last);
    for (;;) {
        int err = 0;
        if (t->tries && test_random_below(&random, 4) == 0) {
            err = chan_try_recv(t->c, &v);
            if (err == RN_EAGAIN) {
                rn_yield();
                continue;
            }
        } else if (!chan_next(t->c, &v)) {
            err = RN_ECLOSED;
        }
        if (err)
            break;
        long id = v >> 32, i = v & 0xFFFFFFFF;
        if (i <= last[id])
            FAIL("value %ld of sender %ld came after %ld", i, id, last[id]);
        last[id] = i;
        sum += digest((uint64_t)v);
        n++;
    }
    rn_add_relaxed(&t->received, sum);
    rn_add_relaxed(&t->receives, n);
}

static void run_trial(uint64_t *random, int threads_of_8)
{
    struct trial t = {.per_sender = 200 + test_random_below(random, 2000), .seed = test_random(random)};
    uint32_t caps[] = {0, 0, 1, 2, 3, 16, 128, 1000};
    uint32_t cap = caps[test_random_below(random, 8)];
    int senders = 1 + (int)test_random_below(random, 16), receivers = 1 + (int)test_random_below(random, 16);
    struct stress_crew out = {.threads = 0}, in = {.threads = 0};
    t.c = chan_make(long, cap);
    t.tries = test_random_below(random, 2) != 0;
    for (int i = 0; i < senders || i < receivers; i++) {
        if (i < senders)
            stress_start(&out, (int)test_random_below(random, 8) < threads_of_8, sender, &t);
        if (i < receivers)
            stress_start(&in, (int)test_random_below(random, 8) < threads_of_8, receiver, &t);
    }
    stress_join(&out);
    chan_close(t.c);
    stress_join(&in);
    if (t.sends != t.receives || t.sent != t.received)
        FAIL("capacity %u, %d senders, %d receivers: %llu sent, %llu received", cap, senders, receivers,
             (unsigned long long)t.sends, (unsigned long long)t.receives);
    CHECK(nobody_waits(INSIDE(t.c)));
    chan_free(t.c);
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

TEST_PLAIN(plain_threads_without_a_runtime)
{
    uint64_t random = test_seed();
    struct trial t = {.per_sender = 300, .seed = random};
    for (rn_time until = stress_until(); rn__now() < until;) {
        pthread_t threads[8];
        t.c = chan_make(long, test_random_below(&random, 4));
        t.sends = t.receives = t.sent = t.received = 0;
        t.next_id = 0;
        for (int i = 0; i < 8; i++) {
            struct stress_call *call = malloc(sizeof *call);
            *call = (struct stress_call){i < 4 ? sender : receiver, &t};
            REQUIRE(pthread_create(&threads[i], NULL, stress_thread, call) == 0);
        }
        for (int i = 0; i < 8; i++) {
            if (i == 4)
                chan_close(t.c);
            pthread_join(threads[i], NULL);
        }
        CHECK_EQ(t.sends, t.receives);
        CHECK_EQ(t.sent, t.received);
        chan_free(t.c);
    }
}
