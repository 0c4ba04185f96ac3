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

static void append(struct list *l, int v)
{
    mutex_lock(&l->mu);
    l->item[l->n++] = v;
    mutex_unlock(&l->mu);
}

static void sum(struct list *l, int *to)
{
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
        *to += items[i];
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct list l = {0};
    int total = 0;
    wg_go(&wg, append, &l, 1);
    wg_go(&wg, sum, &l, &total);
    wg_go(&wg, append, &l, 2);
    wg_wait(&wg);
    return total <= 3 ? 0 : 1;
}
