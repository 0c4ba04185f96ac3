/* Whether bytes are UTF-8 (RFC 3629, 4). */
#ifndef RN_HTTP_UTF8_H
#define RN_HTTP_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* How many of n bytes are whole characters: all but for what the last may lack; -1: they are no UTF-8. */
ptrdiff_t rn__utf8_prefix(const uint8_t *s, size_t n);

#endif
