/* RN_INNER marks the private functions of the core that src/http uses: librunnel.so exports them to
 * librunnel_http.so, which is always of the same version.  In the static library they stay hidden. */
#ifndef RN_BASE_INNER_H
#define RN_BASE_INNER_H

#ifdef RN_SHARED
#define RN_INNER __attribute__((visibility("default")))
#else
#define RN_INNER
#endif

#endif
