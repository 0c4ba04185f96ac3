/* The counter, first way: a mutex guards it.  Without one a thousand goroutines lose counts (see
 * pitfalls/data_race_bad.c). */
#include <runnel.h>
#include <stdio.h>

struct safe_counter {
    rn_mutex mu;
    int count; /* guarded by mu */
};

static void increment(struct safe_counter *c)
{
    mutex_lock(&c->mu);
    defer(mutex_unlock, &c->mu);
    c->count++;
}

static int value(struct safe_counter *c)
{
    mutex_lock(&c->mu);
    defer(mutex_unlock, &c->mu);
    return c->count;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct safe_counter c = {.count = 0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 1000; i++)
        wg_go(&wg, increment, &c);
    wg_wait(&wg);
    printf("%d\n", value(&c));
    return 0;
}
