/* rn_flight: many who ask for the same thing at the same time share one call.  What it finds is freed by the last
 * of those who have got it. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>

struct address {
    rn_atomic_int holders;
    char text[32];
};

static void hold(void *address, int more) /* as many others have it as well */
{
    rn_atomic_add(&((struct address *)address)->holders, more);
}

static void let_go(struct address *a)
{
    if (rn_atomic_add(&a->holders, -1) == 0)
        free(a);
}

static rn_flight lookups = RN_FLIGHT_HOLD(hold);
static rn_atomic_int calls;

static int lookup(void *all_there, void **result)
{
    struct address *a = calloc(1, sizeof *a);
    if (!a)
        return RN_ENOMEM;
    rn_atomic_add(&calls, 1);
    wg_wait(all_there); /* slow: lasts until everybody has asked */
    a->holders = (rn_atomic_int){1};
    snprintf(a->text, sizeof a->text, "192.0.2.1");
    *result = a;
    return 0;
}

static void ask(rn_waitgroup *all_there, rn_atomic_int *right)
{
    void *address = NULL;
    wg_done(all_there);
    if (flight_do(&lookups, "host.example", lookup, all_there, &address, NULL) != 0)
        return;
    rn_atomic_add(right, 1);
    let_go(address);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup all_there = RN_WAITGROUP_INIT, wg = RN_WAITGROUP_INIT;
    rn_atomic_int right = {0};
    wg_add(&all_there, 20);
    for (int i = 0; i < 20; i++)
        wg_go(&wg, ask, &all_there, &right);
    wg_wait(&wg);
    printf("%d answers, fewer calls: %s\n", rn_atomic_load(&right), rn_atomic_load(&calls) < 20 ? "yes" : "no");
    return 0;
}
