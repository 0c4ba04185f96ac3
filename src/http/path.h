/* Targets: what of a URL is path and query; percent signs; dots. */
#ifndef RN_HTTP_PATH_H
#define RN_HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes n bytes of an undecoded path that begins with '/' into `to` (room for n + 2), and cleans it: no empty, "." or
 * ".." segment is left, and it ends in NUL.  A '/' that was encoded becomes the byte 0 (see mux.h).  Returns the length; -1
 * when it is malformed or holds an encoded NUL.  *clean says whether it was clean as it came. */
ptrdiff_t rn__http_path_decode(char *to, const char *path, size_t n, bool *clean);

/* Encodes a path for a URL: at most 3 * n + 1 bytes; returns the length. */
size_t rn__http_path_encode(char *to, const char *path, size_t n);

/* A copy of a URL in which bytes beyond ASCII are %XX: at most 3 * strlen(url) + 1 bytes. */
void rn__http_url_encode(char *to, const char *url);

/* Decodes %XX (and '+' as a blank) of n bytes in place; the new length, or -1.  No NUL is added. */
ptrdiff_t rn__http_decode(char *s, size_t n, bool plus);

/* Finds name in "a=b&c=d": the value as it is, and its length; false when it is not there. */
bool rn__http_find_pair(const char *pairs, const char *name, const char **value, size_t *n);

#endif
