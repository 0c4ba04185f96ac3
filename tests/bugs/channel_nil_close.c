/* category: misuse of channels / closed before it is made
 * found-by: panic
 *
 * stop() may be called before start() has made the channel: closing a NULL channel panics. */
#include <runnel.h>

struct service {
    chan(rn_unit) quit;
};

static void start(struct service *s)
{
    s->quit = chan_make(rn_unit, 0);
}

static void stop(struct service *s)
{
#ifdef FIXED
    if (!s->quit)
        return;
#endif
    chan_close(s->quit);
    chan_free(s->quit);
    s->quit = NULL;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct service s = {0};
    stop(&s);
    start(&s);
    stop(&s);
    return 0;
}
