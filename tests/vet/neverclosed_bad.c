/* Loops over channels that nobody closes. */
#include <runnel.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

struct pipe {
    chan(int) items;
};
struct hub {
    struct pipe in, out;
};
static chan(int) events;

static void produce(chan_send_only(int) out)
{
    for (int i = 0; i < 3; i++)
        chan_send(out, i);
}

static void here(void)
{
    chan(int) c = chan_make(int, 0);
    go(produce, c);
    for (int v; chan_next(c, &v);) // want neverclosed
        printf("%d\n", v);
}

static void consume(chan_recv_only(int) in, chan(rn_unit) done)
{
    int v;
    while (chan_recv_ok(in, &v)) // want neverclosed
        printf("%d\n", v);
    chan_send(done, RN_UNIT);
}

static void there(void)
{
    chan(int) c = chan_make(int, 0);
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(consume, c, done);
    chan_send(c, 1);
    chan_recv(done);
}

static void drain(struct pipe *p)
{
    for (int v; chan_next(p->items, &v);) // want neverclosed
        printf("%d\n", v);
}

static void member(void)
{
    struct pipe *p = malloc(sizeof *p);
    if (!p)
        return;
    p->items = chan_make(int, 2);
    chan_send(p->items, 1);
    drain(p);
}

static void listen(void)
{
    for (;;) {
        int v;
        if (!chan_next(events, &v)) // want neverclosed
            break;
        printf("%d\n", v);
    }
}

static void global(void)
{
    events = chan_make(int, 4);
    go(listen);
    chan_send(events, 1);
}

static void array(void)
{
    chan(int) c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = chan_make(int, 0);
        go(produce, c[i]);
    }
    for (int v; chan_next(c[0], &v);) // want neverclosed
        printf("%d\n", v);
}

static chan(int) make(int n)
{
    chan(int) c = chan_make(int, n);
    go(produce, c);
    return c;
}

static void made_elsewhere(void)
{
    chan(int) c = make(3);
    for (int v; chan_next(c, &v);) // want neverclosed
        printf("%d\n", v);
}

/* What it makes of a value may fail, and a switch is not left with its loop. */
static int handle(chan_recv_only(int) in)
{
    for (int v; chan_next(in, &v);) { // want neverclosed
        switch (v) {
        case 0:
            break;
        default:
            printf("%d\n", v);
        }
        if (fflush(stdout) < 0)
            return -1;
    }
    return 0;
}

static int put(int v)
{
    return printf("%d\n", v) < 0 ? RN_ETIMEOUT : 0;
}

/* An error is negative, whatever it is compared by. */
static int put_all(chan_recv_only(int) in)
{
    for (int v; chan_next(in, &v);) // want neverclosed
        if (put(v) == RN_ETIMEOUT || put(v) != 0)
            return -1;
    return 0;
}

static int keep_all(chan_recv_only(const char *) in, const char **last)
{
    for (const char *line; chan_next(in, &line);) { // want neverclosed
        if (puts(line) == -1 || (*last = strdup(line)) == NULL)
            return -1;
    }
    return 0;
}

static void fallible(void)
{
    chan(int) c = chan_make(int, 1), d = chan_make(int, 1);
    chan(const char *) lines = chan_make(const char *, 1);
    const char *last;
    handle(c);
    put_all(d);
    keep_all(lines, &last);
}

int rn_main(int argc, char **argv)
{
    (void)argv, (void)argc;
    here(), there(), member(), global(), array(), made_elsewhere(), fallible();
    return 0;
}
