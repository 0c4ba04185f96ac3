/* Many items, few goroutines: a pool whose size is chosen, not one goroutine for each of a million
 * items.  (runnel would bear it; what they work on, files or connections, often would not.) */
#include <runnel.h>
#include <stdio.h>

static void worker(chan_recv_only(int) items, rn_atomic_int64 *sum)
{
    int64_t mine = 0;
    for (int item; chan_next(items, &item);)
        mine += item;
    rn_atomic_add(sum, mine);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    enum { ITEMS = 1000000 };
    chan(int) items = chan_make(int, 128);
    defer(chan_free, items);
    rn_atomic_int64 sum = {0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 4 * rn_procs(); i++)
        wg_go(&wg, worker, items, &sum);
    for (int i = 1; i <= ITEMS; i++)
        chan_send(items, i);
    chan_close(items);
    wg_wait(&wg);
    printf("%lld\n", (long long)rn_atomic_load(&sum));
    return 0;
}
