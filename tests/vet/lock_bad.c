/* Locked twice by one goroutine; left locked. */
#include <runnel.h>

struct account {
    rn_mutex mu;
    rn_rwmutex rw;
    long balance;
};

static void twice(struct account *a)
{
    mutex_lock(&a->mu);
    a->balance++;
    mutex_lock(&a->mu); // want doublelock
    mutex_unlock(&a->mu);
}

static long balance(struct account *a)
{
    mutex_lock(&a->mu);
    long b = a->balance;
    mutex_unlock(&a->mu);
    return b;
}

static void by_helper(struct account *a)
{
    mutex_lock(&a->mu);
    defer(mutex_unlock, &a->mu);
    if (balance(a) > 0) // want doublelock
        a->balance--;
}

static void reads(struct account *a)
{
    rwmutex_rlock(&a->rw);
    rwmutex_rlock(&a->rw); // want doublelock
    rwmutex_runlock(&a->rw);
    rwmutex_runlock(&a->rw);
}

static void in_loop(struct account *a, int n)
{
    for (int i = 0; i < n; i++) {
        mutex_lock(&a->mu); // want doublelock
        a->balance++;
    }
    mutex_unlock(&a->mu);
}

static int early(struct account *a, long n)
{
    mutex_lock(&a->mu);
    if (a->balance < n)
        return -1; // want lockreturn
    a->balance -= n;
    mutex_unlock(&a->mu);
    return 0;
}

static int read_early(struct account *a)
{
    rwmutex_rlock(&a->rw);
    if (!a->balance)
        return 0; // want lockreturn
    rwmutex_runlock(&a->rw);
    return 1;
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    struct account a = {0};
    twice(&a), by_helper(&a), reads(&a), in_loop(&a, argc), early(&a, 1), read_early(&a);
    return 0;
}
