/* category: communication deadlock / channel: the only receiver sends
 * found-by: deadlock
 *
 * The request to compact is sent by the goroutine that would have to receive it, and one is there already. */
#include <runnel.h>

struct compactor {
    chan(rn_unit) wanted;
    int done;
};

static void want(struct compactor *c)
{
#ifdef FIXED
    chan_try_send(c->wanted, RN_UNIT);
#else
    chan_send(c->wanted, RN_UNIT);
#endif
}

static void compact(struct compactor *c)
{
    c->done++;
    chan_recv(c->wanted);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct compactor c = {.wanted = chan_make(rn_unit, 1)};
    want(&c);
    want(&c);
    compact(&c);
    return 0;
}
