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
