/* Two withdrawals from one account: shown in docs/guide/explore.md. */
#include <runnel.h>
#include <runnel/test.h>

static int balance = 100;
static rn_mutex lock;

static int look(void)
{
    mutex_lock(&lock);
    int now = balance;
    mutex_unlock(&lock);
    return now;
}

static void take(int amount)
{
    mutex_lock(&lock);
    balance -= amount;
    mutex_unlock(&lock);
}

static void withdraw(int amount)
{
    if (look() >= amount)
        take(amount);
}

TEST(buggy_withdrawals)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, withdraw, 60);
    wg_go(&wg, withdraw, 60);
    wg_wait(&wg);
    CHECK(balance >= 0);
}
