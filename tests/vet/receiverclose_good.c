/* The sender closes, or who has waited for all of them. */
#include <runnel.h>
#include <stdio.h>

struct queue {
    chan(int) items;
};

static void produce(chan_send_only(int) out)
{
    for (int i = 0; i < 3; i++)
        chan_send(out, i);
    chan_close(out);
}

static void send_one(chan_send_only(int) out, rn_waitgroup *wg)
{
    defer(wg_done, wg);
    chan_send(out, 1);
}

static void stage(chan_recv_only(int) in, chan_send_only(int) out)
{
    defer(chan_close, out);
    for (int v; chan_next(in, &v);)
        chan_send(out, v + 1);
}

static void close_after(rn_waitgroup *wg, chan(int) c)
{
    wg_wait(wg);
    chan_close(c);
}

static void worker(chan_recv_only(int) jobs, chan_send_only(int) results)
{
    for (int j; chan_next(jobs, &j);)
        chan_send(results, j);
}

static void stop(chan(rn_unit) done)
{
    chan_close(done);
}

static void watcher(chan_recv_only(rn_unit) done, rn_waitgroup *wg)
{
    chan_recv(done);
    wg_done(wg);
}

static void push(struct queue *q, int v)
{
    chan_send(q->items, v);
}

/* Nobody sends on it: it is a signal, given by who sees first that it has not been. */
struct watcher {
    chan(rn_unit) stopped;
    chan(int) events;
};

static bool is_stopped(struct watcher *w)
{
    return chan_select(on_recv(w->stopped, NULL), on_default()) == 0;
}

static void end_watch(struct watcher *w)
{
    if (!is_stopped(w))
        chan_close(w->stopped);
}

static void watch(struct watcher *w)
{
    while (chan_select(on_send(w->events, 1), on_recv(w->stopped, NULL)) == 0)
        continue;
    chan_close(w->events);
}

static void watched(void)
{
    struct watcher w = {chan_make(rn_unit, 0), chan_make(int, 0)};
    go(watch, &w);
    printf("%d\n", chan_recv(w.events));
    end_watch(&w);
    for (int v; chan_next(w.events, &v);)
        printf("%d\n", v);
    chan_free(w.events);
    chan_free(w.stopped);
}

/* Whoever comes first gives the signal. */
static void stop_once(rn_mutex *mu, chan(rn_unit) signal)
{
    mutex_lock(mu);
    defer(mutex_unlock, mu);
    if (chan_select(on_recv(signal, NULL), on_default()) == 1)
        chan_close(signal);
}

/* Each sender tells on another channel that it has done. */
struct collection {
    chan(int) values;
    chan(rn_unit) done;
    int senders, sum;
};

static void send_and_tell(struct collection *c)
{
    chan_send(c->values, 1);
    chan_send(c->done, RN_UNIT);
}

static void collect(struct collection *c)
{
    for (int v, left = c->senders; left > 0;) {
        if (chan_select(on_recv(c->values, &v), on_recv(c->done, NULL)) == 0)
            c->sum += v;
        else
            left--;
    }
    chan_close(c->values);
    for (int v; chan_next(c->values, &v);)
        c->sum += v;
}

static void rest(chan(int) in, chan(rn_unit) done)
{
    chan_recv(done);
    chan_close(in);
    for (int v; chan_next(in, &v);)
        printf("%d\n", v);
}

/* A lock says who comes first, and a flag that it was the one who closes. */
struct pool {
    rn_mutex mu;
    bool closed;
    chan(int) work;
    rn_waitgroup wg;
};

static void offer(struct pool *p)
{
    mutex_lock(&p->mu);
    if (!p->closed)
        chan_select(on_send(p->work, 1), on_default());
    mutex_unlock(&p->mu);
}

static void close_pool(struct pool *p)
{
    mutex_lock(&p->mu);
    p->closed = true;
    chan_close(p->work);
    mutex_unlock(&p->mu);
}

static void collected(void)
{
    struct collection c = {.values = chan_make(int, 1), .done = chan_make(rn_unit, 0), .senders = 1};
    struct pool p = {.work = chan_make(int, 1)};
    wg_go(&p.wg, send_and_tell, &c);
    collect(&c);
    wg_go(&p.wg, offer, &p);
    close_pool(&p);
    wg_wait(&p.wg);
    chan(int) two = chan_make(int, 1);
    chan_close(c.done);
    rest(two, c.done);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) a = chan_make(int, 0), b = chan_make(int, 0), c = chan_make(int, 3), jobs = chan_make(int, 3);
    chan(rn_unit) done = chan_make(rn_unit, 0);
    rn_waitgroup wg = {0};
    go(produce, a);
    go(stage, a, b);
    for (int v; chan_next(b, &v);)
        printf("%d\n", v);
    for (int i = 0; i < 3; i++) {
        wg_add(&wg, 1);
        go(send_one, c, &wg);
    }
    go(close_after, &wg, c);
    for (int v; chan_next(c, &v);)
        printf("%d\n", v);
    chan(int) results = chan_make(int, 3);
    wg_go(&wg, worker, jobs, results);
    for (int i = 0; i < 3; i++)
        chan_send(jobs, i);
    chan_close(jobs);
    wg_wait(&wg);
    chan_close(results);
    for (int v; chan_next(results, &v);)
        printf("%d\n", v);
    wg_add(&wg, 1);
    go(watcher, done, &wg);
    stop(done);
    wg_wait(&wg);
    struct queue q = {.items = chan_make(int, 2)};
    push(&q, 1);
    chan_close(q.items);
    for (int v; chan_next(q.items, &v);)
        printf("%d\n", v);
    watched();
    collected();
    rn_mutex mu = {0};
    chan(rn_unit) signal = chan_make(rn_unit, 0);
    stop_once(&mu, signal), stop_once(&mu, signal);
    return 0;
}
