/* The parts of os.h that code under test calls, and the engine's own way to block.
 *
 * The futex compares with the newest store, as the kernel does; it synchronises nothing in the
 * sense of happens-before.  A wait with a deadline may time out at any moment.  Waiters are woken
 * in the order in which they began to wait.  There are no spurious wake-ups. */
#include "engine.h"
#include "os/os.h"

bool rn__fence_asymmetric = true;

static struct {
    const volatile void *addr;
    int thread;
} waiters[THREADS];
static int waiter_n;
static struct model_site heavy_site = {.op = "fence_heavy",
                                       .expr = "",
                                       .file = "os.h",
                                       .func = "rn_os_fence_heavy",
                                       .order = MODEL_SEQ_CST,
                                       .now = MODEL_SEQ_CST};
static struct model_site restart_site = {.op = "fence_restart",
                                         .expr = "",
                                         .file = "os.h",
                                         .func = "rn_os_fence_restart",
                                         .order = MODEL_SEQ_CST,
                                         .now = MODEL_SEQ_CST};

struct cell {
    bool posted;
    struct clock hb, vis;
};
enum { CELLS = 64 };
static struct cell cells[CELLS];
static int cell_n;

void os_reset(void)
{
    waiter_n = 0;
    cell_n = 0;
}

static struct cell *cell_of(struct model_token *t)
{
    struct cell *c = t->cell;
    if (c >= cells && c < cells + cell_n)
        return c;
    if (cell_n == CELLS)
        model_fail("the engine has no room for more than %d tokens", CELLS);
    c = &cells[cell_n++];
    memset(c, 0, sizeof *c);
    t->cell = c;
    return c;
}

bool op_enabled(int t)
{
    const struct op *o = &actors[t].next;
    switch (o->kind) {
    case OP_YIELD:
        return o->spun_n == 0 || memory_changed(t);
    case OP_WAIT:
        return ((const struct cell *)(uintptr_t)o->addr)->posted;
    case OP_HEAVY:
        return visits_are_over(t);
    case OP_SLEEP:
        return threads[t].woken || threads[t].timed;
    default:
        return o->kind != OP_NONE;
    }
}

void model_wait(struct model_token *t, const char *what)
{
    struct cell *c = cell_of(t);
    point((struct op){.kind = OP_WAIT, .addr = c, .text = what});
    if (!c->posted)
        model_fail("%s would block outside the model threads", what);
    memory_take(&c->hb, &c->vis);
    memset(c, 0, sizeof *c);
}

void model_post(struct model_token *t, const char *what)
{
    struct cell *c = cell_of(t);
    point((struct op){.kind = OP_POST, .addr = c, .text = what});
    if (c->posted)
        model_fail("%s: posted twice, two wake-ups for one wait", what);
    memory_post(&c->hb, &c->vis);
    c->posted = true;
}

int rn_os_futex_wait(rn_atomic(uint32_t) * word, uint32_t seen, rn_time deadline)
{
    point((struct op){.kind = OP_POST, .addr = word, .size = 4, .text = "futex_wait"});
    event()->value = memory_newest(word, 4);
    if (event()->value != seen)
        return 0;
    if (running == MAIN)
        model_fail("futex_wait would block outside the model threads");
    struct thread *t = &threads[running];
    t->woken = false;
    t->timed = deadline != INT64_MAX;
    waiters[waiter_n].addr = word;
    waiters[waiter_n++].thread = running;
    point((struct op){.kind = OP_SLEEP, .addr = word, .text = "futex_wait returns"});
    if (t->woken)
        return 0;
    for (int i = 0; i < waiter_n; i++)
        if (waiters[i].thread == running) {
            memmove(&waiters[i], &waiters[i + 1], (size_t)(waiter_n - i - 1) * sizeof *waiters);
            waiter_n--;
            break;
        }
    return -110;
}

void rn_os_futex_wake(rn_atomic(uint32_t) * word, int n)
{
    point((struct op){.kind = OP_POST, .addr = word, .text = "futex_wake"});
    for (int i = 0; i < waiter_n && n > 0;) {
        if (waiters[i].addr != word) {
            i++;
            continue;
        }
        threads[waiters[i].thread].woken = true;
        memmove(&waiters[i], &waiters[i + 1], (size_t)(waiter_n - i - 1) * sizeof *waiters);
        waiter_n--;
        n--;
    }
}

/* A visit of every other thread, each at a moment of its own, and a full fence when they are over. */
static void fence_everywhere(struct model_site *site, bool restarts)
{
    site_known(site);
    if (site->now != MODEL_SEQ_CST)
        return;
    threads[running].restarts = restarts;
    if (running != MAIN && rn__fence_asymmetric) {
        memory_heavy_begin(running);
        visits_begin();
    }
    point((struct op){.kind = OP_HEAVY, .site = site});
    memory_heavy_end(running);
}

void rn_os_fence_heavy(void)
{
    fence_everywhere(&heavy_site, false);
}

void rn_os_fence_restart(void)
{
    fence_everywhere(&restart_site, true);
}

uint64_t rn_os_signals_hold(void)
{
    return 0; /* there are none */
}

void rn_os_signals_release(uint64_t held)
{
    (void)held;
}

void rn_os_yield(void)
{
    rn__model_yield();
}

void rn_os_nap(rn_duration d)
{
    (void)d;
    rn__model_yield();
}
