/* Unlocked once on each way; for a while only; by one who may have got it from another. */
#include <runnel.h>
#include <stdio.h>

struct account {
    rn_mutex lock;
    int balance;
    struct account *next;
};
struct bank {
    struct account *first, *at;
};
static rn_mutex mu;
static int n;

/* Defined elsewhere: may lock it. */
void lock_it_again(void);
void work(void);

static int take(struct account *a, int amount)
{
    mutex_lock(&a->lock);
    if (a->balance < amount) {
        mutex_unlock(&a->lock);
        return -1;
    }
    a->balance -= amount;
    mutex_unlock(&a->lock);
    return 0;
}

static void for_a_while(void)
{
    mutex_lock(&mu);
    defer(mutex_unlock, &mu);
    while (n > 0) {
        mutex_unlock(&mu);
        work();
        mutex_lock(&mu);
        n--;
    }
}

static void once_more(void)
{
    mutex_lock(&mu);
    defer(mutex_unlock, &mu);
    n++;
    mutex_unlock(&mu);
    printf("%d\n", n);
    mutex_lock(&mu);
    n++;
}

static void by_another(void)
{
    mutex_lock(&mu);
    mutex_unlock(&mu);
    lock_it_again();
    mutex_unlock(&mu);
}

static void take_it(void)
{
    mutex_lock(&mu);
}

static void by_a_function(void)
{
    mutex_lock(&mu);
    n++;
    mutex_unlock(&mu);
    take_it();
    n++;
    mutex_unlock(&mu);
}

static void tried(void)
{
    mutex_lock(&mu);
    mutex_unlock(&mu);
    if (!mutex_try_lock(&mu))
        return;
    n++;
    mutex_unlock(&mu);
}

/* Hand over hand. */
static int sum(struct bank *b)
{
    int total = 0;
    struct account *a = b->first;
    mutex_lock(&a->lock);
    while (a->next) {
        struct account *next = a->next;
        total += a->balance;
        mutex_lock(&next->lock);
        mutex_unlock(&a->lock);
        a = next;
    }
    mutex_unlock(&a->lock);
    return total;
}

static int sum_in_place(struct bank *b)
{
    int total = 0;
    mutex_lock(&b->at->lock);
    mutex_lock(&b->at->next->lock);
    mutex_unlock(&b->at->lock);
    b->at = b->at->next;
    total += b->at->balance;
    mutex_unlock(&b->at->lock);
    return total;
}

static void both(struct account *a, struct account *b)
{
    mutex_lock(&a->lock);
    mutex_lock(&b->lock);
    mutex_unlock(&a->lock);
    mutex_unlock(&b->lock);
}

static rn_mutex attempted;

static void lock_it(void)
{
    mutex_lock(&attempted);
}

/* Who has not got it at once waits for it; or has it already. */
static void attempts(void)
{
    if (!mutex_try_lock(&attempted))
        mutex_lock(&attempted);
    mutex_unlock(&attempted);
    if (!mutex_try_lock(&attempted))
        lock_it();
    if (!mutex_try_lock(&attempted))
        mutex_unlock(&attempted);
    while (!mutex_try_lock(&attempted))
        rn_yield();
    mutex_unlock(&attempted);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct account x = {.balance = 3}, y = {.balance = 4, .next = &x};
    struct bank b = {&y, &y};
    for_a_while(), once_more(), by_another(), by_a_function(), tried(), both(&x, &y), attempts();
    return take(&x, 1) + sum(&b) + sum_in_place(&b);
}
