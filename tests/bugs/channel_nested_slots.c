/* category: communication deadlock / channel: as a semaphore, taken again within
 * found-by: deadlock
 *
 * Each visit takes a slot and keeps it while it visits what is below: as soon as all slots are held by those
 * who want another, nobody goes on. */
#include <runnel.h>

static void visit(int depth, chan(int) slots)
{
    chan_send(slots, 1);
#ifdef FIXED
    chan_recv(slots);
#endif
    if (depth > 0)
        visit(depth - 1, slots);
#ifndef FIXED
    chan_recv(slots);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    chan(int) slots = chan_make(int, 2);
    wg_go(&wg, visit, 2, slots);
    wg_go(&wg, visit, 2, slots);
    wg_wait(&wg);
    chan_free(slots);
    return 0;
}
