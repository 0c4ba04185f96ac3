/* The memory of a process as a graph: which block a word points into, and which blocks were reached.
 *
 * Only in the copy that rn_os_snapshot makes: one thread, nothing moves, nothing is allocated from the heap.
 * See leaks_memory.c. */
#ifndef RN_DEBUG_LEAKS_MEMORY_H
#define RN_DEBUG_LEAKS_MEMORY_H

#include "os/world.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory that somebody else accounts for: it is no root, and not followed as a block.  When a word points into it,
 * `met` is called (NULL: nothing happens). */
struct rn_mem_special {
    uintptr_t start, end;
    void (*met)(uintptr_t word, void *arg);
};

enum rn_mem_state {
    RN_MEM_UNREACHED,
    RN_MEM_REACHED,
    RN_MEM_SPECIAL, /* in a special range */
    RN_MEM_UNKNOWN, /* no block: a root, or not mapped */
};

/* Maps the process; specials need not be sorted, and are copied.  arg is passed to `met` and `odd`; odd is called for
 * every odd word that is scanned (contexts' handles are such).  At most `ranges` calls of rn__mem_later will be made.
 * Mappings of more than `largest` bytes are not looked at.  False: no memory, or /proc is not to be read. */
bool rn__mem_build(const struct rn_mem_special *specials, size_t n, size_t ranges, size_t largest,
                   void (*odd)(uintptr_t word, void *arg), void *arg);

/* Every word of [start, end) is a pointer, perhaps: what it points into is reached. */
void rn__mem_scan(uintptr_t start, uintptr_t end);
void rn__mem_word(uintptr_t word);
/* The roots: data of all objects, and shared mappings of files. */
void rn__mem_scan_roots(void);
/* Where the heap, special range or mapping that has `address` ends; address itself: nothing is known there. */
uintptr_t rn__mem_end(uintptr_t address);
/* Has [start, end) scanned by rn__mem_follow; also from within `met` and `odd`. */
void rn__mem_later(uintptr_t start, uintptr_t end);
/* Follows what was reached until nothing new is; false when something had to be left out. */
bool rn__mem_follow(void);

enum rn_mem_state rn__mem_state(uintptr_t address);
/* Heaps whose blocks could not be told apart, so that each counts as one block. */
size_t rn__mem_coarse(void);

#endif
