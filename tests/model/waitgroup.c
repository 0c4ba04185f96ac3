/* Model test of rn_waitgroup, src/sync/waitgroup.c. */
#include "os/lock.c"
#include "sync/waitgroup.c"
#include "model_no_ctx.h"
#include "model_sched.h"

static rn_waitgroup group;
static int cells[2]; /* plain: what the workers did */

const char *rn_strerror(int err)
{
    (void)err;
    return "error";
}

static void setup_count(int n)
{
    model_sched_reset();
    group = (rn_waitgroup)RN_WAITGROUP_INIT;
    cells[0] = cells[1] = 0;
    rn_wg_add(&group, n);
}

static void setup_1(void)
{
    setup_count(1);
}

static void setup_2(void)
{
    setup_count(2);
}

static void work_0(void)
{
    cells[0] = 1;
    rn_wg_done(&group);
}

static void work_1(void)
{
    cells[1] = 1;
    rn_wg_done(&group);
}

static void wait_1(void)
{
    rn_wg_wait(&group);
    MODEL_CHECK(cells[0] + cells[1] == 1);
}

static void wait_2(void)
{
    rn_wg_wait(&group);
    MODEL_CHECK(cells[0] + cells[1] == 2);
}

static void is_zero(void)
{
    MODEL_CHECK(rn_load_relaxed(&group.rn_state) == 0 && rn__waitq_empty(&group.rn_queue));
}

MODEL_TEST(wait_sees_work, .setup = setup_1, .thread = {work_0, wait_1}, .finish = is_zero);
MODEL_TEST(wait_sees_all_work, .setup = setup_2, .thread = {work_0, work_1, wait_2}, .finish = is_zero);
MODEL_TEST(two_wait, .setup = setup_1, .thread = {work_0, wait_1, wait_1}, .finish = is_zero);
/* The first waits alone, in the word; the second takes it along into the queue, or comes too late for that. */
MODEL_TEST(two_wait_for_two, .setup = setup_2, .thread = {work_0, work_1, wait_2, wait_2}, .finish = is_zero,
           .preemptions = 3);
MODEL_MUTANT(two_wait, "wait_alone", "cas_release");
MODEL_MUTANT(wait_sees_work, "add", "add_acq_rel");
MODEL_MUTANT(wait_sees_all_work, "add", "add_acq_rel");
MODEL_MUTANT(wait_sees_work, "rn_wg_wait", "load_acquire");
MODEL_MUTANT(two_wait, "join", "load_acquire");

/* The memory may be freed once wait has returned. */
static rn_waitgroup *heap;
static void setup_heap(void)
{
    model_sched_reset();
    heap = malloc(sizeof *heap);
    *heap = (rn_waitgroup)RN_WAITGROUP_INIT;
    rn_wg_add(heap, 1);
}

static void done_heap(void)
{
    rn_wg_done(heap);
}

static void wait_free(void)
{
    rn_wg_wait(heap);
    free(heap);
}

MODEL_TEST(freed_after_wait, .setup = setup_heap, .thread = {done_heap, wait_free});

/* Used again once wait has returned. */
static void again(void)
{
    wait_1();
    rn_wg_add(&group, 1);
    rn_wg_done(&group);
    rn_wg_wait(&group);
}

MODEL_TEST(used_again, .setup = setup_1, .thread = {work_0, again}, .finish = is_zero);
