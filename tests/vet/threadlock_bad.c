/* Locks of the thread, held where the goroutine may go on on another one. */
#include <pthread.h>
#include <runnel.h>

struct box {
    pthread_mutex_t mu;
    pthread_rwlock_t rw;
    rn_mutex own;
    chan(int) out;
    int n;
};
static pthread_mutex_t all = PTHREAD_MUTEX_INITIALIZER;

static void sends(struct box *b)
{
    pthread_mutex_lock(&b->mu);
    chan_send(b->out, b->n); // want threadlock
    pthread_mutex_unlock(&b->mu);
}

static void rest(void)
{
    rn_sleep(RN_MILLISECOND);
}

static void by_helper(void)
{
    pthread_mutex_lock(&all);
    rest(); // want threadlock
    pthread_mutex_unlock(&all);
}

static void takes_another(struct box *b)
{
    pthread_rwlock_wrlock(&b->rw);
    mutex_lock(&b->own); // want threadlock
    b->n++;
    mutex_unlock(&b->own);
    pthread_rwlock_unlock(&b->rw);
}

static int deferred(struct box *b)
{
    pthread_mutex_lock(&b->mu);
    defer(pthread_mutex_unlock, &b->mu);
    if (b->n > 1)
        return b->n;
    return chan_recv(b->out); // want threadlock
}

static void one_way(struct box *b)
{
    pthread_mutex_lock(&b->mu);
    if (b->n > 1) {
        rn_sleep(RN_MILLISECOND); // want threadlock
        pthread_mutex_unlock(&b->mu);
        return;
    }
    pthread_mutex_unlock(&b->mu);
    rn_sleep(RN_MILLISECOND);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct box b = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_RWLOCK_INITIALIZER, {0}, chan_make(int, 9), 0};
    sends(&b), by_helper(), takes_another(&b), one_way(&b);
    return deferred(&b);
}
