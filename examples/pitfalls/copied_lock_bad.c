/* Pitfall: a struct with a lock is passed by value: each goroutine locks, and counts in, a copy of its own. */
#include <runnel.h>
#include <stdio.h>

struct counter {
    rn_mutex mu;
    int count;
};

static void increment(struct counter c) /* by value! */
{
    mutex_lock(&c.mu);
    c.count++;
    mutex_unlock(&c.mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct counter c = {.count = 0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, increment, c);
    wg_wait(&wg);
    printf("counted: %d\n", c.count);
    return 0;
}
