/* Channels that go from thread to thread: each is used often in a row, so that it becomes the thread's own, and then by
 * others, plain threads that come and go and goroutines.  What the lock guards is checked at each turn, and that no value is lost;
 * some channels are freed by whoever has the last value. */
#include "chan_stress.h"
#include <runnel/sync.h>
#include <runnel/time.h>

enum { CHANNELS = 4, ROOM = 3 };

static chan(long) channels[CHANNELS];
static struct {
    long a, b; /* the same while nobody has the lock */
} cells[CHANNELS];
static rn_atomic(long) sent, received, turns;
static rn_time until;

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* With the lock, as an operation has it. */
static LOOKS_INSIDE void turn(int i)
{
    struct rn_chan *c = INSIDE(channels[i]);
    rn__chan_lock(c);
    CHECK_EQ(cells[i].a, cells[i].b);
    cells[i].a++;
    __asm__ volatile("" ::: "memory");
    cells[i].b++;
    rn__chan_unlock(c);
    rn_add_relaxed(&turns, 1);
}

static void give_or_take(int i, uint32_t kind)
{
    long v = kind;
    if (kind % 2 == 0 && chan_try_send(channels[i], v) == 0)
        rn_add_relaxed(&sent, v);
    else if (kind % 2 && chan_try_recv(channels[i], &v) == 0)
        rn_add_relaxed(&received, v);
}

static void use(void *seed)
{
    uint32_t s = (uint32_t)(uintptr_t)seed;
    rn_sleep(1); /* only threads that the runtime knows own channels */
    while (rn__now() < until) {
        int i = (int)(next(&s) % CHANNELS);
        uint32_t n = next(&s) % 4 ? 1 + next(&s) % 50 : 5000;
        for (uint32_t k = 0; k < n; k++) {
            turn(i);
            give_or_take(i, next(&s) % 100);
        }
        rn_yield();
    }
}

TEST(what_they_guard_holds)
{
    struct stress_crew crew = {.threads = 0};
    let_sections_pay();
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = chan_make(long, ROOM);
    until = stress_until();
    for (uintptr_t i = 0; i < 8; i++)
        stress_start(&crew, i % 2, use, (void *)(i * 1000 + 1));
    stress_join(&crew);
    long sum = 0;
    for (int i = 0; i < CHANNELS; i++) {
        for (long v; chan_try_recv(channels[i], &v) == 0;)
            rn_add_relaxed(&received, v);
        CHECK_EQ(cells[i].a, cells[i].b);
        sum += cells[i].a;
        chan_free(channels[i]);
    }
    CHECK_EQ(sum, rn_load_relaxed(&turns));
    CHECK_EQ(rn_load_relaxed(&sent), rn_load_relaxed(&received));
}

static void take_last(void *arg)
{
    chan(long) c = arg;
    CHECK_EQ(chan_recv(c), 1);
    chan_free(c);
}

/* The owner gives the last value, and the other one frees the channel while the owner is still on its way out. */
TEST(the_last_frees_it)
{
    let_sections_pay();
    until = stress_until();
    for (int i = 0; rn__now() < until; i++) {
        chan(long) c = chan_make(long, 1);
        for (long k = 0; k < 2200; k++) {
            chan_send(c, k);
            CHECK_EQ(chan_recv(c), k);
        }
        struct stress_crew crew = {.threads = 0};
        stress_start(&crew, i % 2, take_last, c);
        chan_send(c, 1L);
        stress_join(&crew);
    }
}
