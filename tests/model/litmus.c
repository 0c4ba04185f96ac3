/* The checker's own tests: litmus tests of the C11 memory model.  For each the set of outcomes is
 * asserted exactly: what C11 allows must be found, and nothing that it forbids. */
#include "base/atomic.h"
#include "engine/model.h"
#include "os/os.h"

static rn_atomic(int) x, y, z;
static int r0, r1, r2, r3;

static void zero(void)
{
    rn_store_relaxed(&x, 0);
    rn_store_relaxed(&y, 0);
    rn_store_relaxed(&z, 0);
    r0 = r1 = r2 = r3 = 0;
}

static void two(void)
{
    model_outcome("%d %d", r0, r1);
}

static void three(void)
{
    model_outcome("%d %d %d", r0, r1, r2);
}

static void four(void)
{
    model_outcome("%d %d %d %d", r0, r1, r2, r3);
}

#define LITMUS(name, done, expected, ...) \
    MODEL_TEST(name, .setup = zero, .thread = {__VA_ARGS__}, .finish = (done), .outcomes = (expected))
#define THREAD(name, ...)  \
    static void name(void) \
    {                      \
        __VA_ARGS__;       \
    }

/* Store buffering: each stores, then loads the other's.  Only full order forbids 0 0. */
THREAD(sb_a, rn_store_release(&x, 1); r0 = rn_load_acquire(&y))
THREAD(sb_b, rn_store_release(&y, 1); r1 = rn_load_acquire(&x))
LITMUS(store_buffering_acq_rel, two, "0 0|0 1|1 0|1 1", sb_a, sb_b);
THREAD(sbf_a, rn_store_relaxed(&x, 1); rn_fence_seq_cst(); r0 = rn_load_relaxed(&y))
THREAD(sbf_b, rn_store_relaxed(&y, 1); rn_fence_seq_cst(); r1 = rn_load_relaxed(&x))
LITMUS(store_buffering_fences, two, "0 1|1 0|1 1", sbf_a, sbf_b);
LITMUS(store_buffering_one_fence, two, "0 0|0 1|1 0|1 1", sbf_a, sb_b);
THREAD(sbs_a, rn_store_seq_cst(&x, 1); r0 = rn_load_seq_cst(&y))
THREAD(sbs_b, rn_store_seq_cst(&y, 1); r1 = rn_load_seq_cst(&x))
LITMUS(store_buffering_seq_cst, two, "0 1|1 0|1 1", sbs_a, sbs_b);
LITMUS(store_buffering_seq_cst_and_acq_rel, two, "0 0|0 1|1 0|1 1", sbs_a, sb_b);
LITMUS(store_buffering_seq_cst_and_fence, two, "0 1|1 0|1 1", sbs_a, sbf_b);
THREAD(sbr_a, (void)rn_xchg_acq_rel(&x, 1); r0 = rn_load_acquire(&y))
THREAD(sbr_b, (void)rn_xchg_acq_rel(&y, 1); r1 = rn_load_acquire(&x))
LITMUS(store_buffering_rmw_acq_rel, two, "0 0|0 1|1 0|1 1", sbr_a, sbr_b);

/* The same with the asymmetric pair: the light side only stores and loads. */
THREAD(light, rn_store_relaxed(&x, 1); rn_fence_light(); r0 = rn_load_relaxed(&y))
THREAD(heavy, rn_store_relaxed(&y, 1); rn_os_fence_heavy(); r1 = rn_load_relaxed(&x))
static void no_membarrier(void)
{
    zero();
    rn__fence_asymmetric = false;
}
LITMUS(asymmetric_fences, two, "0 1|1 0|1 1", light, heavy);
MODEL_TEST(asymmetric_fences_without_membarrier, .setup = no_membarrier, .thread = {light, heavy}, .finish = two,
           .outcomes = "0 1|1 0|1 1");
LITMUS(asymmetric_fences_both_light, two, "0 0|0 1|1 0|1 1", light, sb_b);
THREAD(light_z, rn_store_relaxed(&z, 1); rn_fence_light(); r2 = rn_load_relaxed(&y))
THREAD(heavy_two, rn_store_relaxed(&y, 1); rn_os_fence_heavy(); r1 = rn_load_relaxed(&x); r3 = rn_load_relaxed(&z))
static void heavy_two_check(void)
{
    MODEL_CHECK((r0 || r1) && (r2 || r3));
}
MODEL_TEST(asymmetric_fences_two_light, .setup = zero, .thread = {light, heavy_two, light_z},
           .finish = heavy_two_check);

/* Message passing: who sees the flag must see the message. */
THREAD(mp_relaxed, rn_store_relaxed(&x, 1); rn_store_relaxed(&y, 1))
THREAD(mp_release, rn_store_relaxed(&x, 1); rn_store_release(&y, 1))
THREAD(mp_fence, rn_store_relaxed(&x, 1); rn_fence_release(); rn_store_relaxed(&y, 1))
THREAD(mp_read_relaxed, r0 = rn_load_relaxed(&y); r1 = rn_load_relaxed(&x))
THREAD(mp_read_acquire, r0 = rn_load_acquire(&y); r1 = rn_load_relaxed(&x))
THREAD(mp_read_fence, r0 = rn_load_relaxed(&y); rn_fence_acquire(); r1 = rn_load_relaxed(&x))
LITMUS(message_relaxed, two, "0 0|0 1|1 0|1 1", mp_relaxed, mp_read_relaxed);
LITMUS(message_release_only, two, "0 0|0 1|1 0|1 1", mp_release, mp_read_relaxed);
LITMUS(message_acquire_only, two, "0 0|0 1|1 0|1 1", mp_relaxed, mp_read_acquire);
LITMUS(message_release_acquire, two, "0 0|0 1|1 1", mp_release, mp_read_acquire);
LITMUS(message_fences, two, "0 0|0 1|1 1", mp_fence, mp_read_fence);
LITMUS(message_fence_and_acquire, two, "0 0|0 1|1 1", mp_fence, mp_read_acquire);

/* Load buffering: C11 allows 1 1 for relaxed operations.  The checker does not find it, since it
 * executes each thread's operations in program order: a limit that is stated in the design. */
THREAD(lb_a, r0 = rn_load_relaxed(&x); rn_store_relaxed(&y, 1))
THREAD(lb_b, r1 = rn_load_relaxed(&y); rn_store_relaxed(&x, 1))
LITMUS(load_buffering_limit, two, "0 0|0 1|1 0", lb_a, lb_b);

/* 2+2W: C11 allows both first stores to be last in modification order when all are relaxed (r0 and
 * r1 are the final x and y).  The checker does not find it: modification order is execution order. */
THREAD(w_a, rn_store_relaxed(&x, 1); rn_store_relaxed(&y, 2))
THREAD(w_b, rn_store_relaxed(&y, 1); rn_store_relaxed(&x, 2))
static void final_two(void)
{
    model_outcome("%d %d", rn_load_relaxed(&x), rn_load_relaxed(&y));
}
LITMUS(two_writes_limit, final_two, "1 2|2 1|2 2", w_a, w_b);

/* Independent reads of independent writes: do two readers agree on the order? */
THREAD(iriw_x, rn_store_release(&x, 1))
THREAD(iriw_y, rn_store_release(&y, 1))
THREAD(iriw_a, r0 = rn_load_acquire(&x); r1 = rn_load_acquire(&y))
THREAD(iriw_b, r2 = rn_load_acquire(&y); r3 = rn_load_acquire(&x))
#define IRIW_STRONG                                                    \
    "0 0 0 0|0 0 0 1|0 0 1 0|0 0 1 1|0 1 0 0|0 1 0 1|0 1 1 0|0 1 1 1|" \
    "1 0 0 0|1 0 0 1|1 0 1 1|1 1 0 0|1 1 0 1|1 1 1 0|1 1 1 1"
#define IRIW_ALL                                                       \
    "0 0 0 0|0 0 0 1|0 0 1 0|0 0 1 1|0 1 0 0|0 1 0 1|0 1 1 0|0 1 1 1|" \
    "1 0 0 0|1 0 0 1|1 0 1 0|1 0 1 1|1 1 0 0|1 1 0 1|1 1 1 0|1 1 1 1"
LITMUS(iriw_acq_rel, four, IRIW_ALL, iriw_x, iriw_y, iriw_a, iriw_b);
THREAD(iriws_x, rn_store_seq_cst(&x, 1))
THREAD(iriws_y, rn_store_seq_cst(&y, 1))
THREAD(iriws_a, r0 = rn_load_seq_cst(&x); r1 = rn_load_seq_cst(&y))
THREAD(iriws_b, r2 = rn_load_seq_cst(&y); r3 = rn_load_seq_cst(&x))
LITMUS(iriw_seq_cst, four, IRIW_STRONG, iriws_x, iriws_y, iriws_a, iriws_b);
THREAD(iriwf_a, r0 = rn_load_relaxed(&x); rn_fence_seq_cst(); r1 = rn_load_relaxed(&y))
THREAD(iriwf_b, r2 = rn_load_relaxed(&y); rn_fence_seq_cst(); r3 = rn_load_relaxed(&x))
LITMUS(iriw_fences, four, IRIW_STRONG, iriw_x, iriw_y, iriwf_a, iriwf_b);

/* Write to read causality: what a read led to a release carries on. */
THREAD(wrc_b, r0 = rn_load_acquire(&x); rn_store_release(&y, 1))
THREAD(wrc_b_relaxed, r0 = rn_load_relaxed(&x); rn_store_release(&y, 1))
THREAD(wrc_c, r1 = rn_load_acquire(&y); r2 = rn_load_relaxed(&x))
#define WRC "0 0 0|0 0 1|0 1 0|0 1 1|1 0 0|1 0 1|1 1 1"
LITMUS(write_read_causality, three, WRC, iriw_x, wrc_b, wrc_c);
LITMUS(write_read_causality_relaxed, three, WRC, iriw_x, wrc_b_relaxed, wrc_c);

/* Coherence: two reads of one location never go backwards, and two readers agree. */
THREAD(co_w, rn_store_relaxed(&x, 1); rn_store_relaxed(&x, 2))
THREAD(co_r, r0 = rn_load_relaxed(&x); r1 = rn_load_relaxed(&x))
LITMUS(coherence_read_read, two, "0 0|0 1|0 2|1 1|1 2|2 2", co_w, co_r);
THREAD(co_w1, rn_store_relaxed(&x, 1))
THREAD(co_w2, rn_store_relaxed(&x, 2))
THREAD(co_r2, r2 = rn_load_relaxed(&x); r3 = rn_load_relaxed(&x))
static void agree(void)
{
    MODEL_CHECK(!(r0 == 1 && r1 == 2 && r2 == 2 && r3 == 1));
    MODEL_CHECK(!(r0 == 2 && r1 == 1 && r2 == 1 && r3 == 2));
}
MODEL_TEST(coherence_two_readers, .setup = zero, .thread = {co_w1, co_w2, co_r, co_r2}, .finish = agree);

/* Read-modify-writes are atomic and extend a release sequence, whatever their own order; a plain
 * store by another thread ends it. */
THREAD(add_a, r0 = rn_add_relaxed(&x, 1))
THREAD(add_b, r1 = rn_add_relaxed(&x, 1))
LITMUS(rmw_is_atomic, two, "0 1|1 0", add_a, add_b);
THREAD(seq_add, (void)rn_add_relaxed(&y, 1))
THREAD(seq_store, rn_store_relaxed(&y, 2))
static void seq_check(void)
{
    MODEL_CHECK(r0 != 2 || r1 == 1);
}
MODEL_TEST(release_sequence_by_rmw, .setup = zero, .thread = {mp_release, seq_add, mp_read_acquire},
           .finish = seq_check);
MODEL_TEST(release_sequence_ends_at_store, .setup = zero, .thread = {mp_release, seq_store, mp_read_acquire},
           .finish = seq_check, .finds = "does not hold");
THREAD(cas_a, int e = 0; r0 = rn_cas_relaxed(&x, &e, 1))
THREAD(cas_b, int e = 0; r1 = rn_cas_relaxed(&x, &e, 2))
LITMUS(cas_one_wins, two, "0 1|1 0", cas_a, cas_b);

/* A failed CAS is a load: it may find an old value, and with acq_rel it acquires. */
THREAD(fail_cas, int e = 9; (void)rn_cas_acq_rel(&y, &e, 9); r0 = e; r1 = rn_load_relaxed(&x))
LITMUS(failed_cas_acquires, two, "0 0|0 1|1 1", mp_release, fail_cas);

/* Dekker's entry protocol with a plain section. */
static int inside;
THREAD(dekker_a, rn_store_relaxed(&x, 1); rn_fence_seq_cst(); if (!rn_load_acquire(&y)) inside++)
THREAD(dekker_b, rn_store_relaxed(&y, 1); rn_fence_seq_cst(); if (!rn_load_acquire(&x)) inside++)
MODEL_TEST(dekker, .setup = zero, .thread = {dekker_a, dekker_b});
MODEL_MUTANT(dekker, "dekker_a", "fence_seq_cst");
MODEL_MUTANT(dekker, "dekker_b", "fence_seq_cst");

/* Plain data: the race is found though its value would not show it. */
static int plain;
THREAD(race_a, plain = 1; rn_store_release(&x, 1))
THREAD(race_b, if (rn_load_acquire(&x)) r0 = plain)
MODEL_TEST(publication, .setup = zero, .thread = {race_a, race_b});
MODEL_MUTANT(publication, "race_a", "store_release");
MODEL_MUTANT(publication, "race_b", "load_acquire &x");
THREAD(race_c, r0 = plain)
MODEL_TEST(race_is_found, .setup = zero, .thread = {race_a, race_c}, .finds = "data race");

/* Spinning, blocking and their failures. */
THREAD(spin, while (!rn_load_acquire(&x)) rn_cpu_pause(); r0 = plain)
MODEL_TEST(spin_ends, .setup = zero, .thread = {race_a, spin});
THREAD(spin_y, while (!rn_load_acquire(&y)) rn_cpu_pause())
MODEL_TEST(spin_for_ever_is_found, .setup = zero, .thread = {race_a, spin_y}, .finds = "livelock");
static rn_atomic(uint32_t) word;
static void word_zero(void)
{
    zero();
    rn_store_relaxed(&word, 0);
}
THREAD(sleeper, while (rn_load_acquire(&word) == 0)(void) rn_os_futex_wait(&word, 0, INT64_MAX); r0 = plain)
THREAD(waker, plain = 1; rn_store_release(&word, 1); rn_os_futex_wake(&word, 1))
THREAD(forgetful, plain = 1; rn_store_release(&word, 1))
THREAD(early, plain = 1; rn_os_futex_wake(&word, 1); rn_store_release(&word, 1))
MODEL_TEST(futex, .setup = word_zero, .thread = {sleeper, waker});
MODEL_TEST(futex_without_wake_is_found, .setup = word_zero, .thread = {sleeper, forgetful}, .finds = "deadlock");
MODEL_TEST(futex_woken_too_early_is_found, .setup = word_zero, .thread = {sleeper, early}, .finds = "deadlock");
static struct model_token token;
THREAD(waits, model_wait(&token, "wait"); r0 = plain)
THREAD(reposts, model_post(&token, "post"))
THREAD(posts, plain = 1; model_post(&token, "post"))
MODEL_TEST(token, .setup = zero, .thread = {waits, posts});
MODEL_TEST(token_posted_twice_is_found, .setup = zero, .thread = {posts, reposts, waits}, .finds = "posted twice");

/* Freed memory. */
static int *heap;
static rn_atomic(int *) heap_p;
static void allocate(void)
{
    heap = malloc(sizeof *heap);
    *heap = 3;
    rn_store_relaxed(&heap_p, heap);
}
THREAD(uses, int *p = rn_load_acquire(&heap_p); if (p) r0 = *p)
THREAD(frees, rn_store_release(&heap_p, NULL); free(heap))
MODEL_TEST(use_after_free_is_found, .setup = allocate, .thread = {uses, frees}, .finds = "");

/* The search itself: as many executions as there are classes of equal ones. */
THREAD(independent_a, rn_store_relaxed(&x, 1); rn_store_relaxed(&x, 2); rn_store_relaxed(&x, 3))
THREAD(independent_b, rn_store_relaxed(&y, 1); rn_store_relaxed(&y, 2); rn_store_relaxed(&y, 3))
MODEL_TEST(independent_threads_need_one_execution, .setup = zero, .thread = {independent_a, independent_b}, .max = 1);
THREAD(pick, r0 = model_choose(3); r1 = model_choose(2))
LITMUS(choices, two, "0 0|0 1|1 0|1 1|2 0|2 1", pick);
