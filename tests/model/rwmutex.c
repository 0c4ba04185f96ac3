/* Model test of rn_rwmutex, src/sync/rwmutex.c. */
#include "os/lock.c"
#include "model_tally.h"
#include "sync/readers.c"
#include "sync/rwmutex.c"
#include "model_no_ctx.h"
#include "model_sched.h"

static rn_rwmutex mutex;
static int cell; /* plain: what the mutex guards */
static int tried;

static void setup(void)
{
    model_sched_reset();
    model_tally_reset(model_g);
    mutex = (rn_rwmutex)RN_RWMUTEX_INIT;
    cell = tried = 0;
}

static void add(void)
{
    rn_rwmutex_lock(&mutex);
    cell++;
    rn_rwmutex_unlock(&mutex);
}

static void look(void)
{
    rn_rwmutex_rlock(&mutex);
    MODEL_CHECK(cell <= 2); /* a plain read */
    rn_rwmutex_runlock(&mutex);
}

static void is_free(void)
{
    MODEL_CHECK(nobody_waits(&mutex));
    rn_rwmutex_lock(&mutex);
    rn_rwmutex_unlock(&mutex);
    MODEL_CHECK(rn_load_relaxed(&mutex.rn_state) == 0);
}

static void one(void)
{
    MODEL_CHECK(cell == 1);
    is_free();
}

static void two(void)
{
    MODEL_CHECK(cell == 2);
    is_free();
}

MODEL_TEST(writers_exclude, .setup = setup, .thread = {add, add}, .finish = two);
MODEL_TEST(reader_beside_writer, .setup = setup, .thread = {add, look}, .finish = one);
MODEL_TEST(two_readers_beside_writer, .setup = setup, .thread = {look, look, add}, .finish = one, .preemptions = 1);
MODEL_TEST(reader_beside_two_writers, .setup = setup, .thread = {add, look, add}, .finish = two, .preemptions = 1);
MODEL_MUTANT(writers_exclude, "lock_short", "cas_acquire");
MODEL_MUTANT(writers_exclude, "let_go_writer", "cas_release");
MODEL_MUTANT(reader_beside_writer, "rlock_short", "cas_acquire");
MODEL_MUTANT(reader_beside_writer, "let_go_reader", "cas_release");

/* Readers share: one that holds does not keep another out, whatever comes between but a writer. */
static void two_at_once(void)
{
    rn_rwmutex_rlock(&mutex);
    MODEL_CHECK(rn_rwmutex_try_rlock(&mutex));
    rn_rwmutex_runlock(&mutex);
    rn_rwmutex_runlock(&mutex);
}

MODEL_TEST(readers_share, .setup = setup, .thread = {two_at_once, look}, .finish = is_free);

/* Those whose run ends when they have been woken to compete, or granted the mutex: whoever ends the run leaves for them.
 * Nobody claims them again (rn__may_wake). */
static void end_woken_to_write(void)
{
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .claim = &claim};
    if (lock_or_queue(&mutex, &w, 0) == OURS) {
        rn_rwmutex_unlock(&mutex);
        return;
    }
    rn__park(RN_WAIT_RWMUTEX_W, &mutex);
    leave_writers(&w);
}

static void end_woken_to_read(void)
{
    struct rn_waiter w = {.g = rn__self()};
    if (rlock_or_queue(&mutex, &w, false)) {
        rn_rwmutex_runlock(&mutex);
        return;
    }
    rn__park(RN_WAIT_RWMUTEX_R, &mutex);
    leave_readers(&w);
}

MODEL_TEST(writers_beside_one_that_ends, .setup = setup, .thread = {add, end_woken_to_write, add}, .finish = two,
           .preemptions = 1);
MODEL_TEST(writers_beside_a_reader_that_ends, .setup = setup, .thread = {add, end_woken_to_read, add}, .finish = two,
           .preemptions = 1);

/* try forms never wait, and exclude. */
static void try_add(void)
{
    if (!rn_rwmutex_try_lock(&mutex))
        return;
    cell++;
    tried = 1;
    rn_rwmutex_unlock(&mutex);
}

static void try_look(void)
{
    if (!rn_rwmutex_try_rlock(&mutex))
        return;
    MODEL_CHECK(cell <= 2); /* a plain read */
    rn_rwmutex_runlock(&mutex);
}

static void as_tried(void)
{
    MODEL_CHECK(cell == 1 + tried);
    is_free();
}

MODEL_TEST(try_lock_beside_writer, .setup = setup, .thread = {add, try_add}, .finish = as_tried);
MODEL_TEST(try_rlock_beside_writer, .setup = setup, .thread = {add, try_look}, .finish = one);
MODEL_MUTANT(try_rlock_beside_writer, "rlock_short", "cas_acquire");
MODEL_MUTANT(try_rlock_beside_writer, "rlock_locked", "cas_acquire");

/* A reader that joins another comes after the writer that the other came after: found by this test
 * when the word was put back by a relaxed store.  Only who has lost is granted the mutex by a writer. */
static void setup_lost(void)
{
    setup();
    mutex.rn_flags = LOST;
}

/* As look, without asking whether it is biased: fewer operations to interleave. */
static void look_by_word(void)
{
    rlock_by_word(&mutex);
    MODEL_CHECK(cell <= 2); /* a plain read */
    runlock_by_word(&mutex);
}

MODEL_TEST(two_readers_one_of_whom_lost, .setup = setup_lost, .thread = {look_by_word, look_by_word, add},
           .finish = one, .preemptions = 2);
MODEL_MUTANT(two_readers_one_of_whom_lost, "pass_on_locked", "store_release");

/* Who lets go by waking somebody to compete publishes as one who grants. */
MODEL_MUTANT(reader_beside_two_writers, "wake_to_compete_locked", "store_release");
