/* Model test of waits for a rwmutex that a context ends: readers behind a writer that gives up must
 * go in (rwmutex.c, lock_abandon). */
#include "model_ctx_rwmutex.h"

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
    write();
}

static void add_ctx(void)
{
    if (rn_rwmutex_lock_ctx(ctx, &mutex) == 0)
        write();
}

MODEL_TEST(writer_gives_up, .setup = reset, .thread = {look, add_ctx, cancel}, .finish = checks, .preemptions = 3);
MODEL_TEST(reader_gives_up, .setup = reset, .thread = {add, look_ctx, cancel}, .finish = checks, .preemptions = 3);
MODEL_TEST(reader_behind_writer_that_gives_up, .setup = reset, .thread = {look, add_ctx, cancel, look},
           .finish = checks, .preemptions = 1);
