/* Worker threads as the scheduler's own files see them, for model tests of src/sched: every model
 * thread is a worker (or a plain thread); rn__m() gives its record.  The poller's file descriptor is
 * a futex word: a wake stays until a wait has taken it. */
#ifndef RN_MODEL_WORKERS_H
#define RN_MODEL_WORKERS_H

#define RN_RUNQ_SIZE 4u
#define RN_RUNQ_MINE 2u
#define RN_RUNQ_STEAL 4u

/* In place of arch/arch.h. */
#define RN_ARCH_ARCH_H
#include "engine/model.h"
#include "sched/sched.h"

static struct rn_m *model_m[MODEL_THREADS + 1];
static inline struct rn_m *rn__m(void)
{
    return model_m[model_self()];
}
static inline void rn__defers_are(struct rn_defer **top)
{
    (void)top;
}
void rn__arch_switch(struct rn_g *from, struct rn_g *to);

#include "sched/rt.h"

struct rn_sched rn__sched;
struct rn_p rn__procs[RN_PROCS_MAX];
static struct rn_m workers[MODEL_THREADS];
static rn_atomic(uint32_t) poll_word;
static rn_atomic(uint32_t) model_event; /* a descriptor is ready: whoever sets it sets poll_word as well */
static rn_time model_clock;

static inline void workers_reset(int workers_n, int procs_n)
{
    rn__sched = (struct rn_sched){.procs = (uint32_t)procs_n, .procs_made = (uint32_t)procs_n};
    rn_store_relaxed(&rn__sched.poll_until, INT64_MIN);
    rn_store_relaxed(&rn__sched.running, true);
    rn_store_relaxed(&poll_word, 0);
    model_clock = 1000;
    for (int i = 0; i < procs_n; i++) {
        rn__procs[i] = (struct rn_p){.id = (uint32_t)i, .look = RN_PACE_LOOK - 1};
        rn_store_relaxed(&rn__procs[i].timers_next, INT64_MAX);
    }
    for (int i = 0; i <= MODEL_THREADS; i++)
        model_m[i] = NULL;
    for (int i = 0; i < MODEL_THREADS; i++)
        workers[i] = (struct rn_m){0};
    for (int i = 0; i < workers_n; i++) {
        workers[i] = (struct rn_m){.g = &workers[i].g0, .all_link = i ? &workers[i - 1] : NULL};
        model_m[i] = &workers[i];
        rn__sched.all_m = &workers[i];
        if (i < procs_n) {
            workers[i].p = &rn__procs[i];
            rn_store_relaxed(&rn__procs[i].m, &workers[i]);
        }
        rn_store_relaxed(&workers[i].own.inside, 1); /* the loop is always inside */
    }
    rn__sched.m_n = (uint32_t)workers_n;
}

/* ---- what src/os supplies ------------------------------------------------------------------- */

/* Nothing goes aside here: no deque gets full. */
size_t rn_os_page = 4096;
void *rn_os_map(size_t bytes, size_t align)
{
    (void)bytes, (void)align;
    return NULL;
}
void rn_os_unmap(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

/* Not an access of the code under test. */
__attribute__((no_sanitize_thread)) rn_time rn_os_now(void)
{
    return model_clock;
}

__attribute__((no_sanitize_thread)) static void clock_reaches(rn_time t)
{
    if (model_clock < t)
        model_clock = t;
}

void rn_os_poll_wake(void)
{
    (void)rn_xchg_acq_rel(&poll_word, 1);
    rn_os_futex_wake(&poll_word, 1);
}

bool rn_os_signals_pending(void)
{
    return false;
}

int rn_os_poll_wait(struct rn_os_event *events, int max, rn_time deadline)
{
    (void)max;
    while (rn_xchg_acq_rel(&poll_word, 0) == 0)
        if (rn_os_futex_wait(&poll_word, 0, deadline) != 0) {
            clock_reaches(deadline);
            break;
        }
    if (rn_xchg_acq_rel(&model_event, 0) == 0)
        return 0;
    events[0] = (struct rn_os_event){0};
    return 1;
}

void rn_fatal(const char *format, ...)
{
    model_fail("fatal error: %s", format);
}

#endif
