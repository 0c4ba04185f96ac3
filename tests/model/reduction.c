/* The checker's own test of its partial-order reduction: small programs made by chance (from a seed, so the same ones
 * each time) give the same outcomes with it as without.  An outcome is all that the threads have read, and the last value
 * of each variable. */
#include "base/atomic.h"
#include "engine/model.h"
#include "os/os.h"

#include <stdio.h>

enum { VARIABLES = 3, MOST = 4 };

static rn_atomic(uint32_t) variable[VARIABLES];
static uint32_t got[MODEL_THREADS][MOST];

/* What program n does at step i of thread t; the same for each of its executions. */
static uint32_t chance(int t, int i, uint32_t below)
{
    uint32_t h = (uint32_t)model_program * 2654435761u + (uint32_t)(t * 64 + i + 1) * 40503u;
    h = (h ^ (h >> 15)) * 2246822519u;
    h = (h ^ (h >> 13)) * 3266489917u;
    return (h ^ (h >> 16)) % below;
}

static uint32_t load(int how, rn_atomic(uint32_t) * v)
{
    return how == 0 ? rn_load_acquire(v) : how == 1 ? rn_load_seq_cst(v) : rn_load_relaxed(v);
}

static void store(int how, rn_atomic(uint32_t) * v, uint32_t n)
{
    if (how == 0)
        rn_store_release(v, n);
    else if (how == 1)
        rn_store_seq_cst(v, n);
    else
        rn_store_relaxed(v, n);
}

static uint32_t change(int how, rn_atomic(uint32_t) * v, uint32_t n)
{
    uint32_t e = 0;
    if (how == 0)
        return rn_xchg_relaxed(v, n);
    if (how == 1)
        return rn_cas_acq_rel(v, &e, n) ? 100 : e;
    return rn_cas_relaxed(v, &e, n) ? 100 : e;
}

/* Whether this step is taken: some depend on what was read before. */
static bool taken(int t, int i)
{
    return i == 0 || chance(t, i + 48, 4) || got[t][i - 1] != 0;
}

static void step(int t, int i)
{
    rn_atomic(uint32_t) *v = &variable[chance(t, i + 16, VARIABLES)];
    int how = (int)chance(t, i + 32, 4);
    uint32_t n = (uint32_t)(10 * (t + 1) + i), what = chance(t, i, 16);
    if (what < 5)
        got[t][i] = load(how, v);
    else if (what < 9)
        store(how, v, n);
    else if (what < 11)
        got[t][i] = change(how, v, n);
    else if (what == 11)
        rn_fence_seq_cst();
    else if (what < 14)
        rn_fence_light();
    else
        rn_os_fence_heavy();
}

static void run(int steps)
{
    int t = model_self();
    for (int i = 0; i < steps; i++)
        if (taken(t, i))
            step(t, i);
}

static void two_steps(void)
{
    run(2);
}

static void four_steps(void)
{
    run(4);
}

static void setup(void)
{
    for (int i = 0; i < VARIABLES; i++)
        rn_store_relaxed(&variable[i], 0);
    memset(got, 0, sizeof got);
}

static void finish(void)
{
    char line[200];
    size_t used = 0;
    for (int t = 0; t < MODEL_THREADS; t++)
        for (int i = 0; i < MOST; i++)
            used += (size_t)snprintf(line + used, sizeof line - used, "%x.", got[t][i]);
    for (int i = 0; i < VARIABLES; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%x.", rn_load_relaxed(&variable[i]));
    model_outcome("%s", line);
}

MODEL_TEST(two_threads, .setup = setup, .thread = {four_steps, four_steps}, .finish = finish, .programs = 300);
MODEL_TEST(three_threads, .setup = setup, .thread = {two_steps, two_steps, two_steps}, .finish = finish,
           .programs = 100);
