/* category: atomicity violation / checked, then acted upon
 * found-by: explore
 *
 * Each access is locked, and no race detector complains; but the balance may have changed between the check
 * and the withdrawal. */
#include <runnel.h>

struct account {
    rn_mutex mu;
    int balance;
};

static int balance(struct account *a)
{
    mutex_lock(&a->mu);
    int b = a->balance;
    mutex_unlock(&a->mu);
    return b;
}

static void withdraw(struct account *a, int n)
{
#ifdef FIXED
    mutex_lock(&a->mu);
    if (a->balance >= n)
        a->balance -= n;
    mutex_unlock(&a->mu);
#else
    if (balance(a) < n)
        return;
    mutex_lock(&a->mu);
    a->balance -= n;
    mutex_unlock(&a->mu);
#endif
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    struct account a = {.balance = 10};
    for (int i = 0; i < 2; i++)
        wg_go(&wg, withdraw, &a, 8);
    wg_wait(&wg);
    return balance(&a) >= 0 ? 0 : 1;
}
