/* From a code address to function, file and line. */
#ifndef RN_DEBUG_SYMBOL_H
#define RN_DEBUG_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

/* A place in the source.  Texts live as long as the program. */
struct rn_place {
    const char *function; /* NULL: unknown; then object and offset say where */
    const char *file;     /* NULL: unknown */
    int line;
    const char *object; /* NULL: unknown; then offset is the address itself */
    uintptr_t offset;
};

/* Stores the places that pc stands for, innermost first: more than one where calls were inlined.  Returns how many,
 * 1 … max.  Not async-signal-safe: reads debug information through libdw, which is loaded at the first call.
 * From one thread at a time. */
int rn__symbolize(uintptr_t pc, struct rn_place *places, int max);

/* From now on without libdw and without the heap: names of exported functions only. */
void rn__symbolize_frugally(void);

/* False when libdw could not be loaded, so that no place has a file. */
bool rn__symbols_have_lines(void);

/* Whether a place is in the library itself. */
bool rn__place_is_internal(const struct rn_place *p);

#endif
