/* (b) ping-pong through two queues of one place; one operation is one round trip; a fiftieth as many. */
#define _GNU_SOURCE 1
#include "../../stat.h"
#include "on.h"
#include "queue.h"

enum { N = 20000 };

static struct queue there, back;

static void *echo(void *arg)
{
    for (long v; queue_get(&there, &v);)
        queue_put(&back, v);
    return arg;
}

static void ping_pong(void)
{
    pthread_t t;
    queue_init(&there, 1);
    queue_init(&back, 1);
    stat_check(pthread_create(&t, NULL, echo, NULL) == 0);
    for (long i = 0, v; i < N; i++) {
        queue_put(&there, i);
        stat_check(queue_get(&back, &v) && v == i);
    }
    queue_close(&there);
    pthread_join(t, NULL);
}

int main(void)
{
    for (int i = 0, p; (p = stat_procs(i)); i++) {
        run_on(p);
        stat_bench(stat_name("b.pingpong_roundtrip", p), 11, N, ping_pong);
    }
    return 0;
}
