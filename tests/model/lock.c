/* Model test of the internal lock, src/os/lock.h and lock.c. */
#include "os/lock.c"
#include "engine/model.h"

static rn_lock lock;
static int cell, got[2];

static void setup(void)
{
    lock = (rn_lock){0};
    cell = got[0] = got[1] = 0;
}

static void add(void)
{
    rn_lock_take(&lock, RN_RANK_SCHED);
    cell++;
    rn_lock_release(&lock);
}

static void add_twice(void)
{
    add();
    add();
}

static void two(void)
{
    MODEL_CHECK(cell == 2 && !rn_lock_is_held(&lock));
}

static void three(void)
{
    MODEL_CHECK(cell == 3 && !rn_lock_is_held(&lock));
}

/* Mutual exclusion (cell is plain: a race would show), and nobody waits for ever. */
MODEL_TEST(lock_excludes, .setup = setup, .thread = {add, add}, .finish = two);
MODEL_TEST(lock_is_handed_on, .setup = setup, .thread = {add_twice, add}, .finish = three);
MODEL_TEST(lock_excludes_three, .setup = setup, .thread = {add, add, add}, .finish = three);
MODEL_MUTANT(lock_excludes, "rn_lock_take", "cas_acquire");
MODEL_MUTANT(lock_excludes, "rn_lock_release", "store_release");
MODEL_MUTANT(lock_excludes, "rn__lock_slow", "cas_acquire");

/* try never waits, fails only when the lock is held, and excludes. */
static void try_add(void)
{
    int me = model_self();
    got[me] = rn_lock_try(&lock, RN_RANK_SCHED);
    if (got[me]) {
        cell++;
        rn_lock_release(&lock);
    }
}

static void as_many(void)
{
    MODEL_CHECK(cell == got[0] + got[1] && cell >= 1 && !rn_lock_is_held(&lock));
}

MODEL_TEST(try_excludes, .setup = setup, .thread = {try_add, try_add}, .finish = as_many);
MODEL_MUTANT(try_excludes, "rn_lock_try", "cas_acquire");
MODEL_MUTANT(try_excludes, "rn_lock_release", "store_release");

static void take_add(void)
{
    add();
    got[1] = 1;
}

static void two_or_one(void)
{
    MODEL_CHECK(cell == got[0] + 1);
}

MODEL_TEST(try_beside_take, .setup = setup, .thread = {try_add, take_add}, .finish = two_or_one);
