/* Routes: which handler is for a request.  The rules are those of Go 1.22's ServeMux.
 *
 * What always holds: a mux does not change once a server uses it (http.h asks for that), so that looking
 * up takes no lock; of any two patterns in it one is more specific than the other, or no path matches both.
 *
 * A path here is decoded, and clean (no empty, "." or ".." segment; see path.c); the byte 0 in it stands for a '/' that
 * came as %2F and so is part of a segment. */
#ifndef RN_HTTP_MUX_H
#define RN_HTTP_MUX_H

#include <runnel/http.h>

enum { RN__HTTP_WILDCARDS = 16 }; /* in one pattern */

struct rn__http_route {
    struct rn__http_route *next; /* of the mux, newest first */
    char *pattern;
    char *method, *host; /* "" for any */
    struct rn__http_segment *segments;
    int n_segments;
    const char *names[RN__HTTP_WILDCARDS]; /* of the wildcards, in order; "" for one without */
    int n_names;
    rn_http_handler handler;
    void *arg;
    void *owned; /* ends with the route, by this */
    void (*free_owned)(void *);
};

/* A part of the path that a wildcard stands for. */
struct rn__http_span {
    uint32_t at, n;
};

struct rn__http_match {
    const struct rn__http_route *route;
    struct rn__http_span values[RN__HTTP_WILDCARDS];
    int n;
};

enum rn__http_found { RN__HTTP_FOUND, RN__HTTP_ADD_SLASH, RN__HTTP_NO_METHOD, RN__HTTP_NO_ROUTE };

/* Looks up.  RN__HTTP_ADD_SLASH: only the path with a '/' behind it is known.  RN__HTTP_NO_METHOD: the path is known, for
 * other methods, which are stored in `allow` as "GET, HEAD" (cut off where it does not fit).  m NULL: the default mux. */
enum rn__http_found rn__http_route(const rn_http_mux *m, const char *host, const char *method, const char *path,
                                   size_t n, struct rn__http_match *match, char *allow, size_t room);

/* The route that was added last has this, which is to be freed with it. */
void rn__http_mux_own(rn_http_mux *m, void *owned, void (*free_owned)(void *));

#endif
