/* What a wait queue does when a run ends, and what debug builds check of every object of src/sync: see
 * waitq.h.
 *
 * rn_home holds a number made of the object's address, so that a copy, which has the number of the
 * original, is told from it.  0: not used yet.  An object of zeros that is copied before its first
 * use is therefore fine, as in Go.
 */
#include "sync/waitq.h"

uint32_t rn__watched_locks; /* written before there are goroutines */

void rn__waitq_leave(struct rn_waiter *w)
{
    rn__waitq_lock(w->of);
    rn__waitq_remove(w->of, w);
    rn__waitq_unlock(w->of);
}

#if defined(RN_DEBUG) && !defined(RN_MODEL)
enum { HOME_DESTROYED = 1 };

static uint32_t home_of(const struct rn_waitq *q)
{
    uint64_t at = (uint64_t)(uintptr_t)q * 0x9e3779b97f4a7c15u;
    return (uint32_t)(at >> 32) | 2;
}

void rn__waitq_check(struct rn_waitq *q, const char *what)
{
    uint32_t found = 0;
    rn__rank_check_none();
    /* relaxed: the word is only compared with itself; nothing else is published by it. */
    if (rn_cas_relaxed(&q->rn_home, &found, home_of(q)) || found == home_of(q))
        return;
    if (found == HOME_DESTROYED)
        rn_panic("sync: use of a destroyed %s", what);
    rn_panic("sync: %s was copied after its first use", what);
}

void rn__waitq_destroy(struct rn_waitq *q, const char *what, bool in_use)
{
    rn__waitq_check(q, what);
    rn__waitq_lock(q);
    in_use = in_use || !rn__waitq_empty(q);
    rn__waitq_unlock(q);
    if (in_use)
        rn_panic("sync: %s destroyed while in use", what);
    /* relaxed: as above. */
    rn_store_relaxed(&q->rn_home, HOME_DESTROYED);
}
#endif
