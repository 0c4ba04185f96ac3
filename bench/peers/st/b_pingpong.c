/* (b) unbuffered ping-pong; one operation is one round trip. */
#include "../../stat.h"
#include "meet.h"

enum { N = 1000000 };

static struct meet there, back;

static void *echo(void *arg)
{
    for (long v; (v = meet_receive(&there)) >= 0;)
        meet_send(&back, v);
    return arg;
}

static void ping_pong(void)
{
    st_thread_t t = st_thread_create(echo, NULL, 1, 0);
    for (long i = 0; i < N; i++) {
        meet_send(&there, i);
        stat_check(meet_receive(&back) == i);
    }
    meet_send(&there, -1);
    st_thread_join(t, NULL);
}

int main(void)
{
    stat_check(st_init() == 0);
    meet_init(&there);
    meet_init(&back);
    stat_bench("b.pingpong_roundtrip.P1", 11, N, ping_pong);
    return 0;
}
