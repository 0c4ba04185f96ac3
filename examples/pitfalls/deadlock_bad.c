/* Pitfall: a send on an unbuffered channel waits for a receiver, and the only one who could receive
 * is waiting.  The runtime sees that nobody can go on, and says so. */
#include <runnel.h>
#include <stdio.h>

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(const char *) c = chan_make(const char *, 0);
    chan_send(c, "hello"); /* no receiver exists */
    puts(chan_recv(c));
    return 0;
}
