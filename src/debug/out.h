/* Text to stderr for reports of a dying program: a buffer, and write(2) when it is full.
 * One thread at a time uses it (the one that rn__dying let through); nothing is allocated. */
#ifndef RN_DEBUG_OUT_H
#define RN_DEBUG_OUT_H

#include <runnel/base.h>

/* printf's format; at most 1023 bytes a piece. */
void rn__out(const char *format, ...) RN_PRINTF(1, 2);
void rn__out_flush(void);

#endif
