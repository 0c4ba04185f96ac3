/* category: data race / what a lock guards is given out
 * found-by: race
 *
 * The getter locks, and returns the array itself instead of a copy: the caller goes through it without the
 * lock while others append. */
#include <runnel.h>
#include <string.h>

enum { ROOM = 8 };
struct list {
    rn_mutex mu;
    int item[ROOM], n;
};

static void append(struct list *l, int n)
{
    for (int i = 0; i < n; i++) {
        mutex_lock(&l->mu);
        l->item[l->n++] = 1;
        mutex_unlock(&l->mu);
        rn_yield();
    }
}

static int sum(struct list *l)
{
    int total = 0;
    mutex_lock(&l->mu);
#ifdef FIXED
    int copy[ROOM], n = l->n;
    memcpy(copy, l->item, sizeof copy);
    const int *items = copy;
#else
    const int *items = l->item;
    int n = ROOM;
#endif
    mutex_unlock(&l->mu);
    for (int i = 0; i < n; i++)
        total += items[i];
    return total;
}

static void watch(struct list *l, int *last)
{
    for (int i = 0; i < ROOM; i++) {
        *last = sum(l);
        rn_yield();
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct list l = {0};
    int last[2] = {0};
    for (int i = 0; i < 2; i++) {
        wg_go(&wg, append, &l, ROOM / 2);
        wg_go(&wg, watch, &l, &last[i]);
    }
    wg_wait(&wg);
    return last[0] <= ROOM && last[1] <= ROOM ? 0 : 1;
}
