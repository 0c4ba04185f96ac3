/* Model test of rn_pool, src/sync/pool.c: nobody gets an object that somebody else has, and what its last user did to it
 * comes before what the next one does. */
#include <runnel/pool.h>
#define RN_POOL_KEEPS 2 /* so that objects go through the shared stack */

/* In place of sched/local.h: whoever enters finds itself on a processor, and nobody else is inside of that one. */
#define RN_SCHED_LOCAL_H
#include "os/lock.h"
#include "engine/model.h"

enum { PROCS = 2 };
struct rn_m {
    rn_lock inside;
};
static struct rn_m processors[PROCS];
static enum { MOVES, STAYS, SECOND_IS_A_THREAD } where; /* any processor at each entry; its own; its own or none */

static int rn__local_enter(struct rn_m **m)
{
    int i = where == MOVES ? model_choose(PROCS) : model_self() % PROCS;
    if (where == SECOND_IS_A_THREAD && i == 1)
        return -1;
    *m = &processors[i];
    rn_lock_take(&(*m)->inside, RN_RANK_REVOKE);
    return i;
}

static void rn__local_leave(struct rn_m *m)
{
    rn_lock_release(&m->inside);
}

#include "os/lock.c"
#include "sync/pool.c"
#include "model_sched.h"

struct object {
    int users, uses; /* plain */
};
static rn_pool pool;
static rn_atomic(uint32_t) made;
static uint32_t freed, uses;

static void *make(void)
{
    rn_add_relaxed(&made, 1);
    return rn__calloc(1, sizeof(struct object));
}

static void end(void *object)
{
    struct object *o = object;
    MODEL_CHECK(o->users == 0);
    o->users = -1;
    uses += (uint32_t)o->uses;
    freed++;
}

static void setup(void)
{
    model_sched_reset();
    model_procs = PROCS;
    for (int i = 0; i < PROCS; i++)
        processors[i] = (struct rn_m){0};
    pool = (rn_pool)RN_POOL_INIT(make, NULL);
    rn_store_relaxed(&made, 0);
    freed = uses = 0;
    where = MOVES;
}

static void setup_stay(void)
{
    setup();
    where = STAYS;
}

static void setup_thread(void)
{
    setup();
    where = SECOND_IS_A_THREAD;
}

static struct object *take(void)
{
    struct object *o = rn_pool_get(&pool);
    MODEL_CHECK(o && o->users == 0);
    o->users = 1;
    o->uses++;
    return o;
}

static void give_back(struct object *o)
{
    o->users = 0;
    rn_pool_put(&pool, o);
}

static void use(void)
{
    give_back(take());
}

/* More than a processor keeps: one goes to the shared stack. */
static void use_three(void)
{
    struct object *a = take(), *b = take(), *c = take();
    give_back(a);
    give_back(b);
    give_back(c);
}

/* Every object that was made is still there, once. */
static void all_are_there(uint32_t expected)
{
    pool.rn_free = end;
    rn_pool_drain(&pool);
    MODEL_CHECK(freed == rn_load_relaxed(&made) && uses == expected);
}

static void all_two(void)
{
    all_are_there(2);
}

static void all_four(void)
{
    all_are_there(4);
}

MODEL_TEST(two_users, .setup = setup, .thread = {use, use}, .finish = all_two);
MODEL_MUTANT(two_users, "shards_of", "cas_acq_rel");
MODEL_TEST(by_the_shared_stack, .setup = setup_stay, .thread = {use_three, use}, .finish = all_four, .preemptions = 2);
MODEL_TEST(beside_a_thread, .setup = setup_thread, .thread = {use, use}, .finish = all_two);
