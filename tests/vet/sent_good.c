/* What was sent is the receiver's, until it has given its word. */
#include <runnel.h>
#include <stdlib.h>

struct job {
    int n;
    chan(rn_unit) done;
    rn_waitgroup left;
    rn_atomic_int ready;
};

static int answered(chan(struct job *) c)
{
    struct job j = {.done = chan_make(rn_unit, 0)};
    chan_send(c, &j);
    chan_recv(j.done);
    chan_free(j.done);
    return j.n;
}

static int counted(chan(struct job *) c)
{
    struct job j = {.n = 1};
    wg_add(&j.left, 2);
    defer(wg_wait, &j.left);
    for (int i = 0; i < 2; i++)
        chan_send(c, &j);
    return 1;
}

/* Each round waits for the answer to the one before, or fills what is its own. */
static void in_rounds(chan(struct job *) c, chan(struct job *) back, rn_waitgroup *wg, rn_mutex *mu)
{
    struct job j = {0}, many[3] = {{0}}, one = {.n = 1};
    defer(wg_wait, wg);
    for (int i = 0; i < 3; i++) {
        j.n = i;
        chan_send(c, &j);
        (void)chan_recv(back);
    }
    for (int i = 0; i < 3; i++) {
        (void)chan_recv(back);
        j.n = i;
        chan_send(c, &j);
    }
    for (int i = 0; i < 3; i++) {
        mutex_lock(mu);
        j.n = i;
        mutex_unlock(mu);
        chan_send(c, &j);
    }
    for (int i = 0; i < 3; i++) {
        many[i].n = i;
        chan_send(c, &many[i]);
    }
    for (int i = 0; i < 3; i++)
        chan_send(c, &one);
}

static int polled(chan(struct job *) c)
{
    struct job j = {.n = 1};
    chan_send(c, &j);
    while (!rn_atomic_load(&j.ready))
        rn_yield();
    return j.n;
}

/* The receiver comes back for more when it has done with the first. */
static void ended_by_null(chan(struct job *) c)
{
    struct job j = {.n = 1};
    chan_send(c, &j);
    chan_send(c, NULL);
}

static void lasting(chan(struct job *) c)
{
    static struct job j;
    chan_send(c, &j);
}

static int refused(rn_context *ctx, chan(struct job *) c)
{
    struct job *j = calloc(1, sizeof *j);
    if (chan_try_send(c, j)) {
        free(j);
        return 1;
    }
    j = calloc(1, sizeof *j);
    int err = chan_send_ctx(ctx, c, j);
    if (err)
        free(j);
    return err;
}

static void comes_back(chan(struct job *) c, chan(struct job *) back)
{
    struct job *j = calloc(1, sizeof *j);
    chan_send(c, j);
    j = chan_recv(back);
    free(j);
    chan_send(c, (j = calloc(1, sizeof *j)));
    j = NULL;
    free(j);
}

/* Takes it out again itself. */
static bool by_itself(chan(struct job *) own)
{
    struct job j = {.n = 1}, *same, *heap = calloc(1, sizeof *heap);
    chan_send(own, heap);
    if (chan_try_recv(own, &same) == 0)
        free(heap);
    chan_send(own, &j);
    return chan_try_recv(own, &same) == 0 && same == &j;
}

struct holder {
    struct job *at;
};

static void next(struct holder *h)
{
    h->at = calloc(1, sizeof *h->at);
}

static void another_by_now(struct holder *h, chan(struct job *) c)
{
    chan_send(c, h->at);
    next(h);
    free(h->at);
}

static void work(chan(struct job *) c, chan(struct job *) back)
{
    for (struct job *j; chan_next(c, &j);)
        chan_send(back, j);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(struct job *) c = chan_make(struct job *, 9), back = chan_make(struct job *, 9);
    rn_waitgroup wg = {0};
    struct job own = {0};
    wg_go(&wg, work, c, back);
    chan_send(c, &own); /* main's: the program ends with it */
    another_by_now(&(struct holder){0}, c), (void)by_itself(chan_make(struct job *, 1));
    comes_back(c, back), lasting(c), ended_by_null(c);
    rn_mutex mu = {0};
    in_rounds(c, back, &wg, &mu);
    int n = answered(c) + counted(c) + polled(c) + refused(NULL, c);
    chan_close(c);
    return n;
}
