/* A hierarchical timing wheel: entries with a moment each, insert and remove in O(1), no
 * allocation, up to many millions of entries.
 *
 * Not thread safe: the owner's lock guards a wheel and the entries in it.  An entry is owned by the
 * caller, who keeps it alive while it is in a wheel.  See wheel.c for how it works.
 */
#ifndef RN_BASE_WHEEL_H
#define RN_BASE_WHEEL_H

#include "base/list.h"
#include <runnel/base.h>

enum {
    RN_WHEEL_SHIFT = 14, /* a slot of level 0 is 2^14 ns, about 16 µs */
    RN_WHEEL_DIGIT = 8,  /* each level is 2^8 times as coarse as the one below */
    RN_WHEEL_SLOTS = 1 << RN_WHEEL_DIGIT,
    RN_WHEEL_LEVELS = 7, /* 14 + 7 * 8 >= 63: every moment has a slot */
    RN_WHEEL_WORDS = RN_WHEEL_SLOTS / 64,
    RN_WHEEL_DUE = RN_WHEEL_LEVELS * RN_WHEEL_SLOTS,
};

/* Guarded by the owner's lock while in a wheel. */
struct rn_wheel_entry {
    struct rn_node node;
    rn_time when;
    uint32_t slot; /* in slots; meaningless when in no wheel */
};

struct rn_wheel_slot {
    struct rn_list entries;
    rn_time earliest; /* no entry is before it; exact but after removals and moves; meaningless when empty */
};

/* About 45 KiB, of which a page or two are in use at a time. */
struct rn_wheel {
    uint64_t tick;   /* entries before it are in its slot or in the due one */
    uint32_t levels; /* bit l: level l has entries */
    size_t count;
    uint64_t occupied[RN_WHEEL_LEVELS][RN_WHEEL_WORDS]; /* a bit a slot: it has entries */
    /* level by level, and at the end one list of entries found due but not yet returned */
    struct rn_wheel_slot slots[RN_WHEEL_DUE + 1];
    struct rn_node *from_back[RN_WHEEL_SLOTS]; /* while a slot is emptied: by digit, the last one moved from its back */
};

/* Makes w empty; `now` is where it starts to turn. */
void rn_wheel_init(struct rn_wheel *w, rn_time now);
/* Adds e, which is in no wheel, for e->when; any value will do, past ones are due at once. */
void rn_wheel_add(struct rn_wheel *w, struct rn_wheel_entry *e);
/* Takes out e, which is in w. */
void rn_wheel_remove(struct rn_wheel *w, struct rn_wheel_entry *e);
/* Gives an entry of w another moment. */
void rn_wheel_move(struct rn_wheel *w, struct rn_wheel_entry *e, rn_time when);
/* Takes out and returns one entry with when <= now, or NULL when there is none; call it until then.
 * Entries come in order of `when`, but for those that lie within the same 16 µs.  Amortised O(1);
 * calling it at `now` = rn_wheel_next moves entries and may return NULL. */
struct rn_wheel_entry *rn_wheel_expire(struct rn_wheel *w, rn_time now);
/* A moment not later than the first entry's; its exact moment unless entries were removed since.
 * INT64_MAX when empty. */
rn_time rn_wheel_next(const struct rn_wheel *w);
/* The owner's: e, which is in a wheel, was overwritten.  An entry is looked at before what it says is followed. */
RN_NORETURN void rn__wheel_broken(const struct rn_wheel_entry *e);
/* Is there an entry for which test says so?  test must not change the wheel. */
bool rn_wheel_any(const struct rn_wheel *w, bool (*test)(struct rn_wheel_entry *e, void *arg), void *arg);

#endif
