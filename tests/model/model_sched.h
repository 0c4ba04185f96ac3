/* The scheduler as the layers above it see it (sched/sched.h), for model tests of those layers: every
 * model thread is a goroutine; park and ready are the engine's blocking (one ready for one park, or
 * the engine says so); the clock and chance are choices, each of which is tried.
 *
 * In a header, so that it is compiled with the test and its plain accesses take part. */
#ifndef RN_MODEL_SCHED_H
#define RN_MODEL_SCHED_H

#include "engine/model.h"
#include "sched/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

static struct rn_g model_g[MODEL_THREADS + 1];
static struct model_token model_parked[MODEL_THREADS + 1];
static jmp_buf model_recover[MODEL_THREADS + 1];
static bool model_recovers[MODEL_THREADS + 1];
/* What rn__now may add at each call; each of the two is tried when it is not 0. */
static rn_duration model_clock_step;
static rn_time model_clock;

/* For setup. */
static inline void model_sched_reset(void)
{
    for (int i = 0; i <= MODEL_THREADS; i++) {
        model_g[i] = (struct rn_g){.kind = RN_G_GOROUTINE, .id = (uint64_t)i + 1, .index_low = (uint16_t)i};
        model_parked[i] = (struct model_token){0};
        model_recovers[i] = false;
    }
    model_clock_step = 0;
    model_clock = 1000;
}

/* Whether the statement panics.  It must do so before it parks or locks anything that matters. */
#define MODEL_PANICS(...)                                                \
    ({                                                                   \
        volatile bool model_panicked_ = true;                            \
        model_recovers[model_self()] = true;                             \
        if (__builtin_expect(!setjmp(model_recover[model_self()]), 1)) { \
            __VA_ARGS__;                                                 \
            model_panicked_ = false;                                     \
        }                                                                \
        model_recovers[model_self()] = false;                            \
        (bool)model_panicked_;                                           \
    })

void rn_panic(const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!model_recovers[model_self()])
        model_fail("panic: %s", text);
    longjmp(model_recover[model_self()], 1);
}

void rn__panic_follows(void)
{
}

void rn_panic_value(void *value, const char *text)
{
    (void)value;
    rn_panic("%s", text);
}

void rn_fatal(const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    model_fail("fatal error: %s", text);
}

struct rn_g *rn__self(void)
{
    return &model_g[model_self()];
}

struct rn_g *rn__g_at(uint32_t index)
{
    return &model_g[index];
}

struct rn_g *rn__self_or_null(void)
{
    return rn__self();
}

struct rn_waiter *rn__park(enum rn_wait why, const void *what)
{
    (void)why, (void)what;
    model_wait(&model_parked[model_self()], "park");
    return rn__self()->woken_by;
}

void rn__ready(struct rn_g *g)
{
    model_post(&model_parked[g - model_g], "ready");
}

void rn__ready_last(struct rn_g *g, bool parks)
{
    (void)parks;
    rn__ready(g);
}

void rn__ready_all(struct rn_ready_list *l)
{
    for (struct rn_g *g = l->first, *after; g; g = after) {
        after = g->link;
        rn__ready(g);
    }
    *l = (struct rn_ready_list){0};
}

void rn__ready_all_and_park(struct rn_ready_list *l, enum rn_wait why, const void *what)
{
    rn__ready_all(l);
    rn__park(why, what);
}

void rn_yield(void)
{
    rn__model_yield();
}

void rn__yield_to(struct rn_ready_list *l, bool tell)
{
    (void)tell;
    rn__ready_all(l);
    rn__model_yield();
}

rn_time rn__now(void)
{
    if (!model_clock_step)
        return model_clock;
    return model_clock + model_choose(2) * model_clock_step;
}

rn_time rn__deadline(rn_duration d)
{
    return rn__now() + d;
}

rn_time rn__tick(void)
{
    return model_clock;
}

uint32_t rn__random_below(uint32_t n)
{
    return (uint32_t)model_choose((int)n);
}

/* Who finds a lock held parks at once.  (A bounded spin would, in the model, always last until the
 * holder lets go, and nobody would ever park.) */
uint32_t rn__spin_rounds(void)
{
    return 0;
}

void rn__spun(bool gained)
{
    (void)gained;
}

void rn__woken_in_vain(void)
{
}

static int model_procs = 1;
int rn_procs(void)
{
    return model_procs;
}

#endif
