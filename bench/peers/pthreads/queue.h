/* A bounded queue as one writes it with pthreads: one lock, two conditions. */
#include <pthread.h>
#include <stdbool.h>

enum { QUEUE_MOST = 128 };

struct queue {
    pthread_mutex_t mu;
    pthread_cond_t not_full, not_empty;
    long at[QUEUE_MOST];
    int first, n, room;
    bool closed;
};

static inline void queue_init(struct queue *q, int room)
{
    *q = (struct queue){.mu = PTHREAD_MUTEX_INITIALIZER,
                        .not_full = PTHREAD_COND_INITIALIZER,
                        .not_empty = PTHREAD_COND_INITIALIZER,
                        .room = room};
}

static inline void queue_put(struct queue *q, long v)
{
    pthread_mutex_lock(&q->mu);
    while (q->n == q->room)
        pthread_cond_wait(&q->not_full, &q->mu);
    q->at[(q->first + q->n++) % q->room] = v;
    pthread_cond_signal(&q->not_empty);
    pthread_mutex_unlock(&q->mu);
}

/* False: closed, and nothing left. */
static inline bool queue_get(struct queue *q, long *v)
{
    pthread_mutex_lock(&q->mu);
    while (q->n == 0 && !q->closed)
        pthread_cond_wait(&q->not_empty, &q->mu);
    bool got = q->n > 0;
    if (got) {
        *v = q->at[q->first];
        q->first = (q->first + 1) % q->room;
        q->n--;
        pthread_cond_signal(&q->not_full);
    }
    pthread_mutex_unlock(&q->mu);
    return got;
}

static inline void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->mu);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_mutex_unlock(&q->mu);
}
