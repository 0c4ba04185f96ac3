/* category: communication deadlock / channel: whoever collects returns at the first error
 * found-by: leaks
 *
 * Three shards that are down are asked; the first error ends the collecting, and the other two can't deliver. */
#include <runnel.h>

static void query(int shard, chan_send_only(int) out)
{
    chan_send(out, -1 - shard);
}

static int collect(void)
{
    enum { SHARDS = 3 };
#ifdef FIXED
    chan(int) out = chan_make(int, SHARDS);
#else
    chan(int) out = chan_make(int, 0);
#endif
    for (int i = 0; i < SHARDS; i++)
        go(query, i, out);
    for (int i = 0; i < SHARDS; i++)
        if (chan_recv(out) < 1)
            return -1;
    return 0;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    collect();
    rn_sleep(RN_MILLISECOND);
    return 0;
}
