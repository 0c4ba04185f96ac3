/* Reading call frame information: .eh_frame_hdr, .eh_frame and DWARF expressions (DWARF 5, 6.4 and 2.5;
 * Linux Standard Base, "Exception Frames").
 *
 * Async-signal-safe; no state.  The tables are the linker's own and are believed, but every read is
 * bounded by its record, so that a record that is not understood ends in "false", not in a loop.
 */
#define _GNU_SOURCE
#include "arch/unwind_cfi.h"
#include <dlfcn.h>
#include <link.h>
#include <string.h>

/* ---- which object ---------------------------------------------------------------------------- */

#ifdef DLFO_STRUCT_HAS_EH_DBASE /* glibc 2.35 and later */
bool rn__find_object(uintptr_t pc, struct rn_object *o)
{
    struct dl_find_object found;
    if (_dl_find_object((void *)pc, &found) != 0 || !found.dlfo_eh_frame) /* NOLINT(performance-no-int-to-ptr) */
        return false;
    *o = (struct rn_object){(uintptr_t)found.dlfo_map_start, (uintptr_t)found.dlfo_map_end, found.dlfo_eh_frame};
    return true;
}
#else
struct search {
    uintptr_t pc;
    struct rn_object *o;
};

static int object_holds(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *s = arg;
    bool holds = false;
    (void)size;
    *s->o = (struct rn_object){UINTPTR_MAX, 0, NULL};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_GNU_EH_FRAME)
            s->o->index = (const uint8_t *)at; /* NOLINT(performance-no-int-to-ptr) */
        if (p->p_type != PT_LOAD)
            continue;
        holds |= s->pc >= at && s->pc - at < p->p_memsz;
        s->o->start = at < s->o->start ? at : s->o->start;
        s->o->end = at + p->p_memsz > s->o->end ? at + p->p_memsz : s->o->end;
    }
    return holds && s->o->index;
}

bool rn__find_object(uintptr_t pc, struct rn_object *o)
{
    struct search s = {pc, o};
    return dl_iterate_phdr(object_holds, &s) == 1;
}
#endif

static int first_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(uint64_t *)arg = info->dlpi_subs;
    return 1;
}

uint64_t rn__objects_unloaded(void)
{
    uint64_t subs = 0;
    dl_iterate_phdr(first_object, &subs);
    return subs;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A record being read.  Reading past its end yields zeros and sets bad. */
struct in {
    const uint8_t *p, *end;
    bool bad;
};

static uint64_t get(struct in *in, unsigned bytes)
{
    uint64_t v = 0;
    if ((size_t)(in->end - in->p) < bytes) {
        in->bad = true;
        in->p = in->end;
        return 0;
    }
    memcpy(&v, in->p, bytes); /* little endian, as both processors are */
    in->p += bytes;
    return v;
}

static int64_t get_signed(struct in *in, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;
    return (int64_t)(get(in, bytes) << shift) >> shift;
}

static uint64_t get_uleb(struct in *in)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint64_t byte = get(in, 1);
        if (shift < 64)
            v |= (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
}

static int64_t get_sleb(struct in *in)
{
    uint64_t v = 0;
    unsigned shift = 0;
    for (;;) {
        uint64_t byte = get(in, 1);
        if (shift < 64)
            v |= (byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80)
            continue;
        if (shift < 64 && (byte & 0x40))
            v |= ~0ull << shift;
        return (int64_t)v;
    }
}

/* Pointer encodings: the low four bits say how it is stored, the next three what it is relative to. */
enum { ENC_ABSOLUTE = 0x00, ENC_PC = 0x10, ENC_DATA = 0x30, ENC_INDIRECT = 0x80, ENC_OMIT = 0xff };
enum { ENC_INDEX = 0x3b }; /* the only form of the sorted index that linkers write: data-relative, 4 bytes */

/* `data` is what data-relative pointers are relative to. */
static uintptr_t get_encoded(struct in *in, uint8_t enc, const uint8_t *data)
{
    uintptr_t from = (uintptr_t)in->p;
    uintptr_t v;
    if (enc == ENC_OMIT)
        return 0;
    switch (enc & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c:
        v = get(in, 8);
        break;
    case 0x01:
        v = get_uleb(in);
        break;
    case 0x02:
        v = get(in, 2);
        break;
    case 0x03:
        v = get(in, 4);
        break;
    case 0x09:
        v = (uintptr_t)get_sleb(in);
        break;
    case 0x0a:
        v = (uintptr_t)get_signed(in, 2);
        break;
    case 0x0b:
        v = (uintptr_t)get_signed(in, 4);
        break;
    default:
        in->bad = true;
        return 0;
    }
    if (v == 0)
        return 0;
    if ((enc & 0x70) == ENC_PC)
        v += from;
    else if ((enc & 0x70) == ENC_DATA)
        v += (uintptr_t)data;
    else if ((enc & 0x70) != ENC_ABSOLUTE)
        in->bad = true;
    if ((enc & ENC_INDIRECT) && !in->bad)
        memcpy(&v, (const void *)v, sizeof v); /* NOLINT(performance-no-int-to-ptr) */
    return v;
}

/* ---- which function -------------------------------------------------------------------------- */

/* Opens the record at p: past its length, up to its end.  False at the terminator. */
static bool open_record(const uint8_t *p, struct in *in)
{
    *in = (struct in){p, p + 12, false};
    uint64_t length = get(in, 4);
    if (length == 0xffffffff)
        length = get(in, 8);
    in->end = in->p + length;
    return length != 0;
}

static bool parse_augmentation(struct in *in, const char *letters, struct rn_fde *f)
{
    if (*letters == '\0')
        return true;
    if (*letters++ != 'z')
        return false;
    uint64_t bytes = get_uleb(in);
    const uint8_t *after = in->p + bytes;
    f->augmented = true;
    for (; *letters; letters++) {
        switch (*letters) {
        case 'R':
            f->encoding = (uint8_t)get(in, 1);
            break;
        case 'L':
            get(in, 1);
            break;
        case 'P': /* the personality routine: not indirect, we only skip it */
            get_encoded(in, (uint8_t)get(in, 1) & 0x7f, NULL);
            break;
        case 'S':
            f->signal = true;
            break;
        case 'B': /* aarch64: return addresses are signed with key B; stripping is the same */
            break;
        default:
            return false;
        }
    }
    in->p = after;
    return !in->bad && after <= in->end;
}

static bool parse_cie(const uint8_t *at, struct rn_fde *f)
{
    struct in in;
    if (!open_record(at, &in) || get(&in, 4) != 0)
        return false;
    uint64_t version = get(&in, 1);
    const char *letters = (const char *)in.p;
    size_t n = strnlen(letters, (size_t)(in.end - in.p));
    in.p += n;
    get(&in, 1);
    if (version == 4)
        get(&in, 2); /* address and segment size */
    if (version != 1 && version != 3 && version != 4)
        return false;
    f->code_align = get_uleb(&in);
    f->data_align = get_sleb(&in);
    f->ra = rn__reg_index(version == 1 ? get(&in, 1) : get_uleb(&in));
    f->encoding = ENC_ABSOLUTE;
    if (in.bad || f->ra < 0 || !parse_augmentation(&in, letters, f))
        return false;
    f->first = in.p;
    f->first_end = in.end;
    return true;
}

/* Reads the function record at `at`; false when it is none, or another function's. */
static bool parse_fde(const uint8_t *at, uintptr_t pc, struct rn_fde *f)
{
    struct in in;
    *f = (struct rn_fde){0};
    if (!open_record(at, &in))
        return false;
    const uint8_t *cie = in.p;
    uint32_t back = (uint32_t)get(&in, 4);
    if (back == 0 || !parse_cie(cie - back, f))
        return false;
    f->start = get_encoded(&in, f->encoding, NULL);
    f->end = f->start + get_encoded(&in, f->encoding & 0x0f, NULL);
    if (f->augmented) {
        uint64_t bytes = get_uleb(&in);
        in.p += bytes;
    }
    f->own = in.p;
    f->own_end = in.end;
    return !in.bad && in.p <= in.end && pc >= f->start && pc < f->end;
}

/* Without a sorted index: one record after the other. */
static bool scan(const uint8_t *eh_frame, uintptr_t pc, struct rn_fde *f)
{
    struct in in;
    for (const uint8_t *p = eh_frame; open_record(p, &in); p = in.end)
        if (parse_fde(p, pc, f))
            return true;
    return false;
}

bool rn__find_fde(const struct rn_object *o, uintptr_t pc, struct rn_fde *f)
{
    struct in in = {o->index, o->index + 32, false};
    uint64_t version = get(&in, 1);
    uint8_t frame_enc = (uint8_t)get(&in, 1), count_enc = (uint8_t)get(&in, 1), index_enc = (uint8_t)get(&in, 1);
    uintptr_t eh_frame = get_encoded(&in, frame_enc, o->index);
    uint64_t n = get_encoded(&in, count_enc, o->index);
    if (version != 1 || in.bad)
        return false;
    if (index_enc != ENC_INDEX || count_enc == ENC_OMIT)
        return eh_frame && scan((const uint8_t *)eh_frame, pc, f); /* NOLINT(performance-no-int-to-ptr) */
    /* The last entry that starts at or before pc. */
    const uint8_t *entries = in.p;
    int64_t want = (int64_t)(pc - (uintptr_t)o->index);
    int32_t pair[2];
    uint64_t lo = 0, hi = n;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        memcpy(pair, entries + 8 * mid, sizeof pair);
        if (pair[0] <= want)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0)
        return false;
    memcpy(pair, entries + 8 * (lo - 1), sizeof pair);
    return parse_fde(o->index + pair[1], pc, f);
}

/* ---- rules ----------------------------------------------------------------------------------- */

enum { REMEMBERED = 8 };

/* The interpreter of one function's instructions. */
struct run {
    struct in in;
    const struct rn_fde *f;
    uintptr_t at, pc; /* the address that the row is for, so far; the one that is wanted */
    struct rn_row *row;
    const struct rn_row *initial; /* what the common part says; NULL while running that */
    struct rn_row saved[REMEMBERED];
    int depth;
};

static void set(struct run *r, uint64_t reg, enum rn_rule rule, int64_t value)
{
    int i = rn__reg_index(reg);
    if (i < 0)
        return;
    r->row->rule[i] = (uint8_t)rule;
    r->row->value[i] = value;
}

static void restore(struct run *r, uint64_t reg)
{
    int i = rn__reg_index(reg);
    if (i < 0 || !r->initial)
        return;
    r->row->rule[i] = r->initial->rule[i];
    r->row->value[i] = r->initial->value[i];
}

/* Steps over an expression; returns where it is. */
static const uint8_t *block(struct run *r)
{
    const uint8_t *at = r->in.p;
    uint64_t n = get_uleb(&r->in);
    if ((uint64_t)(r->in.end - r->in.p) < n)
        r->in.bad = true;
    else
        r->in.p += n;
    return at;
}

static int64_t factored(struct run *r)
{
    return (int64_t)get_uleb(&r->in) * r->f->data_align;
}

static int64_t factored_signed(struct run *r)
{
    return get_sleb(&r->in) * r->f->data_align;
}

static void set_cfa(struct run *r, uint64_t reg, int64_t offset)
{
    r->row->cfa_expression = NULL;
    r->row->cfa_reg = rn__reg_index(reg);
    r->row->cfa_offset = offset;
}

static void remember(struct run *r)
{
    if (r->depth == REMEMBERED)
        r->in.bad = true;
    else
        r->saved[r->depth++] = *r->row;
}

static void recall(struct run *r)
{
    if (r->depth == 0)
        r->in.bad = true;
    else
        *r->row = r->saved[--r->depth];
}

static void advance(struct run *r, uint64_t n)
{
    r->at += n * r->f->code_align;
}

/* DW_CFA_ instructions whose two high bits are zero. */
static void extended(struct run *r, uint8_t op)
{
    struct in *in = &r->in;
    uint64_t reg;
    switch (op) {
    case 0x00: /* nop */
        break;
    case 0x01: /* set_loc */
        r->at = get_encoded(in, r->f->encoding, NULL);
        break;
    case 0x02: /* advance_loc1, 2, 4 */
        advance(r, get(in, 1));
        break;
    case 0x03:
        advance(r, get(in, 2));
        break;
    case 0x04:
        advance(r, get(in, 4));
        break;
    case 0x05: /* offset_extended */
        reg = get_uleb(in);
        set(r, reg, RN_RULE_OFFSET, factored(r));
        break;
    case 0x06: /* restore_extended */
        restore(r, get_uleb(in));
        break;
    case 0x07: /* undefined */
        set(r, get_uleb(in), RN_RULE_UNDEFINED, 0);
        break;
    case 0x08: /* same_value */
        set(r, get_uleb(in), RN_RULE_SAME, 0);
        break;
    case 0x09: { /* register */
        reg = get_uleb(in);
        int from = rn__reg_index(get_uleb(in));
        set(r, reg, from < 0 ? RN_RULE_UNDEFINED : RN_RULE_REGISTER, from < 0 ? 0 : from);
        break;
    }
    case 0x0a:
        remember(r);
        break;
    case 0x0b:
        recall(r);
        break;
    case 0x0c: /* def_cfa */
        reg = get_uleb(in);
        set_cfa(r, reg, (int64_t)get_uleb(in));
        break;
    case 0x0d: /* def_cfa_register */
        r->row->cfa_expression = NULL;
        r->row->cfa_reg = rn__reg_index(get_uleb(in));
        break;
    case 0x0e: /* def_cfa_offset */
        r->row->cfa_offset = (int64_t)get_uleb(in);
        break;
    case 0x0f: /* def_cfa_expression */
        r->row->cfa_expression = block(r);
        break;
    case 0x10: /* expression */
        reg = get_uleb(in);
        set(r, reg, RN_RULE_EXPRESSION, (int64_t)(uintptr_t)block(r));
        break;
    case 0x11: /* offset_extended_sf */
        reg = get_uleb(in);
        set(r, reg, RN_RULE_OFFSET, factored_signed(r));
        break;
    case 0x12: /* def_cfa_sf */
        reg = get_uleb(in);
        set_cfa(r, reg, factored_signed(r));
        break;
    case 0x13: /* def_cfa_offset_sf */
        r->row->cfa_offset = factored_signed(r);
        break;
    case 0x14: /* val_offset */
        reg = get_uleb(in);
        set(r, reg, RN_RULE_VAL_OFFSET, factored(r));
        break;
    case 0x15: /* val_offset_sf */
        reg = get_uleb(in);
        set(r, reg, RN_RULE_VAL_OFFSET, factored_signed(r));
        break;
    case 0x16: /* val_expression */
        reg = get_uleb(in);
        set(r, reg, RN_RULE_VAL_EXPRESSION, (int64_t)(uintptr_t)block(r));
        break;
    case 0x2d: /* aarch64: negate_ra_state */
        r->row->signed_pc = !r->row->signed_pc;
        break;
    case 0x2e: /* GNU_args_size */
        get_uleb(in);
        break;
    case 0x2f: /* GNU_negative_offset_extended */
        reg = get_uleb(in);
        set(r, reg, RN_RULE_OFFSET, -factored(r));
        break;
    default:
        in->bad = true;
        break;
    }
}

static bool run(struct run *r, const uint8_t *from, const uint8_t *to)
{
    r->in = (struct in){from, to, false};
    while (r->in.p < r->in.end && !r->in.bad && r->at <= r->pc) {
        uint8_t op = (uint8_t)get(&r->in, 1);
        uint8_t low = op & 0x3f;
        switch (op >> 6) {
        case 0:
            extended(r, op);
            break;
        case 1: /* advance_loc */
            advance(r, low);
            break;
        case 2: /* offset */
            set(r, low, RN_RULE_OFFSET, factored(r));
            break;
        case 3: /* restore */
            restore(r, low);
            break;
        }
    }
    return !r->in.bad;
}

bool rn__find_row(const struct rn_fde *f, uintptr_t pc, struct rn_row *row)
{
    struct rn_row initial;
    struct run r = {.f = f, .at = f->start, .pc = pc, .row = row};
    memset(row, 0, sizeof *row);
    row->cfa_reg = -1;
    if (!run(&r, f->first, f->first_end))
        return false;
    initial = *row;
    r.initial = &initial;
    return run(&r, f->own, f->own_end);
}

/* ---- expressions ----------------------------------------------------------------------------- */

enum { EXPR_DEPTH = 32, EXPR_STEPS = 1000 };

struct eval {
    struct in in;
    const uint8_t *begin;
    const struct rn_cursor *c;
    uintptr_t stack[EXPR_DEPTH];
    int depth;
};

static void push(struct eval *e, uintptr_t v)
{
    if (e->depth == EXPR_DEPTH)
        e->in.bad = true;
    else
        e->stack[e->depth++] = v;
}

static uintptr_t pop(struct eval *e)
{
    if (e->depth > 0)
        return e->stack[--e->depth];
    e->in.bad = true;
    return 0;
}

static uintptr_t pick(struct eval *e, uint64_t nth)
{
    if (nth < (uint64_t)e->depth)
        return e->stack[e->depth - 1 - (int)nth];
    e->in.bad = true;
    return 0;
}

static uintptr_t based(struct eval *e, uint64_t dwarf)
{
    int i = rn__reg_index(dwarf);
    int64_t offset = get_sleb(&e->in);
    if (i < 0 || !(e->c->valid >> i & 1)) {
        e->in.bad = true;
        return 0;
    }
    return e->c->regs[i] + (uintptr_t)offset;
}

static void deref(struct eval *e, uint64_t bytes)
{
    uintptr_t at = pop(e), word = 0, low = at & 7;
    if (bytes < 1 || low + bytes > 8 || !rn__cursor_peek(e->c, at - low, &word)) {
        e->in.bad = true;
        return;
    }
    word >>= 8 * low;
    push(e, bytes == 8 ? word : word & ((1ull << 8 * bytes) - 1));
}

static void skip(struct eval *e, bool taken)
{
    int64_t by = get_signed(&e->in, 2);
    if (!taken)
        return;
    if (by < e->begin - e->in.p || by > e->in.end - e->in.p)
        e->in.bad = true;
    else
        e->in.p += by;
}

static uintptr_t divided(struct eval *e, intptr_t a, intptr_t b)
{
    if (b != 0 && !(b == -1 && a == INTPTR_MIN))
        return (uintptr_t)(a / b);
    e->in.bad = true;
    return 0;
}

/* Operations on the two topmost; a is the lower. */
static bool binary(struct eval *e, uint8_t op)
{
    static const uint8_t known[] = {0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x21, 0x22, 0x24, 0x25,
                                    0x26, 0x27, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e};
    if (!memchr(known, op, sizeof known))
        return false;
    uintptr_t b = pop(e), a = pop(e);
    intptr_t sa = (intptr_t)a, sb = (intptr_t)b;
    switch (op) {
    case 0x1a:
        push(e, a & b);
        break;
    case 0x1b:
        push(e, divided(e, sa, sb));
        break;
    case 0x1c:
        push(e, a - b);
        break;
    case 0x1d:
        push(e, b ? a % b : 0);
        break;
    case 0x1e:
        push(e, a * b);
        break;
    case 0x21:
        push(e, a | b);
        break;
    case 0x22:
        push(e, a + b);
        break;
    case 0x24:
        push(e, b < 64 ? a << b : 0);
        break;
    case 0x25:
        push(e, b < 64 ? a >> b : 0);
        break;
    case 0x26:
        push(e, (uintptr_t)(sa >> (b < 64 ? b : 63)));
        break;
    case 0x27:
        push(e, a ^ b);
        break;
    case 0x29:
        push(e, sa == sb);
        break;
    case 0x2a:
        push(e, sa >= sb);
        break;
    case 0x2b:
        push(e, sa > sb);
        break;
    case 0x2c:
        push(e, sa <= sb);
        break;
    case 0x2d:
        push(e, sa < sb);
        break;
    case 0x2e:
        push(e, sa != sb);
        break;
    }
    return true;
}

/* Constants: DW_OP_addr, const1u … consts, lit0 … lit31. */
static bool constant(struct eval *e, uint8_t op)
{
    if (op >= 0x30 && op <= 0x4f) {
        push(e, op - 0x30u);
        return true;
    }
    if (op == 0x03)
        push(e, get(&e->in, 8));
    else if (op == 0x10)
        push(e, get_uleb(&e->in));
    else if (op == 0x11)
        push(e, (uintptr_t)get_sleb(&e->in));
    else if (op >= 0x08 && op <= 0x0f) {
        unsigned bytes = 1u << ((op - 8) / 2);
        push(e, op & 1 ? (uintptr_t)get_signed(&e->in, bytes) : get(&e->in, bytes));
    } else
        return false;
    return true;
}

static void shuffle(struct eval *e, uint8_t op)
{
    uintptr_t a, b, c;
    switch (op) {
    case 0x12:
        push(e, pick(e, 0));
        break; /* dup */
    case 0x13:
        pop(e);
        break; /* drop */
    case 0x14:
        push(e, pick(e, 1));
        break; /* over */
    case 0x15:
        push(e, pick(e, get(&e->in, 1)));
        break; /* pick */
    case 0x16: /* swap */
        a = pop(e), b = pop(e);
        push(e, a), push(e, b);
        break;
    default: /* 0x17, rot */
        a = pop(e), b = pop(e), c = pop(e);
        push(e, a), push(e, c), push(e, b);
        break;
    }
}

static void operate(struct eval *e, uint8_t op)
{
    intptr_t v;
    if (binary(e, op) || constant(e, op))
        return;
    if (op >= 0x12 && op <= 0x17)
        shuffle(e, op);
    else if (op >= 0x70 && op <= 0x8f) /* breg0 … breg31 */
        push(e, based(e, op - 0x70u));
    else
        switch (op) {
        case 0x06:
            deref(e, 8);
            break;
        case 0x94:
            deref(e, get(&e->in, 1));
            break;
        case 0x19:
            v = (intptr_t)pop(e), push(e, v < 0 ? -(uintptr_t)v : (uintptr_t)v);
            break;
        case 0x1f:
            push(e, -pop(e));
            break;
        case 0x20:
            push(e, ~pop(e));
            break;
        case 0x23:
            push(e, pop(e) + get_uleb(&e->in));
            break;
        case 0x28:
            skip(e, pop(e) != 0);
            break;
        case 0x2f:
            skip(e, true);
            break;
        case 0x92:
            push(e, based(e, get_uleb(&e->in)));
            break;
        case 0x96:
            break; /* nop */
        default:
            e->in.bad = true;
            break;
        }
}

bool rn__expression(const struct rn_cursor *c, const uint8_t *at, const uintptr_t *first, uintptr_t *result)
{
    struct eval e = {.in = {at, at + 10, false}, .c = c};
    uint64_t bytes = get_uleb(&e.in);
    e.in.end = e.in.p + bytes;
    e.begin = e.in.p;
    if (first)
        push(&e, *first);
    for (int i = 0; i < EXPR_STEPS && e.in.p < e.in.end && !e.in.bad; i++)
        operate(&e, (uint8_t)get(&e.in, 1));
    if (e.in.bad || e.in.p < e.in.end || e.depth == 0)
        return false;
    *result = pop(&e);
    return true;
}
