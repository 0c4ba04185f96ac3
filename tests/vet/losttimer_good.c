/* Timers that have come to their end when their variable does. */
#include <runnel.h>

struct connection {
    rn_timer idle;
};

static void expire(void *arg)
{
    (void)arg;
}

static void deferred(void)
{
    rn_timer t;
    rn_ticker k;
    rn_after_func(&t, RN_SECOND, expire, NULL);
    defer(rn_timer_destroy, &t);
    rn_ticker_init(&k, RN_SECOND);
    defer(rn_ticker_destroy, &k);
    chan_recv(rn_ticker_chan(&k));
}

static void fires(void)
{
    rn_timer t;
    rn_timer_init(&t, 1);
    chan_recv(rn_timer_chan(&t));
}

static int each_case(chan(int) c)
{
    rn_timer t;
    int v = 0;
    rn_timer_init(&t, RN_SECOND);
    switch (chan_select(on_recv(c, &v), on_recv(rn_timer_chan(&t), NULL))) {
    case 0:
        rn_timer_stop(&t);
        return v;
    default:
        return -1;
    }
}

static int asked(chan(int) c)
{
    rn_timer t;
    int v = 0;
    rn_timer_init(&t, RN_SECOND);
    if (chan_select(on_recv(c, &v), on_recv(rn_timer_chan(&t), NULL)) == 1)
        return -1;
    rn_timer_stop(&t);
    return v;
}

static void end(rn_timer *t)
{
    rn_timer_destroy(t);
}

static void ended_by_another(void)
{
    rn_timer t;
    rn_timer_init(&t, RN_SECOND);
    end(&t);
}

static void of_others(struct connection *c)
{
    static rn_timer t;
    rn_timer_init(&t, RN_SECOND);
    rn_timer_init(&c->idle, RN_SECOND);
}

static void kept(chan(int) c)
{
    chan_recv_only(rn_time) late = rn_after(RN_SECOND), every = rn_tick(RN_SECOND);
    defer(chan_free, late);
    defer(chan_free, every);
    while (chan_select(on_recv(c, NULL), on_recv(late, NULL), on_timeout(RN_MINUTE)) == 0)
        chan_recv(every);
}

static void set_each_round(chan(int) values)
{
    rn_timer t;
    rn_timer_init(&t, RN_SECOND);
    defer(rn_timer_destroy, &t);
    while (chan_select(on_recv(values, NULL), on_timeout(RN_MILLISECOND)) == 0)
        rn_timer_reset(&t, RN_SECOND);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_timer t;
    static struct connection c;
    chan(int) values = chan_make(int, 2);
    chan_send(values, argc);
    chan_send(values, argc);
    rn_timer_init(&t, RN_SECOND); /* ends with the program */
    deferred(), fires(), each_case(values), asked(values), ended_by_another(), of_others(&c), kept(values),
        set_each_round(values);
    chan_free(values);
    return 0;
}
