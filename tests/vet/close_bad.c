/* Closed twice, or sent on when it is closed. */
#include <runnel.h>

struct link {
    chan(int) out;
};

static void send_after(chan(int) c)
{
    chan_send(c, 1);
    chan_close(c);
    chan_send(c, 2); // want sendclosed
}

static void select_after(chan(int) c)
{
    chan_close(c);
    chan_select(on_send(c, 1), on_default()); // want sendclosed
}

static void twice(struct link *l)
{
    chan_close(l->out);
    chan_close(l->out); // want doubleclose
}

static void with_defer(chan(int) c, int n)
{
    defer(chan_close, c);
    for (int i = 0; i < n; i++)
        chan_send(c, i);
    chan_close(c); // want doubleclose
}

static void finish(struct link *l)
{
    chan_close(l->out);
}

static void by_helper(struct link *l)
{
    finish(l);
    chan_send(l->out, 1); // want sendclosed
    chan_close(l->out);   // want doubleclose
}

static void in_loop(chan(int) c)
{
    for (int i = 0; i < 3; i++) {
        chan_send(c, i); // want sendclosed
        chan_close(c);   // want doubleclose
    }
}

static void maybe(chan(int) c, int n)
{
    if (n > 0)
        chan_close(c);
    else
        chan_close(c);
    chan_close(c); // want doubleclose
}

static void worker(chan(int) results, int id)
{
    chan_send(results, id);
    chan_close(results); // want doubleclose
}

static void pool(void)
{
    chan(int) results = chan_make(int, 3);
    for (int i = 0; i < 3; i++)
        go(worker, results, i);
    for (int v; chan_next(results, &v);)
        ;
}

static void produce(chan_send_only(int) out)
{
    defer(chan_close, out);
    chan_send(out, 1);
}

static void both(void)
{
    chan(int) c = chan_make(int, 0);
    go(produce, c);
    chan_recv(c);
    chan_close(c); // want doubleclose
}

#define NEW chan_make(int, 8)

int rn_main(int argc, char **argv)
{
    (void)argv;
    send_after(NEW);
    select_after(NEW);
    twice(&(struct link){NEW});
    with_defer(NEW, argc);
    by_helper(&(struct link){NEW});
    in_loop(NEW);
    maybe(NEW, argc);
    pool();
    both();
    return 0;
}
