/* The debug check of lock ranks; see lock_rank.h.
 *
 * Each thread keeps the locks that it holds, oldest first; ranks never fall along the list, so only
 * the last entry is compared.  A goroutine holds no internal lock when it moves to another thread,
 * so a list per thread is right.
 */
#include "base/lock_rank.h"

#if defined(RN_DEBUG) && !defined(RN_MODEL)
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A select may lock up to 65,535 channels: those beyond the most recorded are only counted. */
enum { MOST = 1024 };
struct held {
    const void *lock;
    enum rn_rank rank;
};
static _Thread_local struct held held[MOST];
static _Thread_local int n_held, n_unrecorded;

static struct held *newest(void)
{
    return n_held ? &held[n_held - 1] : NULL;
}

/* Channels in rising address order; contexts parent before child, which addresses do not tell. */
static bool equal_allowed(const struct held *last, const void *lock)
{
    if (last->rank == RN_RANK_CHAN)
        return (uintptr_t)last->lock < (uintptr_t)lock;
    return last->rank == RN_RANK_DONE && last->lock != lock;
}

static _Noreturn void die(const char *what, const void *lock, enum rn_rank rank)
{
    const struct held *last = newest();
    fprintf(stderr, "runnel: %s: lock %p of rank %d", what, lock, (int)rank);
    if (last)
        fprintf(stderr, " while the newest one held is %p of rank %d", last->lock, (int)last->rank);
    fputc('\n', stderr);
    abort();
}

void rn__rank_check(const void *lock, enum rn_rank rank)
{
    const struct held *last = newest();
    if (last && (rank < last->rank || (rank == last->rank && !equal_allowed(last, lock))))
        die("lock order violated", lock, rank);
}

/* The place of lock in `held`; -1: not there. */
static int place_of(const void *lock)
{
    int i = n_held - 1;
    while (i >= 0 && held[i].lock != lock)
        i--;
    return i;
}

void rn__rank_check_held(const void *lock)
{
    if (place_of(lock) < 0 && n_unrecorded == 0)
        die("lock needed that this thread does not hold", lock, 0);
}

void rn__rank_check_none(void)
{
    const struct held *last = newest();
    if (last)
        die("lock held by one that enters the runtime, parks, or panics", last->lock, last->rank);
}

void rn__rank_taken(const void *lock, enum rn_rank rank)
{
    if (n_held < MOST)
        held[n_held++] = (struct held){lock, rank};
    else
        n_unrecorded++;
}

/* Locks may be dropped in any order; the newest is the usual one. */
void rn__rank_dropped(const void *lock)
{
    int i = place_of(lock);
    if (i < 0 && n_unrecorded == 0)
        die("lock dropped that this thread does not hold", lock, 0);
    if (i < 0) {
        n_unrecorded--;
        return;
    }
    memmove(&held[i], &held[i + 1], (size_t)(n_held - 1 - i) * sizeof held[0]);
    held[--n_held].lock = NULL; /* an old pointer would hide a leak */
}
#endif
