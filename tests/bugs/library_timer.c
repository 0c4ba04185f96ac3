/* category: special libraries / a timer's function and its owner
 * found-by: race
 *
 * rn_after_func runs its function in a goroutine of its own.  That stop was called says nothing about a
 * function that has begun: it writes what the owner reads. */
#include <runnel.h>

struct lease {
    rn_timer timer;
    rn_mutex mu;
    int renewals;
    chan(rn_unit) fired;
};

static void renew(struct lease *l)
{
#ifdef FIXED
    mutex_lock(&l->mu);
    l->renewals++;
    mutex_unlock(&l->mu);
    chan_send(l->fired, RN_UNIT);
#else
    chan_send(l->fired, RN_UNIT);
    l->renewals++;
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static struct lease l;
    l.fired = chan_make(rn_unit, 0);
    rn_after_func(&l.timer, RN_MILLISECOND, renew, &l);
    chan_recv(l.fired);
    rn_timer_stop(&l.timer);
    mutex_lock(&l.mu);
    int n = l.renewals++;
    mutex_unlock(&l.mu);
    rn_timer_destroy(&l.timer);
    return n >= 0 ? 0 : 1;
}
