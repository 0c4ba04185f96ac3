/* Model test of waits that a context ends: rn_mutex_lock_ctx over src/chan/{done,wait}.c.  A waiter has
 * two who may wake it, and exactly one does. */
#include "os/lock.c"
#include "sync/mutex.c"
#include "model_ctx.h"

static rn_mutex mutex;
static int cell; /* plain: what the mutex guards */
static int got[MODEL_THREADS];

static void setup(void)
{
    model_sched_reset();
    model_ctx_reset();
    mutex = (rn_mutex)RN_MUTEX_INIT;
    cell = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        got[i] = 0;
}

static void setup_slow(void)
{
    setup();
    model_clock_step = 3 * RN_MILLISECOND;
}

static void add(void)
{
    rn_mutex_lock(&mutex);
    cell++;
    got[model_self()] = 1;
    rn_mutex_unlock(&mutex);
}

static void add_ctx(void)
{
    int err = rn_mutex_lock_ctx(ctx, &mutex);
    if (err) {
        MODEL_CHECK(err == RN_ECANCELED);
        return;
    }
    cell++;
    got[model_self()] = 1;
    rn_mutex_unlock(&mutex);
}

static void cancel(void)
{
    model_ctx_cancel();
}

static void check(void)
{
    int sum = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        sum += got[i];
    MODEL_CHECK(cell == sum && got[0] == 1);
    MODEL_CHECK(model_ctx_quiet() && rn__waitq_empty(&mutex.rn_queue));
    MODEL_CHECK(rn_mutex_try_lock(&mutex));
}

MODEL_TEST(lock_beside_cancel, .setup = setup, .thread = {add, add_ctx, cancel}, .finish = check, .preemptions = 5);
MODEL_TEST(lock_beside_cancel_slow, .setup = setup_slow, .thread = {add, add_ctx, cancel}, .finish = check,
           .preemptions = 2);
/* The wake-up that a cancelled waiter would have had goes to the next. */
MODEL_TEST(cancelled_before_another, .setup = setup, .thread = {add, add_ctx, cancel, add}, .finish = check,
           .preemptions = 1);
MODEL_TEST(two_cancelled, .setup = setup, .thread = {add, add_ctx, cancel, add_ctx}, .finish = check, .preemptions = 1);
