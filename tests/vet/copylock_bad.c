/* Copies of locks and of what has one inside. */
#include <runnel.h>
#include <string.h>

struct counter {
    rn_mutex mu;
    int n;
};
struct server {
    struct counter counters[2];
    rn_waitgroup *wg;
};
typedef struct counter counter_t;

static void by_value(rn_mutex mu) // want copylock
{
    mutex_lock(&mu);
    mutex_unlock(&mu);
}

static void wait_for(rn_waitgroup wg) // want copylock
{
    wg_wait(&wg);
}

static int value(counter_t c) // want copylock
{
    return c.n;
}

static struct counter snapshot(struct counter *c)
{
    return *c; // want copylock
}

static struct counter made(void)
{
    struct counter c = {.n = 1};
    mutex_lock(&c.mu);
    mutex_unlock(&c.mu);
    return c; // want copylock
}

static void consume(chan_recv_only(struct counter) in)
{
    struct counter c = chan_recv(in); // want copylock
    (void)c;
}

static void memory(struct counter *to, struct counter *from)
{
    memcpy(to, from, sizeof *to); // want copylock
}

static rn_once once;
static rn_once_value(int) answer;

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_mutex a = RN_MUTEX_INIT;
    rn_mutex b = a; // want copylock
    rn_waitgroup wg = {0};
    struct counter c = {0}, d;
    struct server s = {0}, t;
    d = c;             // want copylock
    t = s;             // want copylock
    s.counters[0] = c; // want copylock
    struct counter *p = &c;
    struct counter e = *p;               // want copylock
    struct server u = {.counters = {c}}; // want copylock
    rn_once again = once;                // want copylock
    __typeof__(answer) other = answer;   // want copylock
    for (int i = 0; i < 2; i++) {
        struct counter each = s.counters[i]; // want copylock
        each.n++;
    }
    by_value(b);             // want copylock
    wait_for(wg);            // want copylock
    go(wait_for, wg);        // want copylock
    value(argc > 1 ? c : d); // want copylock
    chan(struct counter) out = chan_make(struct counter, 1);
    chan_send(out, c); // want copylock
    consume(out);
    snapshot(&e);
    made();
    memory(&c, &d);
    rn_cond cond = {0}, cond2;
    cond2 = cond;                                        // want copylock
    rn_rwmutex rw = {0}, rw2 = rw;                       // want copylock
    rn_semaphore sem = RN_SEMAPHORE_INIT(2), sem2 = sem; // want copylock
    rn_pool pool = {0}, pool2 = pool;                    // want copylock
    rn_map map = {0}, map2 = map;                        // want copylock
    rn_group group = {0}, group2 = group;                // want copylock
    rn_atomic_int count = {0}, count2 = count;           // want copylock
    (void)cond2, (void)rw2, (void)sem2, (void)pool2, (void)map2, (void)group2, (void)count2, (void)again, (void)other;
    (void)u, (void)t;
    chan_free(out);
    return 0;
}
