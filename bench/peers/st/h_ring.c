/* (h) a ring of 503 threads passes a token, 1 M hops; one operation is one hop. */
#include "../../stat.h"
#include "meet.h"

enum { R = 503, N = 1000000 };

static struct meet place[R], done;

static void *pass(void *arg)
{
    struct meet *in = arg, *out = in == &place[R - 1] ? &place[0] : in + 1;
    for (;;) {
        long v = meet_receive(in);
        if (v == 0)
            break;
        meet_send(out, v - 1);
    }
    meet_send(&done, 1);
    return NULL;
}

static void ring(void)
{
    /* As in the other programs the rest stays blocked, and their places with them. */
    for (int i = 0; i < R; i++)
        meet_init(&place[i]);
    for (int i = 0; i < R; i++)
        st_thread_create(pass, &place[i], 0, 0);
    meet_send(&place[0], N);
    stat_check(meet_receive(&done) == 1);
}

int main(void)
{
    stat_check(st_init() == 0);
    meet_init(&done);
    stat_bench("h.ring503_hop.P1", 11, N, ring);
    return 0;
}
