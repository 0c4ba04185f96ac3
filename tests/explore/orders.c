/* Writes down in which order two goroutines took their steps: for run.sh, which counts the orders. */
#include <runnel.h>
#include <runnel/test.h>
#include <stdatomic.h>
#include <stdio.h>

static _Atomic int steps;
static char order[8];

static void take_steps(char name)
{
    for (int i = 0; i < 2; i++)
        order[atomic_fetch_add(&steps, 1)] = name;
}

TEST(orders)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, take_steps, 'a');
    take_steps('b');
    wg_wait(&wg);
    FILE *f = fopen("orders", "a");
    fprintf(f, "%s\n", order);
    fclose(f);
}
