/* A read-write mutex under waits that a context ends: what writers and contexts do, and what holds when all is over.
 * Shared by ctx_readers.c and ctx_rwmutex.c. */
#ifndef RN_MODEL_CTX_RWMUTEX_H
#define RN_MODEL_CTX_RWMUTEX_H

#include "os/lock.c"
#include "model_tally.h"
#include "sync/readers.c"
#include "sync/rwmutex.c"
#include "model_ctx.h"

static rn_rwmutex mutex;
static int cell; /* plain: what the mutex guards */
static int wrote[MODEL_THREADS];

static void reset(void)
{
    model_sched_reset();
    model_tally_reset(model_g);
    model_ctx_reset();
    mutex = (rn_rwmutex)RN_RWMUTEX_INIT;
    cell = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        wrote[i] = 0;
}

/* With the mutex, which is let go. */
static void write(void)
{
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
    uint64_t state = rn_load_relaxed(&mutex.rn_state);
    if (state & RN_RW_BIASED) /* open to its readers again */
        MODEL_CHECK(rn_load_relaxed(&rn__readers_places[rn__rw_place(state)].rn_open) == rn__readers_name(&mutex));
    MODEL_CHECK(rn_rwmutex_try_lock(&mutex));
    rn_rwmutex_unlock(&mutex);
    MODEL_CHECK(rn_load_relaxed(&mutex.rn_state) == 0);
    for (uint32_t k = 0; k < RN_TALLIES; k++)
        MODEL_CHECK(rn__tally_sum(k) == 0);
}

#endif
