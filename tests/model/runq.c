/* Model test of the run queue, src/sched/runq.h: nothing is lost, nothing is run twice, and the owner
 * takes in the order in which it put. */
#define RN_RUNQ_SIZE 4u
#define RN_RUNQ_MINE 2u
#define RN_RUNQ_STEAL 2u
#include "sched/runq.h"
#include "engine/model.h"

enum { ITEMS = 6, LATER = -1 };

/* What a queue holds; plain, so that whoever takes one must see what the pusher wrote. */
struct rn_g {
    int made, taken;
};

static struct rn_runq queue, mine, other;
static struct rn_g g[ITEMS];
static int made;

static void setup(void)
{
    queue = mine = other = (struct rn_runq){0};
    for (int i = 0; i < ITEMS; i++)
        g[i] = (struct rn_g){0};
    made = 0;
}

static bool push(struct rn_runq *q, int i)
{
    g[i].made = i + 1;
    return rn_runq_push(q, &g[i]);
}

static void take(struct rn_g *x)
{
    MODEL_CHECK(x->made == (int)(x - g) + 1);
    x->taken++;
}

static bool pop_some(struct rn_runq *q, uint32_t most)
{
    struct rn_g *x = rn_runq_pop(q, most);
    if (x)
        take(x);
    return x != NULL;
}

static bool pop(struct rn_runq *q)
{
    return pop_some(q, 1);
}

static void drain(struct rn_runq *q)
{
    while (pop(q))
        ;
}

/* After the threads: what is left is taken, and each of the first `made` was taken once. */
static void each_once(void)
{
    drain(&queue);
    drain(&mine);
    drain(&other);
    for (int i = 0; i < made; i++)
        MODEL_CHECK(g[i].taken == 1);
}

static void filled(int n)
{
    setup();
    made = n;
    for (int i = 0; i < n; i++)
        push(&queue, i);
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

static void pop_once(void)
{
    pop(&queue);
}

static void pop_twice(void)
{
    pop(&queue);
    pop(&queue);
}

static void steal(void)
{
    if (rn_runq_steal_from(&queue, &mine))
        MODEL_CHECK(pop(&mine));
}

static void steal_also(void)
{
    if (rn_runq_steal_from(&queue, &other))
        MODEL_CHECK(pop(&other));
}

/* One entry, owner and thief both want it. */
MODEL_TEST(pop_beside_steal_of_one, .setup = filled_1, .thread = {pop_once, steal}, .finish = each_once);
MODEL_TEST(pop_beside_steal, .setup = filled_3, .thread = {pop_twice, steal}, .finish = each_once);
MODEL_TEST(two_thieves, .setup = filled_2, .thread = {steal, steal_also}, .finish = each_once);
MODEL_TEST(two_thieves_beside_pop, .setup = filled_2, .thread = {pop_once, steal, steal_also}, .finish = each_once);

/* The owner makes several its own at once, and does not come to all of them. */
static void pop_of_some(void)
{
    pop_some(&queue, 2);
}

static void pop_two_of_some(void)
{
    pop_some(&queue, 2);
    pop_some(&queue, 2);
}

static void filled_4(void)
{
    filled(4);
}

/* What is its own must not be overwritten, also when thieves have taken what was behind. */
static void pop_and_push(void)
{
    pop_some(&queue, 2);
    for (; made < ITEMS && push(&queue, made); made++)
        ;
    pop_some(&queue, 2);
}

MODEL_TEST(some_beside_steal_of_one, .setup = filled_1, .thread = {pop_of_some, steal}, .finish = each_once);
MODEL_TEST(some_beside_steal, .setup = filled_3, .thread = {pop_of_some, steal}, .finish = each_once);
MODEL_TEST(all_of_some_beside_steal, .setup = filled_3, .thread = {pop_two_of_some, steal}, .finish = each_once);
MODEL_TEST(some_beside_two_thieves, .setup = filled_4, .thread = {pop_two_of_some, steal, steal_also},
           .finish = each_once);
MODEL_TEST(wrap_of_some_beside_steal, .setup = filled_3, .thread = {pop_and_push, steal}, .finish = each_once);
MODEL_TEST(wrap_of_some_beside_two_thieves, .setup = filled_4, .thread = {pop_and_push, steal, steal_also},
           .finish = each_once, .preemptions = 4);

/* A thief in the owner's place (own.h) takes what is the owner's own, while others steal the rest. */
static void filled_some(void)
{
    filled(4);
    pop_some(&queue, 2);
}

static void take_mine(void)
{
    struct rn_g *x = rn_runq_take_mine(&queue, &mine);
    MODEL_CHECK(x == &g[1] && !rn_runq_first_of_mine(&queue));
    take(x);
}

MODEL_TEST(own_taken_beside_steal, .setup = filled_some, .thread = {take_mine, steal_also}, .finish = each_once);

/* All of them, in their order; and nothing where there is nothing. */
static void take_three(void)
{
    for (int i = 0; i < 4; i++)
        MODEL_CHECK(push(&queue, i));
    MODEL_CHECK(!rn_runq_take_mine(&queue, &mine) && rn_runq_length(&mine) == 0);
    rn_runq_set_mine(&queue, 0, 3);
    rn_store_relaxed(&queue.head, 3);
    MODEL_CHECK(rn_runq_take_mine(&queue, &mine) == &g[0]);
    MODEL_CHECK(rn_runq_pop(&mine, 1) == &g[1] && rn_runq_pop(&mine, 1) == &g[2] && !rn_runq_pop(&mine, 1));
    MODEL_CHECK(rn_runq_pop(&queue, 1) == &g[3] && !rn_runq_pop(&queue, 1));
}

MODEL_TEST(own_are_taken_in_order, .setup = setup, .thread = {take_three});

/* A thief sees what was pushed whole. */
static void push_two(void)
{
    made = 2;
    push(&queue, 0);
    push(&queue, 1);
}

MODEL_TEST(push_beside_steal, .setup = setup, .thread = {push_two, steal}, .finish = each_once);
MODEL_MUTANT(push_beside_steal, "rn_runq_push", "store_release");
MODEL_MUTANT(push_beside_steal, "rn_runq_steal_from", "load_acquire &q->tail");

/* The owner goes round the ring while a thief copies: entries that the thief has yet to read must
 * not be overwritten. */
static void go_round(void)
{
    made = 3;
    pop(&queue);
    pop(&queue);
    for (int i = 3; i < ITEMS; i++) {
        if (!push(&queue, i))
            break;
        made++;
    }
}

MODEL_TEST(wrap_beside_steal, .setup = filled_3, .thread = {go_round, steal}, .finish = each_once);

/* What was stolen is pushed at the end of the thief's queue, from which a third one steals. */
static void steal_from_thief(void)
{
    if (rn_runq_steal_from(&mine, &other))
        MODEL_CHECK(pop(&other));
}

static void steal_only(void)
{
    rn_runq_steal_from(&queue, &mine);
}

MODEL_TEST(steal_is_stolen, .setup = filled_2, .thread = {steal_only, steal_from_thief}, .finish = each_once);
MODEL_MUTANT(steal_is_stolen, "rn_runq_steal_from", "store_release &to->tail");

/* Without thieves: first in, first out, and full is said when full. */
static void fifo(void)
{
    for (int i = 0; i < 4; i++)
        MODEL_CHECK(push(&queue, i));
    MODEL_CHECK(!push(&queue, 4));
    for (int i = 0; i < 4; i++)
        MODEL_CHECK(rn_runq_pop(&queue, 1 + i % 2) == &g[i]);
    MODEL_CHECK(!rn_runq_pop(&queue, 2));
}

MODEL_TEST(owner_alone_is_fifo, .setup = setup, .thread = {fifo});

/* The length is never negative, nor more than was ever there at once. */
static void look(void)
{
    MODEL_CHECK(rn_runq_length(&queue) <= 3);
}

static void pop_push(void)
{
    made = 3;
    pop(&queue);
    pop(&queue);
    push(&queue, 2);
    pop(&queue);
}

MODEL_TEST(length_is_a_moments, .setup = filled_2, .thread = {pop_push, look}, .finish = each_once);
MODEL_MUTANT(length_is_a_moments, "rn_runq_length", "load_acquire &q->head");
