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
THREAD(sbc_b, rn_store_seq_cst(&y, 1); int e = 9; (void)rn_cas_seq_cst(&x, &e, 9); r1 = e)
LITMUS(store_buffering_failed_cas_seq_cst, two, "0 1|1 0|1 1", sbs_a, sbc_b);
THREAD(sbr_a, (void)rn_xchg_acq_rel(&x, 1); r0 = rn_load_acquire(&y))
THREAD(sbr_b, (void)rn_xchg_acq_rel(&y, 1); r1 = rn_load_acquire(&x))
LITMUS(store_buffering_rmw_acq_rel, two, "0 0|0 1|1 0|1 1", sbr_a, sbr_b);

/* The same with the asymmetric pair: the light side only stores and loads. */
THREAD(light, rn_store_relaxed(&x, 1); rn_fence_light(); r0 = rn_load_relaxed(&y))
THREAD(heavy, rn_store_relaxed(&y, 1); rn_os_fence_heavy(); r1 = rn_load_relaxed(&x))
THREAD(heavy_0, rn_store_relaxed(&x, 1); rn_os_fence_heavy(); r0 = rn_load_relaxed(&y))
THREAD(light_1, rn_store_relaxed(&y, 1); rn_fence_light(); r1 = rn_load_relaxed(&x))
static void not_both(void)
{
    MODEL_CHECK(r0 || r1);
}
static void no_membarrier(void)
{
    zero();
    rn__fence_asymmetric = false;
}
LITMUS(asymmetric_fences, two, "0 1|1 0|1 1", light, heavy);
MODEL_TEST(asymmetric_fences_without_membarrier, .setup = no_membarrier, .thread = {light, heavy}, .finish = two,
           .outcomes = "0 1|1 0|1 1");
LITMUS(asymmetric_fences_heavy_first, two, "0 1|1 0|1 1", heavy_0, light_1);
THREAD(no_light, rn_store_relaxed(&x, 1); r0 = rn_load_relaxed(&y))
LITMUS(asymmetric_fences_without_light, two, "0 0|0 1|1 0|1 1", no_light, heavy);
LITMUS(asymmetric_fences_without_heavy, two, "0 0|0 1|1 0|1 1", light, sb_b);
MODEL_TEST(asymmetric_fences_meet, .setup = zero, .thread = {light, heavy}, .finish = not_both);
MODEL_MUTANT(asymmetric_fences_meet, "light", "fence_light");
MODEL_MUTANT(asymmetric_fences_meet, "rn_os_fence_heavy", "fence_heavy");

/* Heavy fences are full ones to each other and to full ones; light ones are nothing to each other. */
LITMUS(heavy_and_heavy, two, "0 1|1 0|1 1", heavy_0, heavy);
LITMUS(heavy_and_full, two, "0 1|1 0|1 1", sbf_a, heavy);
LITMUS(light_and_light, two, "0 0|0 1|1 0|1 1", light, light_1);
LITMUS(light_and_full, two, "0 0|0 1|1 0|1 1", light, sbf_b);

/* One heavy fence beside two light ones, which have nothing to do with each other. */
THREAD(light_z, rn_store_relaxed(&z, 1); rn_fence_light(); r2 = rn_load_relaxed(&y))
THREAD(heavy_two, rn_store_relaxed(&y, 1); rn_os_fence_heavy(); r1 = rn_load_relaxed(&x); r3 = rn_load_relaxed(&z))
#define TWO_LIGHT "0 1 0 1|0 1 1 0|0 1 1 1|1 0 0 1|1 0 1 0|1 0 1 1|1 1 0 1|1 1 1 0|1 1 1 1"
LITMUS(asymmetric_fences_two_light, four, TWO_LIGHT, light, heavy_two, light_z);
LITMUS(asymmetric_fences_heavy_before_two_light, four, TWO_LIGHT, heavy_two, light, light_z);
LITMUS(asymmetric_fences_heavy_after_two_light, four, TWO_LIGHT, light, light_z, heavy_two);
THREAD(light_xz, rn_store_relaxed(&x, 1); rn_fence_light(); r0 = rn_load_relaxed(&z))
THREAD(light_zx, rn_store_relaxed(&z, 1); rn_fence_light(); r1 = rn_load_relaxed(&x))
THREAD(heavy_alone, rn_os_fence_heavy())
LITMUS(two_light_beside_heavy, two, "0 0|0 1|1 0|1 1", light_xz, light_zx, heavy_alone);

/* The visit in the middle of a pair of loads, of stores, and of a load and a store. */
THREAD(pair_loads, r0 = rn_load_relaxed(&x); rn_fence_light(); r1 = rn_load_relaxed(&y))
THREAD(mp_read_relaxed_xy, r0 = rn_load_relaxed(&x); r1 = rn_load_relaxed(&y))
THREAD(heavy_stores, rn_store_relaxed(&y, 1); rn_os_fence_heavy(); rn_store_relaxed(&x, 1))
LITMUS(visit_between_loads, two, "0 0|0 1|1 1", pair_loads, heavy_stores);
LITMUS(no_light_between_loads, two, "0 0|0 1|1 0|1 1", mp_read_relaxed_xy, heavy_stores);
THREAD(pair_stores, rn_store_relaxed(&y, 1); rn_fence_light(); rn_store_relaxed(&x, 1))
THREAD(heavy_loads, r0 = rn_load_relaxed(&x); rn_os_fence_heavy(); r1 = rn_load_relaxed(&y))
LITMUS(visit_between_stores, two, "0 0|0 1|1 1", heavy_loads, pair_stores);
THREAD(pair_stores_bare, rn_store_relaxed(&y, 1); rn_store_relaxed(&x, 1))
LITMUS(no_light_between_stores, two, "0 0|0 1|1 0|1 1", heavy_loads, pair_stores_bare);
THREAD(pair_load_store, r0 = rn_load_relaxed(&x); rn_fence_light(); rn_store_relaxed(&y, 1))
THREAD(heavy_load_store, r1 = rn_load_relaxed(&y); rn_os_fence_heavy(); rn_store_relaxed(&x, 1))
LITMUS(visit_between_load_and_store, two, "0 0|0 1|1 0", pair_load_store, heavy_load_store);

/* Two light fences in one thread: the visit comes before both, between them, or after both. */
THREAD(two_lights, rn_store_relaxed(&x, 1); rn_fence_light(); r0 = rn_load_relaxed(&y); rn_store_relaxed(&z, 1);
       rn_fence_light(); r1 = rn_load_relaxed(&y))
THREAD(heavy_xz, rn_store_relaxed(&y, 1); rn_os_fence_heavy(); r2 = rn_load_relaxed(&x); r3 = rn_load_relaxed(&z))
LITMUS(visit_among_two_lights, four, "0 0 1 1|0 1 1 0|0 1 1 1|1 1 0 0|1 1 0 1|1 1 1 0|1 1 1 1", two_lights, heavy_xz);

/* The visits of one heavy fence come in any order, each at its own moment: the first thread's light
 * fence after its visit, the last one's before, though a value went from the first to the last; r1
 * is the old x, r2 the old z. */
THREAD(visited_first, rn_store_relaxed(&x, 1); rn_fence_light(); rn_store_relaxed(&y, 1))
THREAD(visited_last, r0 = rn_load_relaxed(&y); rn_fence_light(); r2 = rn_load_relaxed(&z))
THREAD(visits_both, rn_store_relaxed(&z, 1); rn_os_fence_heavy(); r1 = rn_load_relaxed(&x))
#define VISITS "0 0 0|0 0 1|0 1 0|0 1 1|1 0 0|1 0 1|1 1 0|1 1 1"
LITMUS(visits_in_any_order, three, VISITS, visited_first, visits_both, visited_last);
LITMUS(visits_in_any_order_the_other_way, three, VISITS, visited_last, visits_both, visited_first);

/* Only a light fence divides the executions that have a visit. */
THREAD(light_one, rn_store_relaxed(&x, 1); rn_fence_light())
THREAD(light_alone, rn_store_relaxed(&x, 1); rn_fence_light(); rn_fence_light())
THREAD(stores_x, rn_store_relaxed(&x, 1); rn_store_relaxed(&x, 2))
THREAD(stores_z, rn_store_relaxed(&z, 1); rn_store_relaxed(&z, 2))
MODEL_TEST(light_fences_need_one_execution, .setup = zero, .thread = {light_alone, stores_z}, .max = 1);
MODEL_TEST(visits_without_light_need_one_execution, .setup = zero, .thread = {heavy_alone, stores_x, stores_z},
           .max = 1);
MODEL_TEST(visit_beside_light_needs_two_executions, .setup = zero, .thread = {heavy_alone, light_one, stores_z},
           .max = 2);
MODEL_TEST(visit_beside_two_lights_needs_three_executions, .setup = zero, .thread = {light_alone, heavy_alone},
           .max = 3);

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
