/* Locks of the thread for a moment, or by a thread that stays the same. */
#include <pthread.h>
#include <runnel.h>

struct box {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    chan(int) out;
    int n;
};

static void for_a_moment(struct box *b)
{
    pthread_mutex_lock(&b->mu);
    int n = b->n++;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->mu);
    chan_send(b->out, n);
}

static void in_block(struct box *b)
{
    {
        pthread_mutex_lock(&b->mu);
        defer(pthread_mutex_unlock, &b->mu);
        b->n++;
    }
    chan_send(b->out, 1);
}

static void tries(struct box *b)
{
    pthread_mutex_lock(&b->mu);
    if (chan_try_send(b->out, b->n) == 0)
        b->n = 0;
    chan_select(on_send(b->out, b->n), on_default());
    pthread_mutex_unlock(&b->mu);
}

static void let_go(struct box *b)
{
    pthread_mutex_unlock(&b->mu);
}

static void by_helper(struct box *b)
{
    pthread_mutex_lock(&b->mu);
    let_go(b);
    chan_send(b->out, 1);
}

static void let_go_for_a_while(struct box *b)
{
    pthread_mutex_unlock(&b->mu);
    chan_send(b->out, 1);
    pthread_mutex_lock(&b->mu);
}

static void for_a_while(struct box *b)
{
    pthread_mutex_lock(&b->mu);
    let_go_for_a_while(b);
    pthread_mutex_unlock(&b->mu);
}

static int ask(struct box *b)
{
    return chan_recv(b->out);
}

/* A thread of its own, which goes to sleep itself. */
static void *thread(void *arg)
{
    struct box *b = arg;
    pthread_mutex_lock(&b->mu);
    while (b->n == 0)
        pthread_cond_wait(&b->changed, &b->mu);
    chan_send(b->out, ask(b));
    pthread_mutex_unlock(&b->mu);
    return NULL;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct box b = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, chan_make(int, 9), 0};
    pthread_t t;
    for_a_moment(&b), in_block(&b), tries(&b), by_helper(&b), for_a_while(&b);
    if (pthread_create(&t, NULL, thread, &b) != 0)
        return 1;
    pthread_join(t, NULL);
    return 0;
}
