/* category: misuse of channels / select takes work after the stop
 * found-by: explore
 *
 * Both the work and the stop are ready, and select chooses either: work is done after the stop.  Who needs an
 * order has to look at the stop once more. */
#include <runnel.h>

struct loop {
    chan(int) work;
    chan(rn_unit) stop;
    rn_atomic_bool stopped;
    int late;
};

static void run(struct loop *l)
{
    for (int v;;) {
        switch (chan_select(on_recv(l->work, &v), on_recv(l->stop, NULL))) {
        case 0:
#ifdef FIXED
            if (chan_select(on_recv(l->stop, NULL), on_default()) == 0)
                return;
#endif
            l->late += rn_atomic_load(&l->stopped);
            break;
        case 1:
            return;
        }
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct loop l = {.work = chan_make(int, 1), .stop = chan_make(rn_unit, 0)};
    chan_send(l.work, 1);
    chan_close(l.stop);
    rn_atomic_store(&l.stopped, true);
    wg_go(&wg, run, &l);
    wg_wait(&wg);
    chan_free(l.work);
    chan_free(l.stop);
    return l.late ? 1 : 0;
}
