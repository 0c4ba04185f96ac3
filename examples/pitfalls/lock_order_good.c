/* Cure: everybody takes the locks in the same order. */
#include <runnel.h>
#include <stdio.h>

struct account {
    int number;
    rn_mutex mu;
    long balance; /* guarded by mu */
};

static void transfer(struct account *from, struct account *to, long amount)
{
    struct account *first = from->number < to->number ? from : to;
    struct account *second = first == from ? to : from;
    mutex_lock(&first->mu);
    mutex_lock(&second->mu);
    from->balance -= amount;
    to->balance += amount;
    mutex_unlock(&second->mu);
    mutex_unlock(&first->mu);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct account a = {.number = 1, .balance = 1000}, b = {.number = 2, .balance = 1000};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 100; i++) {
        wg_go(&wg, transfer, &a, &b, 3L);
        wg_go(&wg, transfer, &b, &a, 2L);
    }
    wg_wait(&wg);
    printf("%ld %ld\n", a.balance, b.balance);
    return 0;
}
