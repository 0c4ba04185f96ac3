/* Model test of hibernation, src/sched/hibernate.h: whoever uses a stack finds it whole, and nobody takes it away from
 * under somebody who runs on it. */
#include "os/os.h"
#include "engine/model.h"
#include "sched/hibernate.h"

/* The goroutine, its stack as one word (plain: a race with the putter is found), and whether its page traps: that the
 * kernel knows, and every thread sees it at once. */
static struct rn_g g;
static int stack, block;
static rn_atomic(uint32_t) traps;
static int put, ran;

static void setup(void)
{
    g = (struct rn_g){.kind = RN_G_GOROUTINE};
    rn_store_relaxed(&g.status, RN_G_WAITING);
    rn_store_relaxed(&traps, 0);
    stack = 7;
    block = put = ran = 0;
}

static void bring_back(struct rn_g *who)
{
    (void)who;
    MODEL_CHECK(stack == 0); /* nobody has seen, or used, an empty page */
    stack = block;
    rn_store_seq_cst(&traps, 0);
}

static void putter(void)
{
    if (!rn_hib_claim(&g))
        return;
    rn_os_fence_heavy();
    if (!rn_hib_is_parked(&g)) {
        rn_hib_decide(&g, RN_HIB_AWAKE);
        return;
    }
    rn_store_seq_cst(&traps, 1);
    block = stack;
    stack = 0;
    put++;
    rn_hib_decide(&g, RN_HIB_AWAY);
}

static void putter_twice(void)
{
    putter();
    putter();
}

/* What rn__switch_to does, the goroutine's turn, and its next park. */
static void turn(void)
{
    rn_store_relaxed(&g.on_cpu, 1);
    rn_store_relaxed(&g.status, RN_G_RUNNING);
    if (rn_hib_must_wake(&g))
        rn_hib_wake(&g, RN_HIB_AWAKE, bring_back);
    MODEL_CHECK(stack == 7 + ran);
    stack++;
    ran++;
    rn_store_relaxed(&g.status, RN_G_WAITING);
    rn_store_release(&g.on_cpu, 0);
}

static void resumer(void)
{
    turn();
}

static void resumer_twice(void)
{
    turn();
    turn();
}

/* A system call of the library's. */
static void toucher(void)
{
    rn_hib_wake(&g, RN_HIB_STAYS, bring_back);
    MODEL_CHECK(rn_load_seq_cst(&traps) == 0);
    MODEL_CHECK(stack == 7);
}

static void check_ran(void)
{
    if (rn_load_relaxed(&g.hib) == RN_HIB_AWAY)
        MODEL_CHECK(block == 7 + ran && stack == 0);
    else
        MODEL_CHECK(stack == 7 + ran);
}

MODEL_TEST(resume, .setup = setup, .thread = {putter, resumer}, .finish = check_ran);
MODEL_MUTANT(resume, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(resume, "rn_hib_must_wake", "fence_light");
MODEL_MUTANT(resume, "rn_hib_decide", "store_release");
MODEL_TEST(resume_twice, .setup = setup, .thread = {putter_twice, resumer_twice}, .finish = check_ran,
           .preemptions = 3);
/* It is away.  One brings it back for a goroutine that another one resumes, or two want it. */
static void setup_away(void)
{
    setup();
    rn_store_relaxed(&g.hib, RN_HIB_AWAY);
    rn_store_relaxed(&traps, 1);
    block = stack;
    stack = 0;
}

static void thaw(void)
{
    rn_hib_wake(&g, RN_HIB_STAYS, bring_back);
}

/* As a toucher, who does not ask the kernel, with which it would hear of all before. */
static void use(void)
{
    thaw();
    MODEL_CHECK(stack == 7);
}

MODEL_TEST(resume_beside_a_thaw, .setup = setup_away, .thread = {thaw, resumer}, .finish = check_ran);
MODEL_MUTANT(resume_beside_a_thaw, "rn_hib_thaw", "store_release");
MODEL_TEST(thawed_by_another, .setup = setup_away, .thread = {thaw, use}, .finish = NULL);
MODEL_MUTANT(thawed_by_another, "rn_hib_wake", "load_acquire");
MODEL_TEST(touch, .setup = setup, .thread = {putter, toucher}, .finish = NULL);
MODEL_MUTANT(touch, "rn_hib_decide", "store_release");
/* All three at once: the toucher has it stay, and the resumer lets it go again. */
MODEL_TEST(touch_beside_resume, .setup = setup, .thread = {putter, thaw, resumer}, .finish = check_ran,
           .preemptions = 3);
MODEL_TEST(touch_beside_resume_twice, .setup = setup, .thread = {putter_twice, thaw, resumer_twice},
           .finish = check_ran, .preemptions = 2);
MODEL_TEST(two_touch, .setup = setup, .thread = {putter, toucher, toucher}, .finish = NULL, .preemptions = 3);
