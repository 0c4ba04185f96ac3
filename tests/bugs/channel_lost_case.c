/* category: communication deadlock / channel: the server has stopped
 * found-by: explore
 *
 * status() asks a node that has just been stopped: the request has no case for that. */
#include <runnel.h>

struct node {
    chan(chan(int)) status;
    chan(rn_unit) stop, done;
};

static void run(struct node *n)
{
    for (;;) {
        chan(int) answer;
        rn_unit u;
        switch (chan_select(on_recv(n->status, &answer), on_recv(n->stop, &u))) {
        case 0:
            chan_send(answer, 1);
            break;
        case 1:
            chan_close(n->done);
            return;
        }
    }
}

static void status(struct node *n)
{
    chan(int) answer = chan_make(int, 1);
#ifdef FIXED
    rn_unit u;
    if (chan_select(on_send(n->status, answer), on_recv(n->done, &u)) == 1)
        return;
#else
    chan_send(n->status, answer);
#endif
    chan_recv(answer);
}

static void stop(struct node *n)
{
    chan_send(n->stop, RN_UNIT);
    chan_recv(n->done);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct node n = {chan_make(chan(int), 0), chan_make(rn_unit, 0), chan_make(rn_unit, 0)};
    rn_waitgroup wg = {0};
    wg_go(&wg, run, &n);
    wg_go(&wg, status, &n);
    wg_go(&wg, stop, &n);
    wg_wait(&wg);
    return 0;
}
