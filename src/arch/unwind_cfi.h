/* Between unwind.c (cursors, the cache) and unwind_cfi.c (reading the tables). */
#ifndef RN_ARCH_UNWIND_CFI_H
#define RN_ARCH_UNWIND_CFI_H

#include "arch/unwind.h"

/* A loaded object: its code, and the index of its frame descriptions (.eh_frame_hdr). */
struct rn_object {
    uintptr_t start, end;
    const uint8_t *index;
};
/* The object that holds pc and has frame descriptions.  No lock where libc has _dl_find_object. */
bool rn__find_object(uintptr_t pc, struct rn_object *o);
/* How many objects have been unloaded so far.  Takes the loader's lock. */
uint64_t rn__objects_unloaded(void);

/* One function's frame description, with what its common part says. */
struct rn_fde {
    uintptr_t start, end;             /* the code */
    const uint8_t *first, *first_end; /* instructions of the common part */
    const uint8_t *own, *own_end;     /* and of this function */
    uint64_t code_align;
    int64_t data_align;
    int ra; /* which register's rule gives the return address */
    uint8_t encoding;
    bool augmented, signal; /* signal: a handler's frame; the pc above it is exact */
};
bool rn__find_fde(const struct rn_object *o, uintptr_t pc, struct rn_fde *f);

enum rn_rule {
    RN_RULE_UNSET, /* nothing said: a saved register is untouched, others are lost */
    RN_RULE_UNDEFINED,
    RN_RULE_SAME,
    RN_RULE_OFFSET,         /* at CFA + value */
    RN_RULE_VAL_OFFSET,     /* is CFA + value */
    RN_RULE_REGISTER,       /* in register value */
    RN_RULE_EXPRESSION,     /* at the result of the expression at address value */
    RN_RULE_VAL_EXPRESSION, /* is that result */
};

/* What holds at one address. */
struct rn_row {
    const uint8_t *cfa_expression; /* when not NULL; begins with its length */
    int64_t cfa_offset;
    int cfa_reg;
    bool signed_pc;
    uint8_t rule[RN_REGS]; /* enum rn_rule */
    int64_t value[RN_REGS];
};
bool rn__find_row(const struct rn_fde *f, uintptr_t pc, struct rn_row *row);

/* Evaluates a DWARF expression (its length first) with c's registers; *push, if any, is on the stack at first. */
bool rn__expression(const struct rn_cursor *c, const uint8_t *at, const uintptr_t *push, uintptr_t *result);
/* Reads a word of the program's memory as c may. */
bool rn__cursor_peek(const struct rn_cursor *c, uintptr_t at, uintptr_t *to);

#endif
