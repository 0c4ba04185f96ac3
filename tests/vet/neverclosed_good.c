/* Closed by somebody, somewhere; or not ranged over. */
#include <runnel.h>
#include <stdio.h>
#include <string.h>

struct pipe {
    chan(int) items;
};
static chan(int) events;

static void produce(chan_send_only(int) out)
{
    defer(chan_close, out);
    for (int i = 0; i < 3; i++)
        chan_send(out, i);
}

static void sum(chan_recv_only(int) in)
{
    int total = 0;
    for (int v; chan_next(in, &v);)
        total += v;
    printf("%d\n", total);
}

static void stage(chan_recv_only(int) in, chan_send_only(int) out)
{
    for (int v; chan_next(in, &v);)
        chan_send(out, v);
    chan_close(out);
}

static void here(void)
{
    chan(int) a = chan_make(int, 0), b = chan_make(int, 0);
    go(produce, a);
    go(stage, a, b);
    sum(b);
}

static void finish(struct pipe *p)
{
    chan_close(p->items);
}

static void member(void)
{
    struct pipe p = {.items = chan_make(int, 1)}, q = {chan_make(int, 1)};
    chan_send(p.items, 1);
    finish(&p);
    finish(&q);
    for (int v; chan_next(p.items, &v);)
        printf("%d\n", v);
    sum(q.items);
}

static void listen(rn_waitgroup *wg)
{
    for (int v; chan_next(events, &v);)
        printf("%d\n", v);
    wg_done(wg);
}

struct message {
    int kind, value;
};

/* They end by a number, or by what is received. */
static void others(chan_recv_only(int) in, chan_recv_only(struct message) messages)
{
    int v, n = 3;
    for (int i = 0; i < 3 && chan_next(in, &v); i++)
        printf("%d\n", v);
    for (;;)
        if (n-- == 0 || !chan_next(in, &v))
            break;
    while (chan_next(in, &v)) {
        if (v < 0)
            break;
        printf("%d\n", v);
    }
    for (struct message m; chan_next(messages, &m);)
        switch (m.kind) {
        case 0:
            return;
        default:
            printf("%d\n", m.value);
        }
}

static bool is_last(const struct message *m)
{
    return m->kind == 9;
}

static int kind_of(struct message m)
{
    return m.kind;
}

/* They end by what a function says of it. */
static void asked(chan_recv_only(struct message) in)
{
    for (struct message m; chan_next(in, &m);)
        if (is_last(&m))
            return;
    for (struct message m; chan_next(in, &m);) {
        bool last = is_last(&m);
        printf("%d\n", m.value);
        if (last)
            break;
    }
    for (struct message m; chan_next(in, &m);)
        switch (kind_of(m)) {
        case 9:
            return;
        default:
            printf("%d\n", m.value);
        }
    for (struct message m; chan_next(in, &m);)
        if (m.kind == 9)
            rn_exit_goroutine();
}

enum kind { DATA, STOP };

static enum kind told(struct message m)
{
    return m.kind == 9 ? STOP : DATA;
}

/* They end by what a function tells, or by a text. */
static int told_by(chan_recv_only(struct message) in, chan_recv_only(const char *) lines)
{
    for (struct message m; chan_next(in, &m);)
        if (kind_of(m) == 9)
            return 0;
    for (struct message m; chan_next(in, &m);)
        if (told(m) == STOP)
            return 0;
    for (struct message m; chan_next(in, &m);)
        if (DATA == told(m))
            return 0;
    for (const char *line; chan_next(lines, &line);)
        if (strcmp(line, "quit") == 0)
            return 0;
    for (const char *line; chan_next(lines, &line);) {
        if (!strncmp(line, "quit", 4) || strlen(line) > 80)
            break;
        printf("%s\n", line);
    }
    return 0;
}

static void by_telling(void)
{
    chan(struct message) messages = chan_make(struct message, 8);
    chan(const char *) lines = chan_make(const char *, 8);
    told_by(messages, lines);
}

struct gathered {
    int n;
};

/* They count. */
static void counting(chan_recv_only(int) in, struct gathered *g)
{
    int left = 3;
    for (int v; chan_next(in, &v);)
        if (--left == 0)
            break;
    for (int v; chan_next(in, &v);) {
        g->n += v > 0;
        if (g->n == 3)
            return;
    }
}

static void by_count(void)
{
    chan(int) a = chan_make(int, 8);
    chan(struct message) b = chan_make(struct message, 8);
    struct gathered g = {0};
    asked(b);
    counting(a, &g);
}

static void by_value(void)
{
    chan(int) a = chan_make(int, 8);
    chan(struct message) b = chan_make(struct message, 8);
    others(a, b);
}

static void global(void)
{
    rn_waitgroup wg = {0};
    events = chan_make(int, 4);
    wg_add(&wg, 1);
    go(listen, &wg);
    chan_close(events);
    wg_wait(&wg);
}

static void counted(void)
{
    chan(int) c = chan_make(int, 3);
    for (int i = 0; i < 3; i++)
        chan_send(c, i);
    for (int i = 0; i < 3; i++)
        printf("%d\n", chan_recv(c));
    int v;
    while (chan_try_recv(c, &v) == 0)
        printf("%d\n", v);
}

static chan(int) make(void)
{
    chan(int) c = chan_make(int, 0);
    go(produce, c);
    return c;
}

static void close_when_done(rn_waitgroup *wg, chan(int) c)
{
    wg_wait(wg);
    chan_close(c);
}

static void send_one(chan(int) c)
{
    chan_send(c, 1);
}

static void workers(void)
{
    rn_waitgroup wg = {0};
    chan(int) c = chan_make(int, 0);
    for (int i = 0; i < 3; i++)
        wg_go(&wg, send_one, c);
    go(close_when_done, &wg, c);
    sum(c);
}

int rn_main(int argc, char **argv)
{
    (void)argv, (void)argc;
    here(), member(), global(), by_value(), by_count(), by_telling(), counted(), sum(make()), workers();
    return 0;
}
