/* Locks that are unlocked twice. */
#include <runnel.h>
#include <stdio.h>

struct account {
    rn_mutex lock;
    int balance;
};
static rn_rwmutex table;
static int entries;

static int take(struct account *a, int amount)
{
    mutex_lock(&a->lock);
    defer(mutex_unlock, &a->lock);
    if (a->balance < amount) {
        mutex_unlock(&a->lock); // want doubleunlock
        fprintf(stderr, "no money\n");
        return -1;
    }
    a->balance -= amount;
    return 0;
}

static void put(struct account *a, int amount)
{
    mutex_lock(&a->lock);
    a->balance += amount;
    mutex_unlock(&a->lock);
    printf("%d\n", amount);
    mutex_unlock(&a->lock); // want doubleunlock
}

static int add(int n)
{
    int err = 0;
    rwmutex_lock(&table);
    if (n < 0) {
        err = -1;
        rwmutex_unlock(&table);
        goto out;
    }
    entries += n;
    rwmutex_unlock(&table);
out:
    rwmutex_unlock(&table); // want doubleunlock
    return err;
}

static rn_mutex tried;

static void other_sense(void)
{
    if (!mutex_try_lock(&tried)) {
        entries++;
        mutex_unlock(&tried); // want doubleunlock
    }
}

static void other_sense_of_an_error(rn_context *ctx)
{
    int err = mutex_lock_ctx(ctx, &tried);
    if (err) {
        entries++;
        mutex_unlock(&tried); // want doubleunlock
    }
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct account a = {.balance = 10};
    put(&a, 1), other_sense(), other_sense_of_an_error(NULL);
    return take(&a, 100) + add(1);
}
