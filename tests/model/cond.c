/* Model test of rn_cond, src/sync/cond.c, over the real mutex, with a context that ends a wait. */
#include "os/lock.c"
#include "sync/mutex.c"
#define join cond_join
#include "sync/cond.c"
#undef join
#include "model_ctx.h"

static rn_mutex mutex;
static rn_cond cond;
static int items; /* plain: guarded by the mutex */

static void setup(void)
{
    model_sched_reset();
    model_ctx_reset();
    mutex = (rn_mutex)RN_MUTEX_INIT;
    cond = (rn_cond){0};
    items = 0;
}

static void produce(void)
{
    rn_mutex_lock(&mutex);
    items++;
    rn_mutex_unlock(&mutex);
    rn_cond_signal(&cond);
}

static void produce_two(void)
{
    rn_mutex_lock(&mutex);
    items += 2;
    rn_mutex_unlock(&mutex);
    rn_cond_broadcast(&cond);
}

static void consume(void)
{
    rn_mutex_lock(&mutex);
    while (items == 0)
        rn_cond_wait(&cond, &mutex);
    items--;
    rn_mutex_unlock(&mutex);
}

static void consume_ctx(void)
{
    int err = 0;
    rn_mutex_lock(&mutex);
    while (items == 0 && !err)
        err = rn_cond_wait_ctx(ctx, &cond, &mutex);
    /* Who gives up passes on the signal that it may have had. */
    if (items && !err)
        items--;
    rn_mutex_unlock(&mutex);
    if (err)
        rn_cond_signal(&cond);
}

static void cancel(void)
{
    model_ctx_cancel();
}

static void quiet(void)
{
    MODEL_CHECK(rn__waitq_empty(&cond.rn_queue) && rn_load_relaxed(&cond.rn_waiting) == 0 && model_ctx_quiet());
}

static void none_left(void)
{
    MODEL_CHECK(items == 0);
    quiet();
}

MODEL_TEST(signal_wakes, .setup = setup, .thread = {consume, produce}, .finish = none_left);
MODEL_TEST(broadcast_wakes_all, .setup = setup, .thread = {consume, consume, produce_two}, .finish = none_left,
           .preemptions = 1);
MODEL_TEST(signal_beside_cancel, .setup = setup, .thread = {consume_ctx, produce, cancel}, .finish = quiet,
           .preemptions = 1);
