/* Once: NEW -> RUNNING -> DONE, changed only under the queue's lock.
 *
 * The one who finds NEW runs; those who find RUNNING queue; all are woken after DONE.  The short way
 * (runnel/once.h) is a load of DONE.  The end is a deferred call, so a panic and a goroutine's exit
 * count as done too.
 */
#include <runnel/once.h>

#include "base/alloc.h"
#include "base/race.h"
#include "sync/waitq.h"
#include <string.h>

bool rn__once_begin(rn_once *o)
{
    rn__point(RN_AT_ONCE, o);
    rn__waitq_check(&o->rn_queue, "once");
    struct rn_waiter w = {0};
    rn__waitq_lock(&o->rn_queue);
    /* relaxed: only changed under the lock. */
    uint32_t s = rn_load_relaxed(&o->rn_state);
    if (s == RN_ONCE_NEW) {
        rn_store_relaxed(&o->rn_state, RN_ONCE_RUNNING);
    } else if (s == RN_ONCE_RUNNING) {
        w.g = rn__self();
        rn__waitq_push(&o->rn_queue, &w);
    }
    rn__waitq_unlock(&o->rn_queue);
    if (s == RN_ONCE_RUNNING)
        rn__park(RN_WAIT_ONCE, o);
    rn__race_touch(o);
    if (s != RN_ONCE_NEW)
        rn__race_acquire(RN_RACE_NAME(o, 0));
    return s == RN_ONCE_NEW;
}

void rn__once_end(rn_once *o)
{
    rn__point(RN_AT_ONCE, o);
    struct rn_ready_list wake = {0};
    rn__race_release(RN_RACE_NAME(o, 0));
    rn__waitq_lock(&o->rn_queue);
    /* release: pairs with the acquire in rn__once_first; publishes what the call has done. */
    rn_store_release(&o->rn_state, RN_ONCE_DONE);
    rn__waitq_pop_all(&o->rn_queue, &wake);
    rn__waitq_unlock(&o->rn_queue);
    if (wake.n)
        rn__ready_all(&wake);
}

void rn__once_value_note(struct rn_once_panic *p)
{
    struct rn_panic *panic = rn__self()->panic;
    if (p->rn_returned || !panic || panic->is_exit)
        return;
    p->rn_value = panic->value;
    size_t n = strlen(panic->text) + 1;
    p->rn_text = rn__malloc(n);
    if (p->rn_text)
        memcpy(p->rn_text, panic->text, n);
}

void rn__once_value_panic(struct rn_once_panic *p)
{
    rn_panic_value(p->rn_value, p->rn_text ? p->rn_text : "once_value: the function did not return");
}
