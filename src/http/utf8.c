/* See utf8.h. */
#include "http/utf8.h"
#include <string.h>

static size_t ascii_prefix(const uint8_t *s, size_t n)
{
    uint64_t eight;
    size_t i = 0;
    while (n - i >= sizeof eight && (memcpy(&eight, s + i, sizeof eight), !(eight & 0x8080808080808080)))
        i += sizeof eight;
    while (i < n && s[i] < 0x80)
        i++;
    return i;
}

/* The size of the character beyond ASCII that n > 0 bytes of UTF-8 begin with (RFC 3629, 4); 0: they lack some of it; -1: it is
 * none. */
static ptrdiff_t character(const uint8_t *s, size_t n)
{
    uint8_t c = s[0],
            low = c == 0xe0   ? 0xa0
                  : c == 0xf0 ? 0x90
                              : 0x80,
            high = c == 0xed   ? 0x9f
                   : c == 0xf4 ? 0x8f
                               : 0xbf;
    size_t size = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c < 0xc2 || c > 0xf4 || (n > 1 && (s[1] < low || s[1] > high)))
        return -1;
    if ((size > 2 && n > 2 && (s[2] & 0xc0) != 0x80) || (size > 3 && n > 3 && (s[3] & 0xc0) != 0x80))
        return -1;
    return size <= n ? (ptrdiff_t)size : 0;
}

ptrdiff_t rn__utf8_prefix(const uint8_t *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        ptrdiff_t size = s[i] < 0x80 ? (ptrdiff_t)ascii_prefix(s + i, n - i) : character(s + i, n - i);
        if (size <= 0)
            return size < 0 ? -1 : (ptrdiff_t)i;
        i += (size_t)size;
    }
    return (ptrdiff_t)i;
}
