/* Close and send from the wrong side. */
#include <runnel.h>
#include <stdio.h>

struct queue {
    chan(int) items;
    chan(int) done;
};

static void by_cast(chan_recv_only(int) in)
{
    printf("%d\n", chan_recv(in));
    chan_close((chan(int))in); // want receiverclose
}

static void by_function(chan_recv_only(int) in)
{
    defer(chan_close, in); // want receiverclose
    printf("%d\n", chan_recv(in));
}

static void by_variable(chan_recv_only(int) in)
{
    chan(int) both = (chan(int))in;
    chan_send(both, chan_recv(in)); // want receiverclose
    chan_close(both);               // want receiverclose
}

static void only_receives(chan(int) in)
{
    for (int i = 0; i < 3; i++)
        printf("%d\n", chan_recv(in));
    chan_close(in); // want receiverclose
}

static void selects(struct queue *q)
{
    int v = 0;
    switch (chan_select(on_recv(q->items, &v), on_timeout(RN_SECOND))) {
    case 0:
        printf("%d\n", v);
        break;
    case 1:
        chan_close(q->items); // want receiverclose
        break;
    }
}

static void produce(chan_send_only(int) out)
{
    for (int i = 0; i < 100; i++)
        chan_send(out, i);
}

static void produce_members(struct queue *q)
{
    for (int i = 0;; i++)
        chan_send(q->items, i);
}

static void send_once(chan(int) out)
{
    chan_send(out, 1);
}

static int first(void)
{
    chan(int) c = chan_make(int, 0);
    go(produce, c);
    int v = chan_recv(c);
    chan_close(c); // want receiverclose
    return v;
}

static void at_once(void)
{
    chan(int) c = chan_make(int, 1);
    go(send_once, c);
    chan_close(c); // want receiverclose
}

static void members(struct queue *q)
{
    go(produce_members, q);
    for (int i = 0; i < 10; i++)
        printf("%d\n", chan_recv(q->items));
    rn_chan_close(q->items); // want receiverclose
}

/* Who has told it to stop is not who sends. */
struct stopped {
    chan(int) items, stop;
};

static void produce_until_gone(struct stopped *s)
{
    for (int i = 0;; i++)
        chan_send(s->items, i);
}

static void until_told(struct stopped *s)
{
    for (int v; chan_select(on_recv(s->items, &v), on_recv(s->stop, NULL)) == 0;)
        printf("%d\n", v);
    chan_close(s->items); // want receiverclose
}

static void tell(struct stopped *s)
{
    go(produce_until_gone, s);
    until_told(s);
}

/* The lock alone says nothing. */
struct locked {
    rn_mutex mu;
    chan(int) work;
};

static void send_locked(struct locked *l)
{
    mutex_lock(&l->mu);
    chan_select(on_send(l->work, 1), on_default());
    mutex_unlock(&l->mu);
}

static void close_locked(void)
{
    struct locked l = {.work = chan_make(int, 1)};
    rn_waitgroup wg = {0};
    wg_go(&wg, send_locked, &l);
    mutex_lock(&l.mu);
    chan_close(l.work); // want receiverclose
    mutex_unlock(&l.mu);
    wg_wait(&wg);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct queue q = {.items = chan_make(int, 1)};
    by_cast(chan_make(int, 10));
    by_function(chan_make(int, 10));
    by_variable(chan_make(int, 10));
    only_receives(chan_make(int, 10));
    selects(&q);
    members(&q);
    tell(&(struct stopped){q.items, q.done});
    close_locked();
    at_once();
    return first();
}
