/* The poller as the scheduler sees it.  Who waits for which descriptor is known to the layer that
 * registered it (src/net), which says here how an event becomes goroutines. */
#include "sched/choice.h"

rn_atomic(rn__poll_event_fn *) rn__poll_event;
rn_atomic(rn__poll_event_fn *) rn__poll_http_event;
rn_atomic(rn__poll_signals_fn *) rn__poll_signals;

static void pass_event(const struct rn_os_event *e, struct rn_ready_list *wake)
{
    /* acquire: pairs with the release of who has registered it. */
    rn__poll_event_fn *to = rn_load_acquire(e->tag & RN_POLL_HTTP_TAG ? &rn__poll_http_event : &rn__poll_event);
    if (to)
        to(e->tag, e->ready, wake);
}

static void pass_signals(struct rn_ready_list *wake)
{
    rn__poll_signals_fn *to = rn_load_acquire(&rn__poll_signals); /* acquire: as in pass_event */
    if (to)
        to(wake);
}

rn_time rn__poll(struct rn_ready_list *wake, rn_time until)
{
    enum { EVENTS = 128 };
    struct rn_os_event events[EVENTS];
    /* A signal that comes after this look interrupts the wait. */
    int n = rn_os_poll_wait(events, EVENTS, rn_os_signals_pending() ? 0 : until);
    /* relaxed: before it, whom we wake are counted as waiters; see rn__poll_queued. */
    rn_add_relaxed(&rn__external_wakers, 1);
    for (int i = 0; i < n; i++)
        pass_event(&events[i], wake);
    if (__builtin_expect(rn_os_signals_pending(), 0))
        pass_signals(wake);
    if (!wake->first)
        rn__poll_queued();
    rn_time now = rn__choose_now();
    rn_store_relaxed(&rn__sched.polled_at, now); /* relaxed: a moment */
    return now;
}

/* release: whoever asks whether all sleep for ever (deadlock.c) and finds us counted no more finds them queued. */
void rn__poll_queued(void)
{
    rn_sub_release(&rn__external_wakers, 1);
}

void rn__queue_polled(struct rn_m *m, struct rn_ready_list *wake)
{
    rn__queue_paced(m, wake);
    rn__poll_queued();
}

uint32_t rn__poll_now(struct rn_m *m, bool through)
{
    if (rn_load_relaxed(&rn__external_wakers) == 0) /* relaxed: a hint; as below */
        return 0;
    /* relaxed: a hint; the poller that sleeps will see what this misses. */
    bool sleeps = rn_load_relaxed(&rn__sched.poll_until) != INT64_MIN;
    struct rn_ready_list wake = {0};
    rn_time now = sleeps ? rn__choose_now() : rn__poll(&wake, 0);
    rn__pace_look(m, now, through && !wake.first);
    uint32_t n = wake.n;
    if (wake.first)
        rn__queue_polled(m, &wake);
    return n;
}
