/* Pitfall: a channel is closed once; a second close panics. */
#include <runnel.h>

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) c = chan_make(int, 0);
    chan_close(c);
    chan_close(c);
    return 0;
}
