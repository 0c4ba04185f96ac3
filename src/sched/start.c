/* A run: from rn_run to its end; the threads that take part in it.
 *
 * The thread that calls rn_run is the first worker.  Others are started when there is a processor for
 * them and none sleeps.  When the main goroutine returns, `stopping` is set: every worker leaves its
 * loop, and a goroutine that next enters the runtime goes no further; rn_run joins them all and
 * gives everything back.  A program whose main the library brought ends by exit instead, at once.
 *
 * Environment: RUNNEL_PROCS (1 … 256), RUNNEL_STACK (bytes, with k or m; 16k … 1g), RUNNEL_HIBERNATE (hibernate.c).
 */
#define _GNU_SOURCE /* pthread_getattr_np, secure_getenv */
#include "base/alloc.h"
#include "base/hooks.h"
#include "sched/choice.h"
#include "base/race.h"
#include "base/sanitizers.h" /* RN_TSAN */
#include "sched/exceptions.h"
#include "sched/fiber.h"
#include "sched/tally.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rn_sched rn__sched;
struct rn_p rn__procs[RN_PROCS_MAX];
__thread struct rn_m *rn__tls_m;
__thread uint32_t rn__tls_solo;
__thread struct rn_count *rn__tls_counts;
__thread struct rn_defer **rn__tls_defers;

/* This thread is m from now on; NULL: none. */
static void become(struct rn_m *m)
{
    rn__tls_m = m;
    rn__tls_solo = m ? m->solo : 0;
    rn__tls_counts = m && m->tally ? m->tally->n : NULL;
    rn__tls_defers = m ? &m->g->defers : NULL;
}

static pthread_key_t external_key;
static bool external_key_made;
static pthread_once_t external_once = PTHREAD_ONCE_INIT;
/* Records of plain threads that have ended; under sched.lock.  A waker may still look at one. */
static struct rn_m *external_free;

/* ---- threads ------------------------------------------------------------------------------------- */

static void bounds_of_this_stack(struct rn_g *g)
{
    pthread_attr_t a;
    void *lo;
    size_t size;
    if (rn__exploring()) /* it reads /proc, which takes longer than a schedule, and only reports want it */
        return;
    if (pthread_getattr_np(pthread_self(), &a) != 0)
        return;
    if (pthread_attr_getstack(&a, &lo, &size) == 0) {
        g->stack_lo = lo;
        g->stack_hi = (char *)lo + size;
    }
    pthread_attr_destroy(&a);
}

/* (A worker's m->thread is written by the one who starts it.) */
static void m_init(struct rn_m *m, bool external)
{
    if (external) { /* a worker's record is known to others by now, and says so from the start */
        m->external = true;
        m->g0.kind = RN_G_THREAD;
    }
    m->g = &m->g0;
    rn_store_relaxed(&m->g0.m, m); /* relaxed, all: m is not yet known to others */
    rn_store_relaxed(&m->g0.status, external ? RN_G_RUNNING : RN_G_FREE);
    rn_store_relaxed(&m->own.inside, external ? 0 : 1);
    rn_os_entropy(m->random, sizeof m->random);
    m->random[0] |= 1;
    m->exceptions = rn__exceptions_here();
    rn__fiber_thread_begin(m);
    rn_store_relaxed(&m->tid, rn_os_thread_id());
    bounds_of_this_stack(&m->g0);
#ifdef RN_FIBER_TSAN
    m->g0.fiber = __tsan_get_current_fiber();
#endif
    become(m);
}

static void all_m_add_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    m->all_link = rn__sched.all_m;
    rn__sched.all_m = m;
}

static void all_m_remove_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    for (struct rn_m **at = &rn__sched.all_m; *at; at = &(*at)->all_link)
        if (*at == m) {
            *at = m->all_link;
            return;
        }
}

/* A plain thread ends. */
static void external_end(void *arg)
{
    struct rn_m *m = arg;
    rn__panic_free(m->g0.last_panic);
    rn__tally_drop(m);
    rn__solo_drop(m);
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    all_m_remove_locked(m);
    rn_store_relaxed(&m->g0.status, RN_G_FREE); /* relaxed: for reports */
    m->all_link = external_free;
    external_free = m;
    rn_lock_release(&rn__sched.lock);
    become(NULL);
}

static void external_key_make(void)
{
    rn_os_init();
    rn__fork_expect();
    if (pthread_key_create(&external_key, external_end) != 0)
        rn_fatal("no thread-specific key is left for the runtime");
    external_key_made = true;
}

/* The numbers behind the main goroutine's and those of plain threads are free again. */
static void number_from_start(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED); /* plain threads may be numbered just now */
    rn_store_relaxed(&s->next_id, s->threads_id_end ? s->threads_id_end : RN_MAIN_ID + 1); /* relaxed: as in new_id */
    rn_lock_release(&s->lock);
    rn__procs[0].id_next = RN_MAIN_ID;
    rn__procs[0].id_end = RN_MAIN_ID + 1;
}

static void number_thread_locked(struct rn_m *m)
{
    rn_lock_assert_held(&rn__sched.lock);
    struct rn_sched *s = &rn__sched;
    if (rn_load_relaxed(&s->next_id) == 0) /* relaxed, all: no run was yet, and all else is under the lock */
        rn_store_relaxed(&s->next_id, RN_MAIN_ID + 1);
    m->g0.id = rn_add_relaxed(&s->next_id, 1);
    if (m->g0.id >= s->threads_id_end)
        s->threads_id_end = m->g0.id + 1;
}

struct rn_m *rn__adopt(void)
{
    rn__fork_ask();
    pthread_once(&external_once, external_key_make);
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    struct rn_m *m = external_free;
    if (m)
        external_free = m->all_link;
    rn_lock_release(&rn__sched.lock);
    /* Nobody can be told: the shortage may pass. */
    for (int tries = 0; !m && tries < 50; tries++) {
        if (tries > 0)
            rn_os_nap(RN_MILLISECOND);
        m = rn__aligned_alloc(128, sizeof *m);
    }
    if (!m) {
        static const char text[] = "fatal error: out of memory for a thread's record\n";
        rn_os_write_stderr(text, sizeof text - 1);
        rn_os_exit(2); /* as rn_fatal, which needs the record */
    }
    memset(m, 0, sizeof *m);
    m_init(m, true);
    m->thread = pthread_self();
    pthread_setspecific(external_key, m);
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    number_thread_locked(m);
    all_m_add_locked(m);
    rn_lock_release(&rn__sched.lock);
    return m;
}

void rn__threads_each(void (*f)(struct rn_g *, void *), void *arg)
{
    for (struct rn_m *m = rn__sched.all_m; m; m = m->all_link)
        if (m->external)
            f(&m->g0, arg);
}

/* pthread_exit in a goroutine would take the worker with it, and leave the rest waiting for ever.  A worker's thread has a
 * value under this key while it is in its loop. */
static pthread_key_t worker_key;
static bool worker_key_made;
static pthread_once_t worker_once = PTHREAD_ONCE_INIT;

static void worker_lost(void *arg)
{
    const struct rn_m *m = arg;
    char text[200];
    int n = snprintf(text, sizeof text,
                     "fatal error: pthread_exit in goroutine %llu: it would end the thread that others run on, too; "
                     "return, or call rn_exit_goroutine\n",
                     (unsigned long long)m->g->id);
    rn_os_write_stderr(text, (size_t)n);
    rn_os_exit(2); /* as rn_fatal, whose listing would look at stacks that are half left */
}

static void worker_key_make(void)
{
    rn__fork_expect();
    if (pthread_key_create(&worker_key, worker_lost) != 0)
        rn_fatal("no thread-specific key is left for the runtime");
    worker_key_made = true;
}

/* At dlclose.  Threads that have used the library may end later: there is nothing then that could see to their records.  (It
 * is called when the program exits, too.  Who still runs then goes on as before.) */
__attribute__((destructor)) static void unload(void)
{
    if (rn__run_under_way())
        return;
    if (external_key_made)
        pthread_key_delete(external_key);
    if (worker_key_made)
        pthread_key_delete(worker_key);
}

/* m's loop, until the run ends. */
static void work(struct rn_m *m)
{
    pthread_setspecific(worker_key, m);
    rn__loop(m);
    pthread_setspecific(worker_key, NULL);
}

enum { PUNCTUAL = 1 }; /* ns of timer slack: a sleeping worker wakes for its timers in time */

/* m is known to others by its processor from now on.  Not before: a record whose thread can't be had is freed.  The lock is
 * held while the thread is started: after it m->thread has been written. */
static void begin_with_p(struct rn_m *m)
{
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    rn__attach(m, m->p);
    rn_lock_release(&rn__sched.lock);
}

static void *worker(void *arg)
{
    struct rn_m *m = arg;
    m_init(m, false);
    begin_with_p(m);
    rn_os_altstack_set();
    rn_os_timer_slack(PUNCTUAL);
    work(m);
    rn_os_altstack_drop();
    become(NULL);
    return NULL;
}

static struct rn_m *worker_record(struct rn_p *p, bool spinning)
{
    struct rn_m *m = rn__aligned_alloc(128, sizeof *m);
    if (!m)
        return NULL;
    memset(m, 0, sizeof *m);
    m->p = p;
    m->spinning = spinning;
    rn_store_relaxed(&m->own.inside, 1); /* relaxed: nobody knows m yet */
    m->g0.kind = RN_G_THREAD;
    return m;
}

/* No thread can be had for p here, which becomes idle; the workers that exist go on with what it had to run.
 * An idle processor has nothing to run: nobody would look there.  But where a goroutine is pinned that is to run, its own worker
 * has p: all that exist may be waiting for such, and would for ever. */
static void no_worker(struct rn_p *p, bool spinning)
{
    struct rn_sched *s = &rn__sched;
    rn__spill_all(p);
    for (struct rn_g *g; (g = rn__choose_next(p)) != NULL;)
        rn__push_global(g, g, 1);
    if (spinning)                          /* before the monitor looks: while somebody spins nobody is woken */
        rn_sub_acq_rel(&s->spinning_n, 1); /* acq_rel: see idle.c */
    struct rn_g *pinned = rn__pop_pinned();
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    if (!pinned)
        rn__idle_p_put_locked(p);
    rn_store_release(&s->worker_wanted, 1); /* pairs with the acquire in start_wanted (monitor.c) */
    if (s->monitor_asleep)
        rn__monitor_wake_locked();
    rn_lock_release(&s->lock);
    if (pinned)
        rn__give_pinned(pinned->pinned, p);
}

/* A new thread gets namespaces, scheduling, signal mask and more from the one that starts it.  A plain thread, and one with a
 * pinned goroutine, may have its own: the monitor, which has what rn_run was called with, starts the worker in their place. */
static bool may_not_start_workers(void)
{
    const struct rn_m *m = rn__m();
    if (!m || rn__exploring()) /* NULL: the monitor */
        return false;
    /* relaxed, both: numbers; the monitor's, should it have a record. */
    bool monitor = rn_load_relaxed(&m->tid) == rn_load_relaxed(&rn__sched.monitor_tid);
    return m->locked || (m->external && !monitor);
}

/* A worker for p, when a thread can be had. */
void rn__worker_start(struct rn_p *p, bool spinning)
{
    struct rn_sched *s = &rn__sched;
    if (may_not_start_workers()) {
        no_worker(p, spinning);
        return;
    }
    struct rn_m *m = worker_record(p, spinning);
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    bool may = m && s->m_n < RN_WORKERS_MAX && !rn_load_relaxed(&s->stopping);
    if (may) {
        s->m_n++;
        all_m_add_locked(m);
        int err = rn__race_thread_start(&m->thread, worker, m, "runnel");
        m->joinable = err == 0;
        if (err) {
            s->thread_err = err;
            s->m_n--;
            all_m_remove_locked(m);
            may = false;
        }
    }
    rn_lock_release(&s->lock);
    if (may)
        return;
    rn__free(m);
    no_worker(p, spinning);
}

/* ---- settings ------------------------------------------------------------------------------------ */

_Noreturn void rn__bad_setting(const char *name, const char *value, const char *wanted)
{
    fprintf(stderr, "runnel: %s=%s: want %s\n", name, value, wanted);
    exit(2);
}

/* The environment of a program with more rights than who starts it (setuid, capabilities) is not its own to follow: it
 * could make stacks small, say, or have reports written. */
const char *rn__setting(const char *name)
{
    const char *text = secure_getenv(name);
    return text && *text ? text : NULL;
}

bool rn__setting_is_on(const char *name, bool unsaid)
{
    const char *text = rn__setting(name);
    if (text && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        rn__bad_setting(name, text, "1 or 0");
    return text ? *text == '1' : unsaid;
}

static uint32_t procs_from_environment(void)
{
    const char *text = rn__setting("RUNNEL_PROCS");
    if (!text)
        return (uint32_t)rn_os_processors();
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < 1 || n > RN_PROCS_MAX)
        rn__bad_setting("RUNNEL_PROCS", text, "a whole number from 1 to 256");
    return (uint32_t)n;
}

/* 0: not said. */
static size_t stack_from_environment(void)
{
    const char *text = rn__setting("RUNNEL_STACK");
    if (!text)
        return 0;
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    unsigned shift = *end == 'k' || *end == 'K' ? 10 : *end == 'm' || *end == 'M' ? 20 : 0;
    end += shift != 0;
    if (end == text || *end || *text == '-' || n > (size_t)RN_STACK_LARGEST >> shift ||
        n << shift < (size_t)RN_STACK_LEAST)
        rn__bad_setting("RUNNEL_STACK", text, "bytes from 16k to 1024m, such as 256k");
    return (size_t)n << shift;
}

static size_t stack_default(void)
{
    size_t said = stack_from_environment(), wanted = rn__sched.stack_wanted, n = said > wanted ? said : wanted;
    return ((n ? n : RN_STACK_DEFAULT) + rn_os_page - 1) & ~(rn_os_page - 1);
}

int rn_set_stack(size_t bytes)
{
    struct rn_sched *s = &rn__sched;
    if (bytes < RN_STACK_LEAST || bytes > RN_STACK_LARGEST)
        return RN_EINVAL;
    if (rn__run_under_way())
        return RN_EBUSY;
    s->stack_wanted = bytes;
    return 0;
}

uint64_t rn__resumed(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rn__procs_made(); i++)
        sum += rn_load_relaxed(&rn__procs[i].tick); /* relaxed: a count that others go on changing */
    return sum;
}

int rn_procs(void)
{
    struct rn_sched *s = &rn__sched;
    if (rn__run_under_way())
        return (int)rn__procs_used();
    rn_os_init();
    uint32_t wanted = rn_load_relaxed(&s->procs_wanted); /* relaxed, as in start_processors: a number */
    return (int)(wanted ? wanted : procs_from_environment());
}

/* In the run that is under way. */
static void use_procs(uint32_t wanted)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    rn_store_relaxed(&s->procs, wanted); /* relaxed: see rn__procs_used */
    rn__sort_procs_locked();
    for (uint32_t n; (n = rn__procs_made()) < wanted;) {
        rn__p_init(&rn__procs[n], n);
        rn_store_release(&s->procs_made, n + 1); /* pairs with the acquire in rn__procs_made */
        rn__idle_p_put_locked(&rn__procs[n]);
    }
    rn_lock_release(&s->lock);
    rn__wake_idle();
}

/* A plain thread goes through the gate: a run that begins or ends writes the same without the lock. */
int rn_set_procs(int n)
{
    if (n < 1)
        return RN_EINVAL;
    if (rn__exploring())
        n = 1;
    uint32_t wanted = n > RN_PROCS_MAX ? RN_PROCS_MAX : (uint32_t)n;
    bool outside = rn__is_outside(rn__m());
    rn_store_relaxed(&rn__sched.procs_wanted, wanted); /* relaxed: a number */
    if (outside && !rn_gate_enter(&rn__gate))
        return 0; /* for the next run */
    use_procs(wanted);
    if (outside)
        rn_gate_leave(&rn__gate, 1);
    return 0;
}

/* ---- a run --------------------------------------------------------------------------------------- */

static struct rn_m *first;  /* the record of the thread that called rn_run */
static struct rn_m *before; /* what that thread had: its record as a plain thread, or NULL */
bool rn__main_is_ours;

static void start_processors(void)
{
    struct rn_sched *s = &rn__sched;
    uint32_t wanted = rn_load_relaxed(&s->procs_wanted), n = wanted ? wanted : procs_from_environment();
    s->stack_default = stack_default();
    for (uint32_t i = 0; i < n; i++)
        rn__p_init(&rn__procs[i], i);
    /* relaxed, both: no other thread yet. */
    rn_store_relaxed(&s->procs, n);
    rn_store_relaxed(&s->procs_made, n);
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    for (uint32_t i = n; i-- > 1;)
        rn__idle_p_put_locked(&rn__procs[i]);
    rn_lock_release(&s->lock);
}

static rn_atomic(bool) claimed; /* by the thread that prepares, has or ends a run */

/* release: pairs with the acquire in rn__run_prepare. */
static void give_up_claim(void)
{
    rn_store_release(&claimed, false);
}

static void start_first_worker(void)
{
    struct rn_sched *s = &rn__sched;
    before = rn__tls_m;
    first = worker_record(&rn__procs[0], false);
    if (!first) {
        give_up_claim(); /* the panic may be recovered */
        rn_panic("rn_run: out of memory");
    }
    m_init(first, false);
    first->thread = pthread_self();
    rn_store_relaxed(&rn__procs[0].m, first); /* relaxed: no other thread yet */
    s->m_n = 1;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    all_m_add_locked(first);
    rn_lock_release(&s->lock);
}

#if !defined(RN_TSAN) && !defined(RN_RACE) && !defined(RN_EXPLORE)
void *__tsan_create_fiber(unsigned flags)
    __attribute__((weak)); /* its runtime has it; who only counts accesses has not */

/* ThreadSanitizer's runtime must hear of every goroutine's stack; otherwise it dies in its own code. */
static void refuse_tsan(void)
{
    if (!__tsan_create_fiber)
        return;
    fputs(
        "runnel: this program is compiled with -fsanitize=thread, but linked with a library that is not: use runnel run, "
        "build or test with -race, or link the library of `cmake --preset race`\n",
        stderr);
    exit(2);
}
#else
static void refuse_tsan(void)
{
}
#endif

void rn__run_prepare(struct rn_go_call *call)
{
    struct rn_sched *s = &rn__sched;
    refuse_tsan();
    rn__fork_ask();
    if (!rn__is_outside(rn__m()))
        rn_panic("rn_run: called from a goroutine");
    if (rn_xchg_acquire(&claimed, true)) /* pairs with the release in give_up_claim */
        rn_panic("rn_run: already running on another thread");
    rn_os_init();
    pthread_once(&worker_once, worker_key_make);
    rn_store_relaxed(&s->stopping, 0); /* relaxed, all: no other thread yet */
    rn_store_relaxed(&s->spinning_n, 0);
    rn_store_relaxed(&s->watcher, NULL);
    rn_store_relaxed(&s->worker_wanted, 0);
    rn_store_relaxed(&s->idle_p_n, 0);
    rn_store_relaxed(&s->live_outside, 0);
    rn_store_relaxed(&s->poll_until, INT64_MIN);
    rn_store_relaxed(&s->aside_n, 0);
    rn_store_relaxed(&s->aside_since, 0);
    rn_store_relaxed(&s->aside_back, 0);
    rn_store_relaxed(&s->aside_stay, 0);
    rn_store_relaxed(&s->flood_next, 0);
    rn_store_relaxed(&s->flood_alone, 0);
    rn_store_relaxed(&s->flood_together, 0);
    rn_store_relaxed(&s->coarse, rn__choose_now());
    s->idle_p = NULL;
    rn__retired_forget();
    s->exiting = false;
    s->main_status = 0;
    s->main_call = call;
    rn__explore_run_starts();
    call->stack = RN_MAIN_STACK;
    start_processors();
    number_from_start();
    rn__crowd_begin();
    int err = rn__poll_begin();
    if (err) {
        give_up_claim();
        rn_panic("rn_run: no descriptors for the runtime: %s", rn_strerror(err));
    }
    start_first_worker();
    rn__debug_start();
    rn__hib_begin();
    rn_gate_open(&rn__gate);
    rn_store_relaxed(&s->running, true); /* relaxed: see rn__run_under_way */
    /* The main goroutine is started from here, in the macro, by this worker. */
}

/* glibc starts threads by clone3, and goes back to clone only where that is said not to exist. */
const char *rn__no_thread_why(int err)
{
    return err == -EPERM
               ? "a seccomp filter forbids clone3, it seems: allow it, or let it fail with ENOSYS; Docker does so "
                 "from 20.10.10 on"
               : "threads or memory are limited: ulimit -u, ulimit -v, the cgroup's pids.max";
}

static void start_monitor(void)
{
    int err = rn__race_thread_start(&rn__sched.monitor, rn__monitor, NULL, "runnel-monitor");
    if (err)
        rn_fatal("rn_run: no thread for the monitor: %s (%s)", rn_strerror(err), rn__no_thread_why(err));
}

/* Every worker leaves its loop; those in user code when they next enter the runtime. */
static void stop_workers(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED);
    rn_store_release(&s->stopping, 1); /* pairs with the acquire in rn__monitor */
    if (s->monitor_asleep)
        rn__monitor_wake_locked();
    for (struct rn_m *m = s->all_m; m; m = m->all_link)
        if (!m->external)
            rn_own_stop(&m->own);
    rn__workers_wake_all();
    rn_lock_release(&s->lock);
}

static struct rn_m *take_a_worker(void)
{
    rn_lock_take(&rn__sched.lock, RN_RANK_SCHED);
    struct rn_m *m = rn__sched.all_m;
    while (m && (m->external || m == first))
        m = m->all_link;
    if (m)
        all_m_remove_locked(m);
    rn_lock_release(&rn__sched.lock);
    return m;
}

/* No plain thread touches what belongs to the run from now on. */
static void shut_out_threads(void)
{
    rn_gate_close(&rn__gate);
    while (!rn_gate_is_empty(&rn__gate))
        rn_os_yield();
}

static void join_workers(void)
{
    struct rn_m *m, *gone = NULL;
    if (!rn__exploring())
        pthread_join(rn__sched.monitor, NULL);
    while ((m = take_a_worker()) != NULL) {
        pthread_join(m->thread, NULL);
        m->all_link = gone;
        gone = m;
    }
    /* Not before: the others look at a processor's worker until they end (watch.c). */
    while ((m = gone) != NULL) {
        gone = m->all_link;
        rn__tally_drop(m);
        rn__solo_drop(m);
        rn__free(m);
    }
}

static rn_lock hooks_lock;
static struct rn_stop_hook *hooks; /* guarded by hooks_lock */

void rn__at_stop(struct rn_stop_hook *hook)
{
    rn_lock_take(&hooks_lock, RN_RANK_SCHED);
    if (!hook->added) {
        hook->added = true;
        hook->next = hooks;
        hooks = hook;
    }
    rn_lock_release(&hooks_lock);
}

static void call_stop_hooks(void)
{
    rn__race_own_begin(); /* the others, whom the detector believes to be there still, have ended */
    for (struct rn_stop_hook *h = hooks; h; h = h->next)
        h->f();
    rn__race_own_end();
}

bool rn__is_mains(const void *object)
{
    const struct rn_g *g = rn_load_relaxed(&rn__sched.main); /* relaxed: by what goes on here, or joined */
    uintptr_t at = (uintptr_t)object;
    return g && at % 2 == 0 && at >= (uintptr_t)g->stack_lo && at < (uintptr_t)g->stack_hi;
}

/* Nobody is to find a waiter whose goroutine has ended with the run.  The one by which it was woken is in
 * no queue any more, and what it stood in line for may be gone, unless it owes. */
static void end_with_the_run(struct rn_g *g, void *arg)
{
    (void)arg;
    for (struct rn_waiter *w = g->waits, *also; w; w = also) {
        also = w->also;
        if ((g->woken_by != w || w->owes) && !rn__is_mains(w->of))
            w->leave(w);
    }
    rn__panics_drop(g);
}

static void forget_the_run(void)
{
    struct rn_sched *s = &rn__sched;
    rn_lock_take(&s->lock, RN_RANK_SCHED); /* plain threads may be ending */
    all_m_remove_locked(first);
    rn_lock_release(&s->lock);
    rn__tally_drop(first);
    rn__solo_drop(first);
    rn__free(first);
    first = NULL;
    become(before);
    rn__debug_stop(); /* not before: stacks that are away have been looked at until here */
    rn__g_release_all();
    rn__hib_end();
    rn_os_poll_close();
    s->idle_m = NULL;
    s->idle_m_n = s->m_n = s->pinned_n = 0;
    s->poller = NULL;
    s->global_first = s->global_last = NULL;
    rn_store_relaxed(&s->front_first, NULL); /* relaxed: as the following */
    rn_store_relaxed(&s->global_n, 0);       /* relaxed: no other thread is left */
    rn__spilled_forget();
    rn_store_relaxed(&s->main, NULL);    /* relaxed: as above */
    rn_store_relaxed(&s->procs_made, 0); /* relaxed: as above */
}

int rn__run_wait(struct rn_go_call *call)
{
    (void)call;
    if (!rn__exploring()) /* the only thread keeps its processor */
        start_monitor();
    rn_os_altstack_set();
    int64_t slack = rn_os_timer_slack(PUNCTUAL);
    struct rn_exceptions mine = rn__exceptions_take(first); /* of the handler that rn_run may be called in */
    work(rn__enter_any(first));                             /* go, in the macro, has left */
    rn__exceptions_give(first, mine);
    stop_workers();
    shut_out_threads();
    join_workers();
    if (slack >= 0)
        rn_os_timer_slack(slack);
    rn_os_altstack_drop();
    rn__timers_forget();                         /* before plain threads let timers fire again */
    rn_store_relaxed(&rn__sched.running, false); /* relaxed: see rn__run_under_way; but for who sees to timers: */
    rn_os_fence_heavy();                         /* pairs with the light one in timers.c, started */
    rn__threads_look();
    rn__poll_end();
    rn__goroutines_each(end_with_the_run, NULL); /* before the hooks free what somebody stands in line for */
    call_stop_hooks();
    forget_the_run();
    rn__race_acquire(RN_RACE_NAME(&rn__sched.main, 0)); /* released in rn__main_ended and rn__fiber_destroy */
    int status = rn__sched.main_status;
    give_up_claim(); /* the last that this run does */
    return status;
}

void rn__main_ended(enum rn_ended how, int status)
{
    struct rn_sched *s = &rn__sched;
    rn__race_release(RN_RACE_NAME(&rn__sched.main, 0));
    if (how != RN_ENDED_RETURN) {
        s->exiting = true;
        rn_store_relaxed(&s->main, NULL); /* relaxed: who gets this record gets it later */
        return;
    }
    rn__race_settle();
    if (rn__exploring())
        rn__explore_drain();
    else
        rn__panics_settle();
    if (rn__hooks.main_returned)
        status = rn__hooks.main_returned(status);
    if (rn__main_is_ours)
        exit(status);
    s->main_status = status;
    stop_workers();
}
