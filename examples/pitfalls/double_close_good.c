/* Cure: only one owner closes.  When several may be first, a once settles who. */
#include <runnel.h>
#include <stdio.h>

struct shutdown {
    rn_once once;
    chan(rn_unit) done;
};

static void close_done(struct shutdown *s)
{
    chan_close(s->done);
}

static void shut_down(struct shutdown *s)
{
    once_do(&s->once, close_done, s);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct shutdown s = {.done = chan_make(rn_unit, 0)};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, shut_down, &s);
    chan_recv(s.done);
    wg_wait(&wg);
    chan_free(s.done);
    puts("closed once");
    return 0;
}
