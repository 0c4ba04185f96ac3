/* Each lock once, and back on every way out. */
#include <runnel.h>
#include <stdlib.h>

struct account {
    rn_mutex mu;
    rn_rwmutex rw;
    long balance;
};

static void lock_both(struct account *a, struct account *b)
{
    struct account *first = a < b ? a : b, *second = a < b ? b : a;
    mutex_lock(&first->mu);
    mutex_lock(&second->mu);
}

static void unlock_both(struct account *a, struct account *b)
{
    mutex_unlock(&a->mu);
    mutex_unlock(&b->mu);
}

static void transfer(struct account *a, struct account *b, long n)
{
    lock_both(a, b);
    a->balance -= n;
    b->balance += n;
    unlock_both(a, b);
}

static int each_way(struct account *a, long n)
{
    mutex_lock(&a->mu);
    if (a->balance < n) {
        mutex_unlock(&a->mu);
        return -1;
    }
    a->balance -= n;
    mutex_unlock(&a->mu);
    return 0;
}

static int by_goto(struct account *a, long n)
{
    int err = 0;
    mutex_lock(&a->mu);
    if (a->balance < n) {
        err = -1;
        goto out;
    }
    a->balance -= n;
out:
    mutex_unlock(&a->mu);
    return err;
}

static int deferred(struct account *a, long n)
{
    mutex_lock(&a->mu);
    defer(mutex_unlock, &a->mu);
    if (a->balance < n)
        return -1;
    a->balance -= n;
    return 0;
}

static void each(struct account *a, int n)
{
    for (int i = 0; i < n; i++)
        mutex_lock(&a[i].mu);
    for (int i = 0; i < n; i++)
        mutex_unlock(&a[i].mu);
    for (struct account *p = a; p < a + n; p++)
        mutex_lock(&p->mu);
    for (struct account *p = a; p < a + n; p++)
        mutex_unlock(&p->mu);
}

static void hand_over_hand(struct account *a, int n)
{
    struct account *p = a;
    mutex_lock(&p->mu);
    for (int i = 1; i < n; i++) {
        struct account *next = &a[i];
        mutex_lock(&next->mu);
        mutex_unlock(&p->mu);
        p = next;
    }
    mutex_unlock(&p->mu);
}

static void again(struct account *a)
{
    rwmutex_rlock(&a->rw);
    long b = a->balance;
    rwmutex_runlock(&a->rw);
    rwmutex_lock(&a->rw);
    a->balance = b + 1;
    rwmutex_unlock(&a->rw);
    mutex_lock(&a->mu);
    if (b > 1000)
        abort();
    mutex_unlock(&a->mu);
}

static void unlock_it(rn_mutex *mu)
{
    mutex_unlock(mu);
}

static void by_another(void)
{
    static rn_mutex mu;
    mutex_lock(&mu);
    go(unlock_it, &mu);
    mutex_lock(&mu);
    mutex_unlock(&mu);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct account a[2] = {0};
    transfer(&a[0], &a[1], 1), each_way(a, 1), by_goto(a, 1), deferred(a, 1), each(a, 2), hand_over_hand(a, 2),
        again(a), by_another();
    return argc > 2;
}
