/* Closed once, by one side, after the last send. */
#include <runnel.h>

struct link {
    chan(int) out;
    rn_mutex mu;
    bool closed;
};

static void each(chan(int) * c, int n)
{
    for (int i = 0; i < n; i++)
        chan_close(c[i]);
}

static void anew(void)
{
    for (int i = 0; i < 3; i++) {
        chan(int) c = chan_make(int, 1);
        chan_send(c, i);
        chan_close(c);
        chan_free(c);
    }
    chan(int) d = chan_make(int, 1);
    chan_close(d);
    chan_free(d);
    d = chan_make(int, 1);
    chan_send(d, 1);
    chan_close(d);
    chan_free(d);
}

static void once(struct link *l)
{
    mutex_lock(&l->mu);
    if (!l->closed) {
        l->closed = true;
        chan_close(l->out);
    }
    mutex_unlock(&l->mu);
}

static void either(chan(int) c, int n)
{
    if (n > 3) {
        chan_close(c);
        return;
    }
    chan_send(c, 1);
    chan_close(c);
}

static void last_one_out(chan(int) c, rn_atomic_int *left)
{
    chan_send(c, 1);
    if (rn_atomic_add(left, -1) == 0)
        chan_close(c);
}

static void pool(void)
{
    chan(int) c = chan_make(int, 3);
    rn_atomic_int left = {3};
    for (int i = 0; i < 3; i++)
        go(last_one_out, c, &left);
    for (int v; chan_next(c, &v);)
        ;
    chan_free(c);
}

static void generate(chan_send_only(int) out)
{
    chan_send(out, 1);
    chan_close(out);
}

static void several(void)
{
    chan(int) c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = chan_make(int, 1);
        go(generate, c[i]);
    }
    for (int i = 0; i < 3; i++) {
        chan_recv(c[i]);
        chan_recv(c[i]);
    }
    for (int i = 0; i < 3; i++) {
        chan(int) own = chan_make(int, 1);
        go(generate, own);
        chan_recv(own);
    }
}

static void until_full(chan(int) c)
{
    for (;;) {
        if (chan_try_send(c, 1) == 0)
            continue;
        chan_close(c);
        break;
    }
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    chan(int) c[2] = {chan_make(int, 8), chan_make(int, 8)};
    struct link l = {.out = chan_make(int, 1)};
    each(c, 2), anew(), once(&l), once(&l), pool(), several();
    chan(int) d = chan_make(int, 2);
    either(d, argc);
    chan(int) e = chan_make(int, 2);
    until_full(e);
    return 0;
}
