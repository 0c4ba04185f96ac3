/* category: communication deadlock / channel: the receiver has timed out
 * found-by: leaks
 *
 * The answer comes after the one who asked has gone: there is nobody to receive it, and no room. */
#include <runnel.h>

static void answer(chan_send_only(int) out)
{
    rn_sleep(2 * RN_MILLISECOND);
    chan_send(out, 42);
}

static int ask(rn_duration patience)
{
#ifdef FIXED
    chan(int) c = chan_make(int, 1);
#else
    chan(int) c = chan_make(int, 0);
#endif
    int got;
    go(answer, c);
    return chan_select(on_recv(c, &got), on_timeout(patience));
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    ask(RN_MICROSECOND);
    rn_sleep(5 * RN_MILLISECOND);
    return 0;
}
