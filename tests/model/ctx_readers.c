/* Model test of a writer that gives up on a read-write mutex that is biased to its readers (rwmutex.c, lock_abandon): it
 * has closed the readers' place, and waits for the last of them. */
#include "model_ctx_rwmutex.h"

static struct rn_tally rows[MODEL_THREADS];

static void setup(void)
{
    reset();
    memset(rn__readers, 0, sizeof rn__readers);
    rn_store_relaxed(&taken, 0);
    rn_store_relaxed(&search_next, 0);
    rn_store_relaxed(&turn, 0);
    model_tally_give(rows, MODEL_THREADS);
    begin(&mutex);
}

static void look(void)
{
    rn_rwmutex_rlock(&mutex);
    MODEL_CHECK(cell <= 2); /* a plain read */
    rn_rwmutex_runlock(&mutex);
}

static void look_twice(void)
{
    look();
    look();
}

static void add(void)
{
    rn_rwmutex_lock(&mutex);
    write();
}

/* Overwrites the frames of the call that has returned: nobody may use its waiter any more. */
static __attribute__((noinline)) void forget(void)
{
    volatile char frames[1024];
    memset((char *)frames, 0xff, sizeof frames);
}

static void add_ctx(void)
{
    if (rn_rwmutex_lock_ctx(ctx, &mutex) == 0)
        write();
    else
        forget();
}

MODEL_TEST(writer_gives_up, .setup = setup, .thread = {look, add_ctx, cancel}, .finish = checks, .preemptions = 2);
MODEL_TEST(writer_gives_up_among_reads, .setup = setup, .thread = {look_twice, add_ctx, cancel}, .finish = checks,
           .preemptions = 1);
MODEL_TEST(reader_behind_writer_that_gives_up, .setup = setup, .thread = {look, add_ctx, cancel, look},
           .finish = checks, .sample = 5000);
MODEL_TEST(writer_behind_writer_that_gives_up, .setup = setup, .thread = {look, add_ctx, cancel, add}, .finish = checks,
           .sample = 5000);
MODEL_MUTANT(writer_gives_up, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(writer_gives_up, "rn__readers_try_enter", "fence_light");
MODEL_MUTANT(writer_behind_writer_that_gives_up, "rn__readers_count_down", "fence_light");
