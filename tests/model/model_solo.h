/* Threads that own words (sched/solo.h), for model tests of what uses them: a section is a load, a comparison and a store that
 * is not done if a fence that restarts sections has come by in between, or, as often as the test says, for no reason. */
#ifndef RN_MODEL_SOLO_H
#define RN_MODEL_SOLO_H

#include "base/atomic.h"
#include "engine/model.h"
#include "os/os.h"

static uint32_t model_solo_name[MODEL_THREADS + 1];
static int model_solo_interrupted[MODEL_THREADS + 1]; /* how often a section of the thread's may be, of itself */
static bool model_solo_affords;

/* For setup: the first n threads have names. */
static inline void model_solo_reset(uint32_t n)
{
    for (uint32_t i = 0; i <= MODEL_THREADS; i++) {
        model_solo_name[i] = i < n ? (i + 1) << RN_SOLO_NAME_SHIFT : 0;
        model_solo_interrupted[i] = 0;
    }
    model_solo_affords = n > 0;
}

static inline bool model_solo_goes_on(void)
{
    int *left = &model_solo_interrupted[model_self()];
    if (*left == 0 || model_choose(2) == 0)
        return true;
    --*left;
    return false;
}

static inline uint32_t rn__solo(void)
{
    return model_solo_name[model_self()];
}

static inline bool rn__solo_take(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to)
{
    uint32_t begun = model_section_begin();
    return rn_load_acquire(word) == from && model_solo_goes_on() &&
           MODEL_SECTION_STORE_(word, to, begun, MODEL_RELAXED, "store_relaxed");
}

static inline bool rn__solo_give(rn_atomic(uint32_t) * word, uint32_t from, uint32_t to)
{
    uint32_t begun = model_section_begin();
    return rn_load_relaxed(word) == from && model_solo_goes_on() &&
           MODEL_SECTION_STORE_(word, to, begun, MODEL_RELEASE, "store_release");
}

static inline uint32_t rn__solo_name(void)
{
    return rn__solo();
}

static inline bool rn__solo_afford(void)
{
    return model_solo_affords;
}

static inline void rn__solo_fence(void)
{
    rn_os_fence_restart();
}

static inline bool rn__solo_alone(void)
{
    return false;
}

static inline bool rn__solo_pays(void)
{
    return true;
}

#endif
