/* Goroutines for model tests of src/sched: they have stacks of their own and really move between the model's threads, so that a
 * stack that two threads use at once is found.  Stands in for src/arch's switch, and for rn__g_begin and rn__g_end.
 *
 * Included behind the files of src/sched.  The test defines before it GOROUTINES, how many there are, and
 * behind it last_has_ended. */
#ifndef RN_MODEL_GOROUTINES_H
#define RN_MODEL_GOROUTINES_H

#include "model_workers.h"

enum { STACK = 32 << 10, USERS = 2 * MODEL_THREADS };

struct goroutine {
    struct rn_g g;
    void (*f)(void);
    int ran; /* plain: times that it came to its end */
};

static struct goroutine gs[GOROUTINES];
static char stacks[GOROUTINES][STACK] __attribute__((aligned(64)));
static struct rn_g *leaving[MODEL_THREADS]; /* what each thread has just switched away from */
static const struct rn_g *users[USERS];     /* whose stacks are in use */
static rn_atomic(uint32_t) running_n;       /* goroutines that have not ended */

/* By the last goroutine, when it has ended. */
static void last_has_ended(void);

__attribute__((no_sanitize_thread)) static void stack_used(const struct rn_g *g)
{
    int free = -1;
    for (int i = 0; i < USERS; i++) {
        if (users[i] == g)
            model_fail("two threads are on one stack");
        if (!users[i])
            free = i;
    }
    users[free] = g;
}

__attribute__((no_sanitize_thread)) static void stack_unused(const struct rn_g *g)
{
    for (int i = 0; i < USERS; i++)
        if (users[i] == g)
            users[i] = NULL;
}

/* The end of the assembly's switch, on the new stack. */
__attribute__((no_sanitize_thread)) static void arrived(void)
{
    struct rn_g *from = leaving[model_self()];
    stack_unused(from);
    rn_store_release(&from->on_cpu, 0);
}

__attribute__((no_sanitize_thread)) void rn__arch_switch(struct rn_g *from, struct rn_g *to)
{
    stack_used(to);
    model_plain(&to->sp, sizeof to->sp, false, __builtin_return_address(0));
    model_plain(&from->sp, sizeof from->sp, true, __builtin_return_address(0));
    leaving[model_self()] = from;
    model_switch(&from->sp, to->sp);
    arrived();
}

/* As rn__g_begin and rn__g_end. */
static void g_main(void)
{
    arrived();
    struct goroutine *self = (struct goroutine *)(void *)rn__m()->g;
    rn__leave(rn__m());
    self->f();
    self->ran++;
    struct rn_m *m = rn__enter();
    rn_store_relaxed(&self->g.status, RN_G_DEAD);
    if (rn_sub_acq_rel(&running_n, 1) == 1)
        last_has_ended();
    rn__to_loop(m, &self->g, NULL);
    model_fail("an ended goroutine runs");
}

/* Goroutine i, which runs f, in p's ring. */
static void add(int i, void (*f)(void), int p)
{
    gs[i] = (struct goroutine){.g = {.kind = RN_G_GOROUTINE, .id = (uint64_t)i + 1}, .f = f};
    gs[i].g.sp = model_stack(stacks[i], STACK, g_main);
    rn_runq_push(&rn__procs[p].runq, &gs[i].g);
    rn_add_relaxed(&running_n, 1);
}

/* No goroutines, and workers_n workers, each on its own stack. */
static void goroutines_reset(int workers_n, int procs_n)
{
    workers_reset(workers_n, procs_n);
    rn_store_relaxed(&running_n, 0);
    memset(gs, 0, sizeof gs);
    memset(users, 0, sizeof users);
    for (int i = 0; i < workers_n; i++) {
        users[i] = &workers[i].g0;
        rn_store_relaxed(&workers[i].g0.on_cpu, 1);
    }
}

static void all_ran(void)
{
    for (int i = 0; i < GOROUTINES; i++)
        MODEL_CHECK(!gs[i].f || gs[i].ran == 1);
    MODEL_CHECK(!rn__sched.global_first && rn_load_relaxed(&rn__sched.global_n) == 0);
    MODEL_CHECK(rn__sched.pinned_n == 0);
}

#endif
