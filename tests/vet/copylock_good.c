/* The same, by pointer; and new values, which are no copies. */
#include <runnel.h>
#include <string.h>

struct counter {
    rn_mutex mu;
    int n;
};
struct view {
    struct counter *counter;
    rn_mutex *mu;
};
static const struct counter fresh = {.n = 3};

static int value(struct counter *c)
{
    mutex_lock(&c->mu);
    int n = c->n;
    mutex_unlock(&c->mu);
    return n;
}

static struct counter *make(struct counter *room)
{
    *room = (struct counter){.n = 7};
    return room;
}

static struct counter new_counter(int n)
{
    return (struct counter){.n = n};
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct counter c = {0}, table[3] = {{.n = 1}};
    rn_mutex mu = RN_MUTEX_INIT, other = {0};
    rn_pool pool = RN_POOL_INIT(NULL, NULL);
    rn_atomic_int count = {0};
    struct view v = {&c, &mu}, w = v; /* pointers may be copied */
    struct counter first = fresh;     /* a constant was never in use */
    struct counter second = new_counter(2);
    struct counter *p = &table[1], *q = p;
    mu = (rn_mutex){0};
    memset(&other, 0, sizeof other);
    for (int i = 0; i < 3; i++)
        value(&table[i]);
    for (struct counter *e = table; e < table + 3; e++)
        value(e);
    rn_atomic_add(&count, 1);
    int n = rn_atomic_load(&count);
    chan(struct counter *) out = chan_make(struct counter *, 1);
    chan_send(out, &c);
    struct counter *back = chan_recv(out);
    chan_free(out);
    rn_pool_drain(&pool);
    return value(make(back)) + value(&first) + value(&second) + value(w.counter) + value(q) + n + argc > 0 ? 0 : 1;
}
