/* A ticker sends the time again and again; a timer once.  Stopping either leaves nothing behind. */
#include <runnel.h>
#include <stdio.h>

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_ticker every;
    rn_ticker_init(&every, 10 * RN_MILLISECOND);
    rn_timer end;
    rn_timer_init(&end, RN_HOUR);

    int ticks = 0;
    while (ticks < 3 && chan_select(on_recv(rn_ticker_chan(&every), NULL), on_recv(rn_timer_chan(&end), NULL)) == 0)
        printf("tick %d\n", ++ticks);
    printf("stopped in time: %s\n", rn_timer_stop(&end) ? "yes" : "no");
    rn_ticker_destroy(&every);
    rn_timer_destroy(&end);
    return 0;
}
