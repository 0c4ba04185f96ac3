/* category: communication deadlock / channel: two that serve each other send
 * found-by: leaks
 *
 * The store answers an event twice; while it waits with the second answer, its partner sends the next event. */
#include <runnel.h>
#include <stdlib.h>

struct pair {
    chan(int) events, answers;
};

static void partner(struct pair *p)
{
    for (int v; chan_next(p->answers, &v);)
        if (v > 0)
            chan_send(p->events, v - 1);
    chan_close(p->events);
}

static void store(struct pair *p)
{
    for (int v; chan_next(p->events, &v);) {
        chan_send(p->answers, v);
#ifndef FIXED
        chan_send(p->answers, v);
#endif
        if (v == 0)
            break;
    }
    chan_close(p->answers);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct pair *p = calloc(1, sizeof *p);
    *p = (struct pair){chan_make(int, 0), chan_make(int, 0)};
    go(partner, p);
    go(store, p);
    chan_send(p->events, 5);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
