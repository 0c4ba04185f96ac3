/* Model test of rn_mutex, src/sync/mutex.c. */
#include "os/lock.c"
#include "sync/mutex.c"
#include "model_no_ctx.h"
#include "model_sched.h"

static rn_mutex mutex;
static int cell; /* plain: what the mutex guards */
static int got[MODEL_THREADS];

static void setup(void)
{
    model_sched_reset();
    model_solo_reset(0);
    mutex = (rn_mutex)RN_MUTEX_INIT;
    cell = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        got[i] = 0;
}

/* Waiters that have waited for long: the clock may jump at each look. */
static void setup_slow(void)
{
    setup();
    model_clock_step = 3 * RN_MILLISECOND;
}

static void add(void)
{
    rn_mutex_lock(&mutex);
    cell++;
    rn_mutex_unlock(&mutex);
}

static void add_twice(void)
{
    add();
    add();
}

static void is_free(void)
{
    MODEL_CHECK(rn__waitq_empty(&mutex.rn_queue));
    MODEL_CHECK(rn_mutex_try_lock(&mutex));
    rn_mutex_unlock(&mutex);
}

static void two(void)
{
    MODEL_CHECK(cell == 2);
    is_free();
}

static void three(void)
{
    MODEL_CHECK(cell == 3);
    is_free();
}

MODEL_TEST(mutex_excludes, .setup = setup, .thread = {add, add}, .finish = two);
MODEL_TEST(mutex_excludes_slow, .setup = setup_slow, .thread = {add, add}, .finish = two);
MODEL_TEST(mutex_again, .setup = setup, .thread = {add_twice, add}, .finish = three, .preemptions = 4);
MODEL_TEST(mutex_three, .setup = setup, .thread = {add, add, add}, .finish = three, .preemptions = 2);
/* A mutex that starves is handed over, until its waiters are served in time.  (How it comes to starve
 * takes two preemptions and a late clock: mutex_three with setup_slow, 1197344 executions, passes.) */
static void setup_starving(void)
{
    setup();
    mutex.rn_flags = STARVING;
}

MODEL_TEST(mutex_starves, .setup = setup_starving, .thread = {add, add}, .finish = two);
MODEL_TEST(mutex_three_starve, .setup = setup_starving, .thread = {add, add, add}, .finish = three, .preemptions = 1);
MODEL_MUTANT(mutex_excludes, "rn_mutex_lock", "cas_acquire");
MODEL_MUTANT(mutex_excludes, "rn_mutex_unlock", "cas_release");

/* One whose run ends when it has been woken, or handed the mutex: whoever ends the run leaves for it. */
static void end_woken(void)
{
    struct visit v = {.w = {.g = rn__self()}};
    if (compete(&mutex, &v)) {
        rn_mutex_unlock(&mutex);
        return;
    }
    rn__park(RN_WAIT_MUTEX, &mutex);
    leave(&v.w);
}

MODEL_TEST(mutex_beside_one_that_ends, .setup = setup, .thread = {add, end_woken, add}, .finish = two,
           .preemptions = 2);
MODEL_TEST(mutex_that_starves_beside_one_that_ends, .setup = setup_starving, .thread = {add, end_woken, add},
           .finish = two, .preemptions = 1);

static void try_add(void)
{
    int me = model_self();
    got[me] = rn_mutex_try_lock(&mutex);
    if (got[me]) {
        cell++;
        rn_mutex_unlock(&mutex);
    }
}

static void as_many(void)
{
    MODEL_CHECK(cell == 1 + got[1]);
    is_free();
}

MODEL_TEST(mutex_try, .setup = setup, .thread = {add, try_add}, .finish = as_many);
MODEL_MUTANT(mutex_try, "try_take", "cas_acquire");

/* Beside a waiter: the mutex is let go with the queue in use. */
static void as_many_of_three(void)
{
    MODEL_CHECK(cell == 2 + got[2]);
    is_free();
}

MODEL_TEST(mutex_try_beside_waiter, .setup = setup, .thread = {add, add, try_add}, .finish = as_many_of_three,
           .preemptions = 2);
MODEL_MUTANT(mutex_try_beside_waiter, "release_locked", "store_release");

/* The last one to let go of an object that the mutex guards frees it: nobody touches it after that. */
struct object {
    rn_mutex mutex;
    int users;
};
static struct object *object;

static void setup_object(void)
{
    setup();
    object = malloc(sizeof *object);
    *object = (struct object){.mutex = RN_MUTEX_INIT, .users = 2};
}

static void let_go(void)
{
    struct object *o = object;
    rn_mutex_lock(&o->mutex);
    bool last = --o->users == 0;
    rn_mutex_unlock(&o->mutex);
    if (last)
        free(o);
}

MODEL_TEST(mutex_guards_its_own_memory, .setup = setup_object, .thread = {let_go, let_go});

/* ---- a thread's own ------------------------------------------------------------------------------------- */

static uint32_t owned_by(uint32_t thread)
{
    return (thread + 1) << RN_SOLO_NAME_SHIFT;
}

/* Two threads have names, and the mutex belongs to the first of them. */
static void setup_owned(void)
{
    setup();
    model_solo_reset(2);
    rn_store_relaxed(&mutex.rn_state, owned_by(0));
}

MODEL_TEST(mutex_owned, .setup = setup_owned, .thread = {add, add}, .finish = two, .preemptions = 3);
MODEL_MUTANT(mutex_owned, "rn_os_fence_restart", "fence_restart");
MODEL_MUTANT(mutex_owned, "rn__solo_give", "store_release");
MODEL_TEST(mutex_owned_twice, .setup = setup_owned, .thread = {add_twice, add}, .finish = three, .preemptions = 2);

/* What others do to the owner, and the owner to itself: sections that fail for no reason. */
static void setup_interrupted(void)
{
    setup_owned();
    model_solo_interrupted[0] = 1;
}

MODEL_TEST(mutex_owned_interrupted, .setup = setup_interrupted, .thread = {add, add}, .finish = two, .preemptions = 2);

/* It has one look to go, and becomes the first thread's meanwhile; or there is no budget for it. */
static void setup_due(void)
{
    setup();
    model_solo_reset(2);
    rn_store_relaxed(&mutex.rn_state, DUE);
    mutex.rn_flags = (RN_SOLO_EARNS - 1) * RN_SOLO_SEEN | 1u << RN_SOLO_NAME_SHIFT;
}

static void setup_poor(void)
{
    setup_due();
    model_solo_affords = false;
}

static bool was_owned;
static void add_due(void)
{
    rn_mutex_lock(&mutex);
    was_owned |= rn_load_relaxed(&mutex.rn_state) & OWNED;
    cell++;
    rn_mutex_unlock(&mutex);
}

static void note_owned(void)
{
    model_outcome(was_owned ? "owned" : "not owned");
    was_owned = false;
    two();
}

MODEL_TEST(mutex_due, .setup = setup_due, .thread = {add_due, add}, .finish = note_owned, .outcomes = "not owned|owned",
           .preemptions = 2);
MODEL_TEST(mutex_due_poor, .setup = setup_poor, .thread = {add_due, add}, .finish = note_owned, .outcomes = "not owned",
           .preemptions = 2);

/* Two take it away at the same time. */
static void as_many_of_those(void)
{
    MODEL_CHECK(cell == 1 + got[1] + got[2]);
    is_free();
}

MODEL_TEST(mutex_owned_three, .setup = setup_owned, .thread = {add, try_add, try_add}, .finish = as_many_of_those,
           .preemptions = 1);

static void as_many_and_two(void)
{
    MODEL_CHECK(cell == 2 + got[1]);
    is_free();
}

MODEL_TEST(mutex_owned_try, .setup = setup_owned, .thread = {add_twice, try_add}, .finish = as_many_and_two,
           .preemptions = 3);

/* A goroutine that locked it on the first thread unlocks it on the second, which the owner sees in its own way; and beside
 * one who takes it away. */
static void setup_moved(void)
{
    setup_owned();
    rn_store_relaxed(&mutex.rn_state, owned_by(0) | LOCKED);
}

static void add_locked(void)
{
    cell++;
    rn_mutex_unlock(&mutex);
}

static void try_and_add(void)
{
    while (!rn_mutex_try_lock(&mutex))
        rn__model_yield();
    cell++;
    rn_mutex_unlock(&mutex);
}

MODEL_TEST(mutex_owned_moved, .setup = setup_moved, .thread = {try_and_add, add_locked}, .finish = two);
MODEL_MUTANT(mutex_owned_moved, "rn__solo_take", "load_acquire");

static void as_many_and_the_two(void)
{
    MODEL_CHECK(cell == 2 + got[0]);
    is_free();
}

MODEL_TEST(mutex_owned_moved_away, .setup = setup_moved, .thread = {try_add, add_locked, add},
           .finish = as_many_and_the_two, .preemptions = 1);

static void setup_owned_object(void)
{
    setup_object();
    model_solo_reset(2);
    rn_store_relaxed(&object->mutex.rn_state, owned_by(0));
}

MODEL_TEST(mutex_owned_guards_its_own_memory, .setup = setup_owned_object, .thread = {let_go, let_go},
           .preemptions = 3);
