/* Model test of waits for a rwmutex that a context ends: readers behind a writer that gives up must
 * go in (rwmutex.c, lock_abandon). */
#include "os/lock.c"
#include "model_tally.h"
#include "sync/readers.c"
#include "sync/rwmutex.c"
#include "model_ctx.h"

static rn_rwmutex mutex;
static int cell; /* plain: what the mutex guards */
static int wrote[MODEL_THREADS];

static void setup(void)
{
    model_sched_reset();
    model_tally_reset(model_g);
    model_ctx_reset();
    mutex = (rn_rwmutex)RN_RWMUTEX_INIT;
    cell = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        wrote[i] = 0;
}

static void look(void)
{
    rn_rwmutex_rlock(&mutex);
    MODEL_CHECK(cell <= 1);
    rn_rwmutex_runlock(&mutex);
}

static void look_ctx(void)
{
    if (rn_rwmutex_rlock_ctx(ctx, &mutex))
        return;
    MODEL_CHECK(cell <= 1);
    rn_rwmutex_runlock(&mutex);
}

static void add(void)
{
    rn_rwmutex_lock(&mutex);
    cell++;
    wrote[model_self()] = 1;
    rn_rwmutex_unlock(&mutex);
}

static void add_ctx(void)
{
    if (rn_rwmutex_lock_ctx(ctx, &mutex))
        return;
    cell++;
    wrote[model_self()] = 1;
    rn_rwmutex_unlock(&mutex);
}

static void cancel(void)
{
    model_ctx_cancel();
}

static void checks(void)
{
    int sum = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        sum += wrote[i];
    MODEL_CHECK(cell == sum && nobody_waits(&mutex) && model_ctx_quiet());
    rn_rwmutex_lock(&mutex);
    rn_rwmutex_unlock(&mutex);
    MODEL_CHECK(rn_load_relaxed(&mutex.rn_state) == 0);
}

MODEL_TEST(writer_gives_up, .setup = setup, .thread = {look, add_ctx, cancel}, .finish = checks, .preemptions = 3);
MODEL_TEST(reader_gives_up, .setup = setup, .thread = {add, look_ctx, cancel}, .finish = checks, .preemptions = 3);
MODEL_TEST(reader_behind_writer_that_gives_up, .setup = setup, .thread = {look, add_ctx, cancel, look},
           .finish = checks, .preemptions = 1);
