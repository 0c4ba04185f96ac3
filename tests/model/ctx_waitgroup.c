/* Model test of a wait for a waitgroup that a context ends: the waitgroup may be freed, or used again,
 * when the wait has returned early and the others are done (waitgroup.c, leave).  Found by this test: a
 * wait that was given up left the queue's bit set; the one who counted down to zero went to the queue for
 * it, while the next wait already returned and the memory was freed. */
#include "os/lock.c"
#include "sync/waitgroup.c"
#include "model_ctx.h"

static rn_waitgroup *group;
static int work; /* plain */

const char *rn_strerror(int err)
{
    (void)err;
    return "error";
}

static void setup(void)
{
    model_sched_reset();
    model_ctx_reset();
    group = malloc(sizeof *group);
    *group = (rn_waitgroup)RN_WAITGROUP_INIT;
    work = 0;
    rn_wg_add(group, 1);
}

static void done(void)
{
    work = 1;
    rn_wg_done(group);
}

/* After a wait that was ended early a full one follows; then the memory goes. */
static void wait_free(void)
{
    int err = rn_wg_wait_ctx(ctx, group);
    MODEL_CHECK(err == 0 || err == RN_ECANCELED);
    if (err)
        rn_wg_wait(group);
    MODEL_CHECK(work == 1);
    free(group);
}

static void wait_again(void)
{
    if (rn_wg_wait_ctx(ctx, group))
        rn_wg_wait(group);
    rn_wg_add(group, 1);
    rn_wg_done(group);
    rn_wg_wait(group);
    free(group);
}

static void cancel(void)
{
    model_ctx_cancel();
}

/* Two wait, one of them without a context: alone, until the other comes. */
static void wait_plainly(void)
{
    rn_wg_wait(group);
    MODEL_CHECK(work == 1);
}

static void wait_or_give_up(void)
{
    if (!rn_wg_wait_ctx(ctx, group))
        MODEL_CHECK(work == 1);
}

static void check_free(void)
{
    MODEL_CHECK(model_ctx_quiet() && rn_load_relaxed(&group->rn_state) == 0 && rn__waitq_empty(&group->rn_queue));
    free(group);
}

static void check(void)
{
    MODEL_CHECK(model_ctx_quiet());
}

MODEL_TEST(wait_gives_up, .setup = setup, .thread = {done, wait_free, cancel}, .finish = check, .preemptions = 4);
MODEL_TEST(used_again_after_giving_up, .setup = setup, .thread = {done, wait_again, cancel}, .finish = check,
           .preemptions = 3);
MODEL_TEST(joined_by_one_who_gives_up, .setup = setup, .thread = {done, wait_plainly, wait_or_give_up, cancel},
           .finish = check_free, .preemptions = 1);
