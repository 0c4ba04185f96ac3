/* A buffered channel as a semaphore: its capacity is how many may work at once.  Sending takes a
 * slot, receiving gives it back; who can fill the channel knows that everybody has finished. */
#include <runnel.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int active, most, processed;

static void process(chan(rn_unit) sem)
{
    int now = atomic_fetch_add(&active, 1) + 1, seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
        ;
    rn_sleep(RN_MILLISECOND); /* simulate work */
    atomic_fetch_add(&processed, 1);
    atomic_fetch_sub(&active, 1);
    chan_recv(sem); /* release the slot */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    enum { MOST = 10, ITEMS = 100 };
    chan(rn_unit) sem = chan_make(rn_unit, MOST);
    defer(chan_free, sem);
    for (int i = 0; i < ITEMS; i++) {
        chan_send(sem, RN_UNIT); /* acquire a slot */
        go(process, sem);
    }
    for (int i = 0; i < MOST; i++) /* wait for all: take every slot */
        chan_send(sem, RN_UNIT);
    printf("%d processed, never more than %d at once: %s\n", atomic_load(&processed), MOST,
           atomic_load(&most) <= MOST ? "yes" : "no");
    return 0;
}
