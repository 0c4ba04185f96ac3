/* category: special libraries / a timer that has fired is drained once more
 * found-by: deadlock
 *
 * After a stop that comes too late the time is taken from the channel, from which it was taken before. */
#include <runnel.h>

static void pause_for(rn_duration d)
{
    rn_timer t;
    rn_timer_init(&t, d);
    chan_recv(rn_timer_chan(&t));
#ifdef FIXED
    rn_timer_stop(&t);
#else
    if (!rn_timer_stop(&t))
        chan_recv(rn_timer_chan(&t));
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    pause_for(RN_MILLISECOND);
    return 0;
}
