/* A hierarchical timing wheel (Varghese and Lauck, 1987, scheme 7), without a ticking hand.
 *
 * A moment is counted in ticks of 2^14 ns and read as seven digits of eight bits.  An entry stands on the
 * level of the highest digit in which its tick differs from the wheel's, in the slot of that digit.
 *
 * What always holds:
 *  - An entry on level l agrees with w->tick in all digits above l, and its digit l is larger; on
 *    level 0 it may be equal.  So everything on a level is before everything on the levels above,
 *    and the first occupied slot of the lowest occupied level holds the first entries.
 *  - w->tick never moves past the start of an occupied slot without emptying it: when it enters a
 *    slot of level l > 0 the entries are moved to lower levels, each at most once a level.
 *  - Entries of the past are in the slot of w->tick on level 0, or in the due list.
 *
 * Within the slot of the present, moments are compared exactly; those found due go to the due list
 * in one pass, so that taking them out one by one does not look at the others again.
 *
 * With a million sleepers of up to a second the wheel took 0.9 s of 4.6 s of processor time when slots were emptied
 * from one end, from both ends 0.5 of 3.2.
 *
 * Tried and lost: to walk the second half from its end only to have it in the cache (half the gain).  Digits of six bits.  The wheel has 14 KiB instead of 43, but a timer of milliseconds
 * to a second moves twice instead of once: 320 instead of 210 ns to expire one of a million, nearly
 * all of it cache misses.  Not tried: a heap, whose insert and removal take several misses each at
 * that size.  Left alone: sorting a slot when it becomes the present one; nobody can tell the order
 * of timers that are 16 µs apart.
 */
#include "base/wheel.h"
#include <string.h>

static uint64_t tick_of(rn_time when)
{
    return when > 0 ? (uint64_t)when >> RN_WHEEL_SHIFT : 0;
}

static struct rn_wheel_entry *entry_of(struct rn_node *n)
{
    return rn_container(n, struct rn_wheel_entry, node);
}

/* Memory that was given up, or a stack that was left, with a timer in it, is soon something else. */
static inline void look_at(const struct rn_wheel_entry *e, uint32_t slot)
{
    if (__builtin_expect(e->slot != slot, 0))
        rn__wheel_broken(e);
}

/* Before `before`, which is in that slot; NULL: at its end. */
static inline void put(struct rn_wheel *w, struct rn_wheel_entry *e, uint32_t slot, struct rn_node *before)
{
    struct rn_wheel_slot *s = &w->slots[slot];
    if (rn_list_empty(&s->entries) || e->when < s->earliest)
        s->earliest = e->when;
    rn_list_insert(&s->entries, &e->node, before);
    e->slot = slot;
}

static void mark_occupied(struct rn_wheel *w, uint32_t level, uint32_t digit)
{
    w->occupied[level][digit / 64] |= (uint64_t)1 << digit % 64;
    w->levels |= (uint32_t)1 << level;
}

static void mark_empty(struct rn_wheel *w, uint32_t slot)
{
    if (slot == RN_WHEEL_DUE)
        return;
    uint32_t level = slot / RN_WHEEL_SLOTS, digit = slot % RN_WHEEL_SLOTS;
    uint64_t *words = w->occupied[level], any = 0;
    words[digit / 64] &= ~((uint64_t)1 << digit % 64);
    for (int i = 0; i < RN_WHEEL_WORDS; i++)
        any |= words[i];
    if (!any)
        w->levels &= ~((uint32_t)1 << level);
}

/* The slot that a moment and the wheel's tick say. */
static uint32_t slot_of(const struct rn_wheel *w, rn_time when)
{
    uint64_t tick = tick_of(when);
    if (tick < w->tick)
        tick = w->tick;
    uint64_t differ = (tick ^ w->tick) | (RN_WHEEL_SLOTS - 1);
    uint32_t level = (63 - (uint32_t)__builtin_clzll(differ)) / RN_WHEEL_DIGIT;
    uint32_t digit = tick >> (level * RN_WHEEL_DIGIT) & (RN_WHEEL_SLOTS - 1);
    return level * RN_WHEEL_SLOTS + digit;
}

static void place(struct rn_wheel *w, struct rn_wheel_entry *e, uint32_t slot)
{
    put(w, e, slot, NULL);
    mark_occupied(w, slot / RN_WHEEL_SLOTS, slot % RN_WHEEL_SLOTS);
}

/* The slot that holds the first entries, and the tick at which it begins. */
static uint32_t first_slot(const struct rn_wheel *w, uint64_t *start)
{
    uint32_t level = (uint32_t)__builtin_ctz(w->levels);
    const uint64_t *words = w->occupied[level];
    uint32_t word = 0;
    while (!words[word])
        word++;
    uint32_t digit = word * 64 + (uint32_t)__builtin_ctzll(words[word]);
    uint32_t bits = level * RN_WHEEL_DIGIT;
    uint64_t above = w->tick >> bits >> RN_WHEEL_DIGIT << RN_WHEEL_DIGIT;
    *start = (above | digit) << bits;
    return level * RN_WHEEL_SLOTS + digit;
}

void rn_wheel_init(struct rn_wheel *w, rn_time now)
{
    memset(w, 0, sizeof *w);
    w->tick = tick_of(now);
}

void rn_wheel_add(struct rn_wheel *w, struct rn_wheel_entry *e)
{
    place(w, e, slot_of(w, e->when));
    w->count++;
}

/* Its neighbours are written to. */
static inline void look_around(const struct rn_wheel_entry *e)
{
    const struct rn_node *next = e->node.next, *prev = e->node.prev;
    if (__builtin_expect(next && next->prev != &e->node, 0))
        rn__wheel_broken(entry_of((struct rn_node *)next));
    if (__builtin_expect(prev && prev->next != &e->node, 0))
        rn__wheel_broken(entry_of((struct rn_node *)prev));
}

void rn_wheel_remove(struct rn_wheel *w, struct rn_wheel_entry *e)
{
    look_around(e);
    struct rn_list *entries = &w->slots[e->slot].entries;
    rn_list_remove(entries, &e->node);
    if (rn_list_empty(entries))
        mark_empty(w, e->slot);
    w->count--;
}

/* Mostly a little later, and in the same slot; whose earliest may be before all that are in it. */
void rn_wheel_move(struct rn_wheel *w, struct rn_wheel_entry *e, rn_time when)
{
    uint32_t slot = slot_of(w, when);
    e->when = when;
    if (slot != e->slot) {
        rn_wheel_remove(w, e);
        rn_wheel_add(w, e);
    } else if (when < w->slots[slot].earliest) {
        w->slots[slot].earliest = when;
    }
}

/* One of a slot that is being emptied goes to the level below.  Those from its back stand behind those from its front. */
static void move_down(struct rn_wheel *w, struct rn_node *n, uint32_t level, bool from_back)
{
    struct rn_wheel_entry *e = entry_of(n);
    uint32_t digit = tick_of(e->when) >> (level * RN_WHEEL_DIGIT) & (RN_WHEEL_SLOTS - 1);
    put(w, e, level * RN_WHEEL_SLOTS + digit, w->from_back[digit]);
    mark_occupied(w, level, digit);
    if (from_back)
        w->from_back[digit] = n;
}

/* Empties a slot, whose start is w->tick, onto the levels below, which are empty.  From both ends: with very many
 * timers each step to a neighbour is a cache miss, and two chains wait for two at a time. */
static void cascade(struct rn_wheel *w, uint32_t slot)
{
    struct rn_node *front = w->slots[slot].entries.first, *back = w->slots[slot].entries.last;
    uint32_t level = slot / RN_WHEEL_SLOTS - 1;
    memset(w->from_back, 0, sizeof w->from_back);
    w->slots[slot].entries = (struct rn_list){NULL, NULL};
    mark_empty(w, slot);
    for (bool all = false; !all;) {
        struct rn_node *next = front->next, *prev = back->prev;
        __builtin_prefetch(next, 1);
        __builtin_prefetch(prev, 1);
        look_at(entry_of(front), slot);
        look_at(entry_of(back), slot);
        all = front == back || next == back;
        if (front != back)
            move_down(w, back, level, true);
        move_down(w, front, level, false);
        front = next;
        back = prev;
    }
    if (level && !rn_list_empty(&w->slots[level * RN_WHEEL_SLOTS].entries)) /* the digit of the present: further down */
        cascade(w, level * RN_WHEEL_SLOTS);
}

/* Moves what is due from a slot of level 0 to the due list. */
static void collect_due(struct rn_wheel *w, uint32_t slot, rn_time now)
{
    struct rn_wheel_slot *s = &w->slots[slot];
    s->earliest = INT64_MAX;
    for (struct rn_node *n = s->entries.first, *next; n; n = next) {
        struct rn_wheel_entry *e = entry_of(n);
        look_at(e, slot);
        next = n->next;
        if (e->when <= now) {
            rn_list_remove(&s->entries, n);
            put(w, e, RN_WHEEL_DUE, NULL);
        } else if (e->when < s->earliest) {
            s->earliest = e->when;
        }
    }
    if (rn_list_empty(&s->entries))
        mark_empty(w, slot);
}

static struct rn_wheel_entry *take_first(struct rn_wheel *w, uint32_t slot)
{
    struct rn_wheel_entry *e = entry_of(w->slots[slot].entries.first);
    look_at(e, slot);
    rn_wheel_remove(w, e);
    return e;
}

struct rn_wheel_entry *rn_wheel_expire(struct rn_wheel *w, rn_time now)
{
    struct rn_wheel_slot *due = &w->slots[RN_WHEEL_DUE];
    uint64_t tick = tick_of(now), start;
    for (;;) {
        if (!rn_list_empty(&due->entries)) /* not due only if `now` went back */
            return entry_of(due->entries.first)->when <= now ? take_first(w, RN_WHEEL_DUE) : NULL;
        if (!w->levels)
            break;
        uint32_t slot = first_slot(w, &start);
        bool fine = slot < RN_WHEEL_SLOTS; /* on level 0 */
        if (fine ? w->slots[slot].earliest > now : start > tick)
            break;
        if (fine && start >= tick) {
            collect_due(w, slot, now);
            continue;
        }
        w->tick = start;
        if (fine)
            return take_first(w, slot);
        cascade(w, slot);
    }
    if (tick > w->tick)
        w->tick = tick;
    return NULL;
}

rn_time rn_wheel_next(const struct rn_wheel *w)
{
    uint64_t start;
    if (!rn_list_empty(&w->slots[RN_WHEEL_DUE].entries))
        return w->slots[RN_WHEEL_DUE].earliest;
    return w->levels ? w->slots[first_slot(w, &start)].earliest : INT64_MAX;
}

static bool any_in(const struct rn_wheel *w, uint32_t slot, bool (*test)(struct rn_wheel_entry *e, void *arg),
                   void *arg)
{
    for (struct rn_node *n = w->slots[slot].entries.first; n; n = n->next) {
        look_at(entry_of(n), slot);
        if (test(entry_of(n), arg))
            return true;
    }
    return false;
}

/* By the marks: asked each time that all workers fall asleep, it must not walk through 43 KiB of empty slots. */
bool rn_wheel_any(const struct rn_wheel *w, bool (*test)(struct rn_wheel_entry *e, void *arg), void *arg)
{
    for (uint32_t word = 0; word < RN_WHEEL_LEVELS * RN_WHEEL_WORDS; word++)
        for (uint64_t left = w->occupied[word / RN_WHEEL_WORDS][word % RN_WHEEL_WORDS]; left; left &= left - 1)
            if (any_in(w, word * 64 + (uint32_t)__builtin_ctzll(left), test, arg))
                return true;
    return any_in(w, RN_WHEEL_DUE, test, arg);
}
