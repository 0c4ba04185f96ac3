/* category: misuse of channels / closed twice
 * found-by: explore
 *
 * Two who may both end the session ask whether it is closed already, and close it if not.  Between the
 * question and the close the other one has closed it. */
#include <runnel.h>

struct session {
    chan(rn_unit) closed;
    rn_once once;
};

static void close_session(struct session *s)
{
#ifdef FIXED
    once_do(&s->once, rn_chan_close, s->closed);
#else
    switch (chan_select(on_recv(s->closed, NULL), on_default())) {
    case 0:
        return;
    case 1:
        rn_yield();
        chan_close(s->closed);
    }
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct session s = {.closed = chan_make(rn_unit, 0)};
    wg_go(&wg, close_session, &s);
    wg_go(&wg, close_session, &s);
    wg_wait(&wg);
    chan_free(s.closed);
    return 0;
}
