/* A waitgroup waits for a number of goroutines: add before go, done at the end, wait until all are done.
 * wg_go does the first two by itself, also when the function ends early. */
#include <runnel.h>
#include <stdio.h>

static void worker(int n)
{
    printf("worker %d\n", n);
}

static void worker_by_hand(int n, rn_waitgroup *wg)
{
    defer(wg_done, wg); /* runs on every way out */
    printf("worker %d\n", n);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 5; i++)
        wg_go(&wg, worker, i);
    for (int i = 5; i < 10; i++) {
        wg_add(&wg, 1); /* before go: in the goroutine it could come after the wait */
        go(worker_by_hand, i, &wg);
    }
    wg_wait(&wg);
    return 0;
}
