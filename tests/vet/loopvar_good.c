/* A value, or memory, for each. */
#include <runnel.h>
#include <stdio.h>

static void show(int n)
{
    printf("%d\n", n);
}

static void add(int *n)
{
    __atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    int slot[3], total = 0;
    for (int i = 0; i < 3; i++) {
        slot[i] = i;
        wg_go(&wg, show, i);
        wg_go(&wg, add, &slot[i]);
        wg_go(&wg, add, &total);
    }
    wg_wait(&wg);
    for (int i = 0; i < 3; i++) { /* each waits for its own */
        wg_go(&wg, add, &i);
        wg_wait(&wg);
    }
    for (int *p = slot; p < slot + 3; p++)
        wg_go(&wg, add, p);
    wg_wait(&wg);
    return 0;
}
