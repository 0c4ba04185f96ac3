/* Walking up a stack by .eh_frame: an interpreter of DWARF call frame information, and a cache.
 *
 * What always holds:
 *  - A step reads only tables of loaded objects and, outside lo … hi, memory through the kernel; it
 *    takes no lock and allocates nothing, so that it works in a handler of any signal.
 *  - A rule that is not understood ends the walk (-1) rather than guess.
 *
 * The cache holds, by code address, rules of the common simple form "CFA = sp or fp + n, saved registers at
 * CFA - 8k or untouched", so that the second recovery at a place costs nanoseconds (unwind_cache.h).
 *
 * After dlclose the same address may hold other code.  Entries for the program itself, libc and the object
 * that this file is linked into live for ever, since these can't go away while we run.  Entries for all other
 * objects carry the number of objects unloaded so far (dlpi_subs), and count only when it is still the same; a
 * cursor asks for that number once, on its first such entry, and that takes the loader's lock.  Cursors
 * from a signal's context are not `warm`: they use neither the cache nor that lock.
 *
 * Tried and rejected: asking _dl_find_object at every step (a plugin built anew and loaded again comes to
 * the same address with the same link_map, so that proves nothing); libgcc's _Unwind_Backtrace (a microsecond
 * a frame, stops at what it thinks is the end, and the core links with libc alone).
 */
#define _GNU_SOURCE
#include "arch/unwind.h"
#include "arch/unwind_cache.h"
#include "arch/unwind_cfi.h"
#include "base/atomic.h"
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- memory ---------------------------------------------------------------------------------- */

/* Reads a word that may not be there: the kernel copies it, or says no. */
static bool peek_far(uintptr_t at, uintptr_t *to)
{
    struct iovec here = {to, sizeof *to};
    struct iovec there = {(void *)at, sizeof *to}; /* NOLINT(performance-no-int-to-ptr) */
    return syscall(SYS_process_vm_readv, getpid(), &here, 1ul, &there, 1ul, 0ul) == (long)sizeof *to;
}

__attribute__((no_sanitize("address", "thread"))) static uintptr_t word_at(uintptr_t at)
{
    return *(const volatile uintptr_t *)at; /* NOLINT(performance-no-int-to-ptr) */
}

static inline bool peek(const struct rn_cursor *c, uintptr_t at, uintptr_t *to)
{
    if (at & (sizeof *to - 1))
        return false;
    if (__builtin_expect(at < c->lo || at > c->hi - sizeof *to, 0))
        return peek_far(at, to);
    *to = word_at(at);
    return true;
}

bool rn__cursor_peek(const struct rn_cursor *c, uintptr_t at, uintptr_t *to)
{
    return peek(c, at, to);
}

/* ---- the cache -------------------------------------------------------------------------------- */

static const uint8_t saved_regs[RN_SAVED] = RN_SAVED_REGS;

/* A simple rule, packed into whole words. */
struct simple {
    int32_t cfa_offset;
    uint32_t gen;       /* of an object that may be unloaded */
    uint8_t cfa_fp : 1; /* CFA = fp + offset, else sp + offset */
    uint8_t unloadable : 1;
    uint8_t signed_pc : 1;   /* the return address carries an authentication code */
    uint8_t deepest;         /* the greatest of saved, or 1 */
    uint8_t saved[RN_SAVED]; /* saved_regs[i] is at CFA - 8 * saved[i]; 0: untouched */
};
_Static_assert(sizeof(struct simple) <= RN_UNWIND_WORDS * sizeof(uint64_t), "an entry has room for a rule");
/* Sets of two: which addresses fall into the same place is decided when a program is linked, and with places for one two
 * frames of one recovery put each other out each time: 540 ns instead of 60. */
enum { SETS = 256, WAYS = 2 };

static struct rn_unwind_entry cache[SETS][WAYS];

static inline struct rn_unwind_entry *set_of(uintptr_t pc)
{
    return cache[(pc * 0x9e3779b97f4a7c15ull) >> 56];
}
_Static_assert(SETS == 1 << (64 - 56), "set_of yields 8 bits");

static inline bool cache_get(uintptr_t pc, struct simple *s)
{
    uint64_t word[RN_UNWIND_WORDS];
    struct rn_unwind_entry *e = set_of(pc);
    if (!rn__unwind_entry_get(&e[0], pc, word) && !rn__unwind_entry_get(&e[1], pc, word))
        return false;
    memcpy(s, word, sizeof *s);
    return true;
}

/* In the place of an older rule for pc, or of what has been replaced less often. */
static void cache_put(uintptr_t pc, const struct simple *s)
{
    uint64_t word[RN_UNWIND_WORDS] = {0};
    struct rn_unwind_entry *e = set_of(pc);
    memcpy(word, s, sizeof *s);
    /* relaxed, all: a guess. */
    bool second = rn_load_relaxed(&e[1].seq) < rn_load_relaxed(&e[0].seq);
    if (rn_load_relaxed(&e[0].pc) == pc || rn_load_relaxed(&e[1].pc) == pc)
        second = rn_load_relaxed(&e[1].pc) == pc;
    rn__unwind_entry_put(&e[second], pc, word);
}

/* ---- one step --------------------------------------------------------------------------------- */

/* Moves c to the caller, given the caller's registers. */
static inline void arrive(struct rn_cursor *c, uintptr_t cfa, uintptr_t pc, bool exact)
{
    c->cfa = cfa;
    c->regs[RN_REG_PC] = pc;
    c->valid |= 1ull << RN_REG_PC;
    c->exact = exact;
}

/* Frames go upwards.  An empty one (a leaf's on aarch64) has not called anything: it is the innermost. */
static inline bool plausible(const struct rn_cursor *c, uintptr_t cfa, uintptr_t pc)
{
    uintptr_t sp = c->regs[RN_REG_SP];
    return cfa > sp || (cfa == sp && c->exact && pc != c->regs[RN_REG_PC]);
}

/* All that a simple rule reads is within the bounds, so that it can be read without asking. */
static inline bool in_bounds(const struct rn_cursor *c, const struct simple *s, uintptr_t cfa)
{
    uintptr_t low = cfa - 8 * (uintptr_t)s->deepest;
    return low >= c->lo && cfa <= c->hi && low <= cfa && (cfa & 7) == 0;
}

/* 1 or 0 as rn_cursor_step; -1: this needs the careful way. */
static inline int step_simple(struct rn_cursor *c, const struct simple *s)
{
    uintptr_t cfa = c->regs[s->cfa_fp ? RN_REG_FP : RN_REG_SP] + (uintptr_t)(intptr_t)s->cfa_offset;
    if (!in_bounds(c, s, cfa) || (c->valid & RN_SAVED_MASK) != RN_SAVED_MASK)
        return -1;
#ifdef RN_REG_LR
    if (!s->saved[11] && !c->exact)
        return -1; /* it has made a call, and so must have saved its own return address */
    uintptr_t lr = s->saved[11] ? word_at(cfa - 8 * (uintptr_t)s->saved[11]) : c->regs[RN_REG_LR];
    uintptr_t pc = s->signed_pc ? rn__strip_return_address(lr) : lr;
#else
    uintptr_t pc = word_at(cfa - 8);
#endif
    if (!plausible(c, cfa, pc))
        return -1;
    if (pc == 0)
        return 0;
    for (int i = 0; i < RN_SAVED; i++)
        if (s->saved[i])
            c->regs[saved_regs[i]] = word_at(cfa - 8 * (uintptr_t)s->saved[i]);
    c->regs[RN_REG_SP] = cfa;
    c->valid = RN_SAVED_MASK | 1ull << RN_REG_SP;
    arrive(c, cfa, pc, false);
    return 1;
}

/* The value that register i has in the caller.  False: it can't be had. */
static bool recovered(const struct rn_cursor *c, const struct rn_row *row, int i, uintptr_t cfa, uintptr_t *value)
{
    int64_t n = row->value[i];
    switch ((enum rn_rule)row->rule[i]) {
    case RN_RULE_OFFSET:
        return peek(c, cfa + (uintptr_t)n, value);
    case RN_RULE_VAL_OFFSET:
        *value = cfa + (uintptr_t)n;
        return true;
    case RN_RULE_REGISTER:
        *value = c->regs[n];
        return c->valid >> n & 1;
    case RN_RULE_EXPRESSION:
        return rn__expression(c, (const uint8_t *)(uintptr_t)n, &cfa, value) && peek(c, *value, value);
    case RN_RULE_VAL_EXPRESSION:
        return rn__expression(c, (const uint8_t *)(uintptr_t)n, &cfa, value);
    case RN_RULE_SAME:
    case RN_RULE_UNSET:
        *value = c->regs[i];
        return (c->valid >> i & 1) && (row->rule[i] == RN_RULE_SAME || (RN_SAVED_MASK >> i & 1));
    case RN_RULE_UNDEFINED:
        break;
    }
    return false;
}

static bool cfa_of(const struct rn_cursor *c, const struct rn_row *row, uintptr_t *cfa)
{
    if (row->cfa_expression)
        return rn__expression(c, row->cfa_expression, NULL, cfa);
    if (row->cfa_reg < 0 || !(c->valid >> row->cfa_reg & 1))
        return false;
    *cfa = c->regs[row->cfa_reg] + (uintptr_t)row->cfa_offset;
    return true;
}

static int step_by_row(struct rn_cursor *c, const struct rn_fde *f, const struct rn_row *row)
{
    uintptr_t cfa, pc;
    struct rn_cursor next = *c;
    if (row->rule[f->ra] == RN_RULE_UNDEFINED)
        return 0;
    if (!c->exact && (row->rule[f->ra] == RN_RULE_UNSET || row->rule[f->ra] == RN_RULE_SAME))
        return -1;
    if (!cfa_of(c, row, &cfa))
        return -1;
    next.valid = 0;
    for (int i = 0; i < RN_REGS; i++)
        if (recovered(c, row, i, cfa, &next.regs[i]))
            next.valid |= 1ull << i;
    if (!(next.valid >> f->ra & 1))
        return -1;
    pc = row->signed_pc ? rn__strip_return_address(next.regs[f->ra]) : next.regs[f->ra];
    if (row->rule[RN_REG_SP] == RN_RULE_UNSET)
        next.regs[RN_REG_SP] = cfa;
    next.valid |= 1ull << RN_REG_SP;
    if (!f->signal && !plausible(c, cfa, pc))
        return -1;
    if (pc == 0)
        return 0;
    *c = next;
    arrive(c, cfa, pc, f->signal);
    return 1;
}

static int saved_index(int reg)
{
    for (int i = 0; i < RN_SAVED; i++)
        if (saved_regs[i] == reg)
            return i;
    return -1;
}

/* Whether the row has the simple form, and if so, packed. */
static bool simplify(const struct rn_fde *f, const struct rn_row *row, struct simple *s)
{
    *s = (struct simple){.signed_pc = row->signed_pc, .deepest = 1};
    if (f->signal || row->cfa_expression || (row->cfa_reg != RN_REG_SP && row->cfa_reg != RN_REG_FP))
        return false;
    if (row->cfa_offset < 0 || row->cfa_offset > INT32_MAX)
        return false;
    s->cfa_fp = row->cfa_reg == RN_REG_FP;
    s->cfa_offset = (int32_t)row->cfa_offset;
    for (int i = 0; i < RN_REGS; i++) {
        int at = saved_index(i);
        if (row->rule[i] == RN_RULE_UNSET || (row->rule[i] == RN_RULE_SAME && at >= 0))
            continue;
        int64_t k = -row->value[i] / 8;
        if (row->rule[i] != RN_RULE_OFFSET || row->value[i] % 8 || k < 1 || k > 255)
            return false;
        s->deepest = k > s->deepest ? (uint8_t)k : s->deepest;
        if (at >= 0)
            s->saved[at] = (uint8_t)k;
        else if (i != RN_REG_PC || k != 1)
            return false;
    }
#ifndef RN_REG_LR
    if (row->rule[RN_REG_PC] != RN_RULE_OFFSET)
        return false;
#endif
    return f->ra == RN__RA;
}

/* True when o can't be unloaded while this code runs. */
static bool permanent(const struct rn_object *o)
{
    struct rn_object other;
    const uintptr_t ever[] = {(uintptr_t)&rn_cursor_step, getauxval(AT_PHDR), (uintptr_t)&getpid};
    for (int i = 0; i < 3; i++)
        if (rn__find_object(ever[i], &other) && other.start == o->start)
            return true;
    return false;
}

static uint64_t generation(struct rn_cursor *c)
{
    if (c->gen == UINT64_MAX)
        c->gen = rn__objects_unloaded() & UINT32_MAX;
    return c->gen;
}

static int step_cold(struct rn_cursor *c)
{
    struct rn_object object;
    struct rn_fde f;
    struct rn_row row;
    struct simple s;
    uintptr_t where = rn_cursor_where(c);
    if (!rn__find_object(where, &object) || !rn__find_fde(&object, where, &f))
        return 0;
    if (!rn__find_row(&f, where, &row))
        return -1;
    if (c->warm && simplify(&f, &row, &s)) {
        s.unloadable = !permanent(&object);
        s.gen = s.unloadable ? (uint32_t)generation(c) : 0;
        cache_put(where, &s);
    }
    return step_by_row(c, &f, &row);
}

int rn_cursor_step(struct rn_cursor *c)
{
    struct simple s;
    if (c->regs[RN_REG_PC] == 0)
        return 0;
    if (c->warm && cache_get(rn_cursor_where(c), &s) && (!s.unloadable || s.gen == generation(c))) {
        int r = step_simple(c, &s);
        if (r >= 0)
            return r;
    }
    return step_cold(c);
}

/* ---- where to begin ------------------------------------------------------------------------- */

void rn_cursor_from_context(struct rn_cursor *c, const void *uc, const void *lo, const void *hi)
{
    memset(c, 0, sizeof *c);
    c->valid = rn__regs_of_context(c->regs, uc);
    c->lo = (uintptr_t)lo;
    c->hi = (uintptr_t)hi;
    c->exact = true;
    /* A call of NULL or of data: go on in the caller, whose address the call has left. */
    struct rn_object o;
    if (rn__find_object(c->regs[RN_REG_PC], &o))
        return;
#ifdef RN_REG_LR
    c->regs[RN_REG_PC] = c->regs[RN_REG_LR];
#else
    if (!peek(c, c->regs[RN_REG_SP], &c->regs[RN_REG_PC]))
        return;
    c->regs[RN_REG_SP] += 8;
#endif
    c->exact = false;
}

bool rn_cursor_from_saved(struct rn_cursor *c, const void *sp, const void *lo, const void *hi)
{
    memset(c, 0, sizeof *c);
    c->lo = (uintptr_t)lo;
    c->hi = (uintptr_t)hi;
    c->gen = UINT64_MAX;
    if ((uintptr_t)sp < c->lo || c->hi - (uintptr_t)sp < RN_SAVED_BYTES || c->hi < (uintptr_t)sp)
        return false;
    rn__regs_of_saved(c->regs, sp);
    c->valid = RN_SAVED_MASK | 1ull << RN_REG_SP | 1ull << RN_REG_PC;
    return true;
}

uintptr_t rn_function_start(uintptr_t pc)
{
    struct rn_object object;
    struct rn_fde f;
    return rn__find_object(pc, &object) && rn__find_fde(&object, pc, &f) ? f.start : 0;
}

/* Whether the instruction at `at`, with n bytes up to the function's end, jumps to `to`. */
static bool jumps_to(const uint8_t *at, size_t n, uintptr_t to)
{
    int32_t by;
#if defined(__x86_64__)
    if (n >= 2 && at[0] == 0xeb)
        return (uintptr_t)at + 2 + (uintptr_t)(int8_t)at[1] == to;
    if (n < 5 || at[0] != 0xe9)
        return false;
    memcpy(&by, at + 1, sizeof by);
    return (uintptr_t)at + 5 + (uintptr_t)by == to;
#else
    uint32_t word;
    if (n < 4 || ((uintptr_t)at & 3) != 0)
        return false;
    memcpy(&word, at, sizeof word);
    memcpy(&by, &(uint32_t){word << 6}, sizeof by);                       /* 26 bits, signed, of words */
    return word >> 26 == 5 && (uintptr_t)at + (uintptr_t)(by / 16) == to; /* >> 6, times 4 */
#endif
}

bool rn_function_jumps(uintptr_t f, uintptr_t to)
{
    struct rn_object object;
    struct rn_fde d;
    if (!rn__find_object(f, &object) || !rn__find_fde(&object, f, &d) || d.start != f)
        return false;
    for (uintptr_t at = f; at < d.end; at++)
        if (jumps_to((const uint8_t *)at, d.end - at, to)) /* NOLINT(performance-no-int-to-ptr) */
            return true;
    return false;
}
