/* Model test of rn_semaphore, src/sync/semaphore.c, with a context that ends a wait. */
#include "os/lock.c"
#include "sync/semaphore.c"
#include "model_ctx.h"

static rn_semaphore sem;
static int cell; /* plain: cell is what a semaphore of 1 guards */
static int got[MODEL_THREADS];

static void setup_of(int64_t size)
{
    model_sched_reset();
    model_ctx_reset();
    sem = (rn_semaphore)RN_SEMAPHORE_INIT(size);
    cell = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        got[i] = 0;
}

static void setup_1(void)
{
    setup_of(1);
}

static void setup_2(void)
{
    setup_of(2);
}

static void one(void)
{
    MODEL_CHECK(rn_sem_acquire(NULL, &sem, 1) == 0);
    cell++;
    got[model_self()] = 1;
    rn_sem_release(&sem, 1);
}

static void one_ctx(void)
{
    if (rn_sem_acquire(ctx, &sem, 1))
        return;
    cell++;
    got[model_self()] = 1;
    rn_sem_release(&sem, 1);
}

static void both_ctx(void)
{
    if (rn_sem_acquire(ctx, &sem, 2) == 0)
        rn_sem_release(&sem, 2);
}

static void one_of_two(void)
{
    MODEL_CHECK(rn_sem_acquire(NULL, &sem, 1) == 0);
    rn_sem_release(&sem, 1);
}

static void cancel(void)
{
    model_ctx_cancel();
}

static void all_back(void)
{
    MODEL_CHECK(sem.rn_used == 0 && rn__waitq_empty(&sem.rn_queue) && model_ctx_quiet());
}

static void checks(void)
{
    MODEL_CHECK(cell == got[0] + got[1] + got[2] && got[0]);
    all_back();
}

MODEL_TEST(semaphore_excludes, .setup = setup_1, .thread = {one, one}, .finish = checks);
MODEL_TEST(acquire_gives_up, .setup = setup_1, .thread = {one, one_ctx, cancel}, .finish = checks, .preemptions = 3);
/* Who wanted both gives up: those behind it go in. */
MODEL_TEST(front_gives_up, .setup = setup_2, .thread = {one_of_two, both_ctx, cancel, one_of_two}, .finish = all_back,
           .preemptions = 1);
