/* sharing WORK PROCESSORS: what is counted by coherence.c.  Each of W workers is meant to have a processor. */
#include "coherence.h"
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int processors;

/* ---- trees ---- */

static long fib(long n);

static void fib_into(long n, long *to, rn_waitgroup *wg)
{
    *to = fib(n);
    wg_done(wg);
}

static long fib(long n)
{
    if (n < 2)
        return n;
    long l;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(fib_into, n - 1, &l, &wg);
    long r = fib(n - 2);
    wg_wait(&wg);
    return l + r;
}

static long fork_join(void)
{
    enum { N = 19, SPAWNS = 6764 };
    if (fib(N) != 4181)
        abort();
    return SPAWNS;
}

static void sky(chan_send_only(long) up, long num, long size)
{
    if (size == 1) {
        chan_send(up, num);
        return;
    }
    chan(long) c = chan_make(long, 10);
    for (long i = 0; i < 10; i++)
        go(sky, c, num + i * (size / 10), size / 10);
    long sum = 0;
    for (int i = 0; i < 10; i++)
        sum += chan_recv(c);
    chan_free(c);
    chan_send(up, sum);
}

static long skynet(void)
{
    enum { SIZE = 10000 };
    chan(long) c = chan_make(long, 1);
    go(sky, c, 0, SIZE);
    if (chan_recv(c) != (long)SIZE * (SIZE - 1) / 2)
        abort();
    chan_free(c);
    return SIZE + SIZE / 9;
}

/* ---- each worker by itself ---- */

enum { EACH = 2000 };

static long all(int workers, void (*f)(int))
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < workers; i++)
        wg_go(&wg, f, i);
    wg_wait(&wg);
    return (long)EACH * workers;
}

static void nothing(rn_waitgroup *wg)
{
    wg_done(wg);
}

static void spawn_and_join(int i)
{
    (void)i;
    for (int k = 0; k < EACH; k++) {
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_add(&wg, 1);
        go(nothing, &wg);
        wg_wait(&wg);
    }
}

static void answer(chan(int) ask, chan(int) reply)
{
    for (int v; chan_next(ask, &v);)
        chan_send(reply, v);
}

static void pairs(int i)
{
    (void)i;
    chan(int) ask = chan_make(int, 0), reply = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, answer, ask, reply);
    for (int k = 0; k < EACH; k++) {
        chan_send(ask, k);
        if (chan_recv(reply) != k)
            abort();
    }
    chan_close(ask);
    wg_wait(&wg);
    chan_free(ask);
    chan_free(reply);
}

static void own_timers(int i)
{
    (void)i;
    for (int k = 0; k < EACH; k++) {
        rn_timer *t = rn_timer_make(RN_HOUR);
        rn_timer_free(t);
    }
}

static void own_mutex(int i)
{
    (void)i;
    rn_mutex m = RN_MUTEX_INIT;
    for (int k = 0; k < EACH; k++) {
        mutex_lock(&m);
        mutex_unlock(&m);
    }
}

static void yields(int i)
{
    (void)i;
    for (int k = 0; k < EACH; k++)
        rn_yield();
}

static void wait_for_close(chan(int) door, rn_waitgroup *wg)
{
    chan_recv(door);
    wg_done(wg);
}

/* More at a time than a processor keeps records and stacks for. */
static void crowds(int i)
{
    enum { CROWD = 500 };
    (void)i;
    for (int k = 0; k < EACH; k += CROWD) {
        chan(int) door = chan_make(int, 0);
        rn_waitgroup wg = RN_WAITGROUP_INIT;
        wg_add(&wg, CROWD);
        for (int n = 0; n < CROWD; n++)
            go(wait_for_close, door, &wg);
        chan_close(door);
        wg_wait(&wg);
        chan_free(door);
    }
}

static void own_contexts(int i)
{
    (void)i;
    rn_context *up = ctx_with_cancel(NULL);
    for (int k = 0; k < EACH; k++)
        ctx_cancel(ctx_with_cancel(up));
    ctx_cancel(up);
}

static void echo_bytes(rn_conn *in, rn_conn *out, rn_waitgroup *wg)
{
    for (char c; net_read(in, &c, 1) == 1;)
        if (net_write(out, &c, 1) != 1)
            abort();
    wg_done(wg);
}

/* Round trips through two pipes: both ends wait by the poller. */
static void own_pipes(int i)
{
    (void)i;
    rn_conn *ask[2], *reply[2];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    if (rn_pipe(&ask[0], &ask[1]) != 0 || rn_pipe(&reply[0], &reply[1]) != 0)
        abort();
    wg_add(&wg, 1);
    go(echo_bytes, ask[0], reply[1], &wg);
    for (int k = 0; k < EACH; k++) {
        char c = (char)k;
        if (net_write(ask[1], &c, 1) != 1 || net_read(reply[0], &c, 1) != 1 || c != (char)k)
            abort();
    }
    net_close(ask[1]);
    wg_wait(&wg);
    net_close(ask[0]);
    net_close(reply[0]);
    net_close(reply[1]);
}

/* ---- all at one object ---- */

static rn_mutex one_mutex = RN_MUTEX_INIT;
static rn_rwmutex one_rwmutex = RN_RWMUTEX_INIT;
static chan(int) one_channel;

static void at_mutex(int i)
{
    (void)i;
    for (int k = 0; k < EACH; k++) {
        mutex_lock(&one_mutex);
        mutex_unlock(&one_mutex);
    }
}

static void at_rwmutex(int i)
{
    (void)i;
    for (int k = 0; k < EACH; k++) {
        rwmutex_rlock(&one_rwmutex);
        rwmutex_runlock(&one_rwmutex);
    }
}

/* Half of them send, half receive. */
static void at_channel(int i)
{
    for (int k = 0; k < EACH; k++) {
        if (i % 2 == 0)
            chan_send(one_channel, k);
        else
            (void)chan_recv(one_channel);
    }
}

static long channel(void)
{
    one_channel = chan_make(int, 128);
    long n = all(processors < 2 ? 2 : processors, at_channel) / 2;
    chan_free(one_channel);
    return n;
}

static long work(const char *name)
{
    static const struct {
        const char *name;
        void (*f)(int);
    } alone[] = {{"spawn_join", spawn_and_join},
                 {"pairs", pairs},
                 {"timers", own_timers},
                 {"own_mutex", own_mutex},
                 {"yield", yields},
                 {"one_mutex", at_mutex},
                 {"one_rwmutex", at_rwmutex},
                 {"crowds", crowds},
                 {"contexts", own_contexts},
                 {"pipes", own_pipes}};
    if (strcmp(name, "fork_join") == 0)
        return fork_join();
    if (strcmp(name, "skynet") == 0)
        return skynet();
    if (strcmp(name, "one_channel") == 0)
        return channel();
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (strcmp(name, alone[i].name) == 0)
            return all(processors, alone[i].f);
    fprintf(stderr, "sharing: no work is called %s\n", name);
    exit(2);
}

int rn_main(int argc, char **argv)
{
    if (argc != 3 || (processors = atoi(argv[2])) < 1) {
        fputs("usage: sharing WORK PROCESSORS\n", stderr);
        return 2;
    }
    rn_set_procs(processors);
    work(argv[1]);
    coherence_start();
    long ops = work(argv[1]);
    coherence_tell(argv[1], processors, ops);
    return 0;
}
