/* Timers that are still pending when their variable is gone. */
#include <runnel.h>

struct connection {
    rn_timer idle;
    int n;
};

static void expire(void *arg)
{
    (void)arg;
}

static void arms(void)
{
    rn_timer t;
    rn_after_func(&t, RN_SECOND, expire, NULL); // want losttimer
}

static int leaves_early(int n)
{
    rn_timer t;
    rn_timer_init(&t, RN_SECOND); // want losttimer
    if (n)
        return 1;
    chan_recv(rn_timer_chan(&t));
    return 0;
}

static void ticks(void)
{
    rn_ticker t;
    rn_ticker_init(&t, RN_SECOND); // want losttimer
    chan_recv(rn_ticker_chan(&t));
}

static int other_case(chan(int) c)
{
    rn_timer t;
    int v = 0;
    rn_timer_init(&t, RN_SECOND); // want losttimer
    switch (chan_select(on_recv(c, &v), on_recv(rn_timer_chan(&t), NULL))) {
    case 0:
        return v;
    default:
        return -1;
    }
}

static void inside_a_struct(void)
{
    struct connection c = {.n = 1};
    rn_after_func(&c.idle, RN_SECOND, expire, NULL); // want losttimer
    c.n++;
}

static void set_again(void)
{
    rn_timer t;
    rn_timer_init(&t, 1);
    chan_recv(rn_timer_chan(&t));
    rn_timer_reset(&t, RN_SECOND); // want losttimer
}

static void each_round(void)
{
    for (int i = 0; i < 3; i++) {
        rn_timer t;
        rn_timer_init(&t, i); // want losttimer
    }
}

static void nobody_frees(chan(int) c)
{
    int v;
    while (chan_select(on_recv(c, &v), on_recv(rn_after(RN_SECOND), NULL)) == 0) // want losttimer
        ;
    chan_recv(rn_after(1));                                  // want losttimer
    for (rn_time at; v-- > 0 && chan_next(rn_tick(1), &at);) // want losttimer
        ;
}

static void deferred_too_soon(void)
{
    rn_timer t;
    {
        rn_timer_init(&t, RN_SECOND);
        defer(rn_timer_destroy, &t);
        chan_recv(rn_timer_chan(&t));
    }
    rn_timer_reset(&t, RN_SECOND); // want losttimer
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    chan(int) c = chan_make(int, 1);
    chan_send(c, argc);
    arms(), leaves_early(argc), ticks(), other_case(c), inside_a_struct(), set_again(), each_round(), nobody_frees(c),
        deferred_too_soon();
    chan_free(c);
    return 0;
}
