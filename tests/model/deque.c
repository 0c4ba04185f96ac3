/* Model test of the deque of goroutines that have not run, src/sched/deque.h: nothing is lost, nothing is run
 * twice, the owner takes the newest and thieves the oldest. */
#define RN_DEQUE_SIZE 4u
#include "sched/deque.h"
#include "engine/model.h"

enum { ITEMS = 6 };

/* What a deque holds; plain, so that whoever takes one must see what the pusher wrote. */
struct rn_g {
    int made, taken;
};

static struct rn_deque deque;
static struct rn_g g[ITEMS];
static int made;

static void setup(void)
{
    deque = (struct rn_deque){0};
    for (int i = 0; i < ITEMS; i++)
        g[i] = (struct rn_g){0};
    made = 0;
}

static bool push(int i)
{
    g[i].made = i + 1;
    return rn_deque_push(&deque, &g[i]);
}

static void take(struct rn_g *x)
{
    if (!x)
        return;
    MODEL_CHECK(x->made == (int)(x - g) + 1);
    x->taken++;
}

static void pop(void)
{
    take(rn_deque_pop(&deque));
}

static void steal(void)
{
    take(rn_deque_steal(&deque));
}

static void pop_twice(void)
{
    pop();
    pop();
}

static void steal_twice(void)
{
    steal();
    steal();
}

/* After the threads: what is left is taken, and each of the first `made` was taken once. */
static void each_once(void)
{
    for (int i = 0; i < ITEMS; i++)
        pop();
    for (int i = 0; i < made; i++)
        MODEL_CHECK(g[i].taken == 1);
}

static void filled(int n)
{
    setup();
    made = n;
    for (int i = 0; i < n; i++)
        push(i);
}

static void filled_1(void)
{
    filled(1);
}

static void filled_2(void)
{
    filled(2);
}

static void filled_3(void)
{
    filled(3);
}

/* The last one: owner and thieves all want it. */
MODEL_TEST(pop_beside_steal_of_one, .setup = filled_1, .thread = {pop, steal}, .finish = each_once);
MODEL_TEST(pop_beside_steal, .setup = filled_2, .thread = {pop_twice, steal}, .finish = each_once);
MODEL_TEST(pop_beside_steals, .setup = filled_3, .thread = {pop_twice, steal_twice}, .finish = each_once);
MODEL_TEST(two_thieves, .setup = filled_2, .thread = {steal, steal}, .finish = each_once);
MODEL_TEST(two_thieves_beside_pop, .setup = filled_2, .thread = {pop, steal, steal}, .finish = each_once);
MODEL_MUTANT(pop_beside_steals, "rn_deque_pop", "fence_seq_cst");
MODEL_MUTANT(pop_beside_steals, "rn_deque_steal", "fence_seq_cst");

/* A thief sees what was pushed whole. */
static void push_two(void)
{
    made = 2;
    push(0);
    push(1);
}

MODEL_TEST(push_beside_steal, .setup = setup, .thread = {push_two, steal}, .finish = each_once);
MODEL_MUTANT(push_beside_steal, "rn_deque_push", "store_release");
MODEL_MUTANT(push_beside_steal, "rn_deque_steal", "load_acquire &q->tail");

/* And when the tail that it reads is one that a pop wrote. */
static void push_two_pop_one(void)
{
    push_two();
    pop();
}

MODEL_TEST(push_and_pop_beside_steal, .setup = setup, .thread = {push_two_pop_one, steal}, .finish = each_once);

/* The owner goes round the ring while a thief looks: an entry that the thief has yet to read is not overwritten
 * so that the thief takes it for the old one. */
static void go_round(void)
{
    made = 3;
    pop_twice();
    for (int i = 3; i < ITEMS; i++) {
        if (!push(i))
            break;
        made++;
    }
}

MODEL_TEST(wrap_beside_steal, .setup = filled_3, .thread = {go_round, steal}, .finish = each_once);
MODEL_TEST(wrap_beside_steals, .setup = filled_3, .thread = {go_round, steal_twice}, .finish = each_once);

/* The owner takes the oldest away while thieves want them too; the ring is then used anew. */
static void take_some(uint32_t n)
{
    struct rn_g *some[ITEMS];
    n = rn_deque_take(&deque, some, n);
    for (uint32_t i = 0; i < n; i++) {
        take(some[i]);
        MODEL_CHECK(i == 0 || some[i] == some[i - 1] + 1);
    }
}

static void take_two(void)
{
    take_some(2);
}

static void take_and_go_round(void)
{
    take_some(2);
    for (int i = 3; i < ITEMS && push(i); i++)
        made++;
    pop();
}

MODEL_TEST(take_beside_steal, .setup = filled_3, .thread = {take_two, steal}, .finish = each_once);
MODEL_TEST(take_beside_steals, .setup = filled_3, .thread = {take_two, steal_twice}, .finish = each_once);
MODEL_TEST(take_of_one_beside_steal, .setup = filled_1, .thread = {take_two, steal}, .finish = each_once);
MODEL_TEST(wrap_after_take, .setup = filled_3, .thread = {take_and_go_round, steal_twice}, .finish = each_once);

/* Without thieves: last in, first out, and full is said when full. */
static void lifo(void)
{
    for (int i = 0; i < 4; i++)
        MODEL_CHECK(push(i));
    MODEL_CHECK(!push(4));
    for (int i = 3; i >= 1; i--)
        MODEL_CHECK(rn_deque_pop(&deque) == &g[i]);
    MODEL_CHECK(rn_deque_steal(&deque) == &g[0]);
    MODEL_CHECK(!rn_deque_pop(&deque) && !rn_deque_steal(&deque));
}

MODEL_TEST(owner_alone_is_lifo, .setup = setup, .thread = {lifo});

/* The length is never negative, nor more than was ever there at once. */
static void look(void)
{
    MODEL_CHECK(rn_deque_length(&deque) <= 3);
}

static void pop_push(void)
{
    made = 3;
    pop_twice();
    push(2);
    pop();
}

MODEL_TEST(length_is_a_moments, .setup = filled_2, .thread = {pop_push, look, steal}, .finish = each_once);
