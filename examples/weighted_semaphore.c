/* rn_semaphore: tasks of different weight share a budget, first come, first served. */
#include <runnel.h>
#include <stdio.h>

static void task(rn_semaphore *budget, int weight, rn_atomic_int *used, rn_atomic_int *over)
{
    if (sem_acquire(ctx_background(), budget, weight) != 0)
        return;
    if (rn_atomic_add(used, weight) > 10)
        rn_atomic_add(over, 1);
    rn_sleep(RN_MILLISECOND);
    rn_atomic_add(used, -weight);
    sem_release(budget, weight);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_semaphore budget = RN_SEMAPHORE_INIT(10);
    rn_atomic_int used = {0}, over = {0};
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 30; i++)
        wg_go(&wg, task, &budget, i % 10 + 1, &used, &over);
    wg_wait(&wg);
    printf("over the budget: %d times\n", rn_atomic_load(&over));

    rn_context *ctx = ctx_with_timeout(ctx_background(), RN_MILLISECOND);
    defer(ctx_cancel, ctx);
    printf("more than there is: %s\n", rn_strerror(sem_acquire(ctx, &budget, 11)));
    return 0;
}
