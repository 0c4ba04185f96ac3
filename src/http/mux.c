/* Registering patterns, and looking up; see mux.h.
 *
 * Routes are kept in a tree by segment: a node has children for literal segments, one for a wildcard and
 * one for the rest of the path.  Looking up tries them in this order and comes back where a branch turns out
 * to lead nowhere; since no two patterns conflict, the first that is found is the most specific.
 * Conflicts are looked for by comparing each new pattern with all there are: that costs the square of their
 * number, once.
 */
#define _GNU_SOURCE 1
#include "http/mux.h"
#include "base/alloc.h"
#include <ctype.h>
#include <string.h>

/* A literal segment has text ("/" for the end after a slash); a wildcard has none. */
struct rn__http_segment {
    enum { LITERAL, WILD, REST } kind;
    const char *text;
    size_t n;
};

struct leaf {
    struct leaf *next;
    const struct rn__http_route *route;
};

struct node {
    struct node *next; /* sibling */
    const char *text;
    size_t n;
    struct node *literals, *wild, *rest;
    struct leaf *leaves;
};

struct host {
    struct host *next;
    const char *name;
    struct node root;
};

struct rn_http_mux {
    struct rn__http_route *routes;
    struct host *hosts; /* named ones; `any` is for all others */
    struct node any;
};

static rn_http_mux default_mux;

/* ---- reading patterns ---- */

struct reader {
    const char *pattern;
    struct rn__http_route *route;
    char *to; /* where decoded text goes */
};

#define bad_pattern(r, what) rn_panic("http: parsing \"%s\": %s", (r)->pattern, what)

static void *need(void *p)
{
    if (!p)
        rn_panic("http: out of memory");
    return p;
}

static void add_segment(struct reader *r, int kind, const char *text, size_t n)
{
    r->route->segments[r->route->n_segments++] = (struct rn__http_segment){kind, text, n};
}

static void add_name(struct reader *r, const char *name, size_t n)
{
    struct rn__http_route *route = r->route;
    for (size_t i = 0; i < n; i++)
        if (!(name[i] == '_' || isalpha((unsigned char)name[i]) || (i > 0 && isdigit((unsigned char)name[i])) ||
              (name[i] & 0x80)))
            bad_pattern(r, "bad wildcard name");
    for (int i = 0; i < route->n_names; i++)
        if (strlen(route->names[i]) == n && memcmp(route->names[i], name, n) == 0)
            bad_pattern(r, "duplicate wildcard name");
    if (route->n_names == RN__HTTP_WILDCARDS)
        bad_pattern(r, "too many wildcards (16 at most)");
    route->names[route->n_names++] = r->to;
    memcpy(r->to, name, n);
    r->to += n;
    *r->to++ = 0;
}

/* One "{…}" of n bytes, the braces not counted. */
static void read_wildcard(struct reader *r, const char *at, size_t n, bool last)
{
    if (n == 1 && *at == '$') {
        if (!last)
            bad_pattern(r, "{$} not at end");
        add_segment(r, LITERAL, "/", 1);
        return;
    }
    bool rest = n > 3 && memcmp(at + n - 3, "...", 3) == 0;
    if (rest && !last)
        bad_pattern(r, "{...} wildcard not at end");
    if (n == 0 || (rest && n == 3))
        bad_pattern(r, "empty wildcard");
    add_name(r, at, rest ? n - 3 : n);
    add_segment(r, rest ? REST : WILD, NULL, 0);
}

static int hex(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static void read_literal(struct reader *r, const char *at, size_t n)
{
    char *text = r->to;
    for (size_t i = 0; i < n; i++) {
        int high, low;
        if (at[i] == '{' || at[i] == '}')
            bad_pattern(r, "bad wildcard segment (must be the whole segment)");
        if (at[i] == '%' && i + 2 < n && (high = hex(at[i + 1])) >= 0 && (low = hex(at[i + 2])) >= 0) {
            *r->to++ = (char)(high << 4 | low) == '/' ? 0 : (char)(high << 4 | low);
            i += 2;
        } else {
            *r->to++ = at[i];
        }
    }
    add_segment(r, LITERAL, text, (size_t)(r->to - text));
}

static void read_path(struct reader *r, const char *at)
{
    while (*at == '/') {
        const char *from = ++at;
        at = strchrnul(at, '/');
        size_t n = (size_t)(at - from);
        if (n == 0 && !*at)
            add_segment(r, REST, NULL, 0);
        else if (n == 0 || (n == 1 && *from == '.') || (n == 2 && memcmp(from, "..", 2) == 0))
            bad_pattern(r, "path is not clean");
        else if (*from == '{' && from[n - 1] == '}')
            read_wildcard(r, from + 1, n - 2, !*at);
        else
            read_literal(r, from, n);
    }
    const struct rn__http_segment *last = &r->route->segments[r->route->n_segments - 1];
    if (last->kind == REST && r->route->n_names < RN__HTTP_WILDCARDS && at[-1] == '/')
        r->route->names[r->route->n_names++] = ""; /* matched, but nobody asks for it */
}

static void read_pattern(struct reader *r)
{
    const char *at = r->pattern, *blank = strpbrk(at, " \t");
    r->route->method = r->to;
    if (blank) {
        for (; at < blank; at++) {
            if (!isalnum((unsigned char)*at) && !strchr("!#$%&'*+-.^_`|~", *at))
                bad_pattern(r, "invalid method");
            *r->to++ = *at;
        }
        at += strspn(at, " \t");
    }
    *r->to++ = 0;
    r->route->host = r->to;
    for (; *at && *at != '/'; at++) {
        if (*at == '{')
            bad_pattern(r, "host contains '{' (missing initial '/'?)");
        *r->to++ = (char)tolower((unsigned char)*at);
    }
    *r->to++ = 0;
    if (!*at)
        bad_pattern(r, "host/path missing /");
    read_path(r, at);
}

/* ---- conflicts ---- */

enum relation { SAME, WIDER, NARROWER, OVERLAPS, DISJOINT };

static enum relation combine(enum relation a, enum relation b)
{
    if (a == DISJOINT || b == DISJOINT)
        return DISJOINT;
    if (a == SAME || a == b)
        return b;
    return b == SAME ? a : OVERLAPS;
}

static enum relation compare_segments(const struct rn__http_segment *a, const struct rn__http_segment *b)
{
    bool a_end = a->kind == LITERAL && a->n == 1 && *a->text == '/';
    bool b_end = b->kind == LITERAL && b->n == 1 && *b->text == '/';
    if (a->kind == b->kind && a->kind != LITERAL)
        return SAME;
    if (a->kind == REST)
        return WIDER;
    if (b->kind == REST)
        return NARROWER;
    if (a->kind == WILD)
        return b_end ? DISJOINT : WIDER;
    if (b->kind == WILD)
        return a_end ? DISJOINT : NARROWER;
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0 ? SAME : DISJOINT;
}

static enum relation compare_paths(const struct rn__http_route *a, const struct rn__http_route *b)
{
    bool a_rest = a->segments[a->n_segments - 1].kind == REST, b_rest = b->segments[b->n_segments - 1].kind == REST;
    int n = a->n_segments < b->n_segments ? a->n_segments : b->n_segments;
    enum relation r = SAME;
    for (int i = 0; i < n && r != DISJOINT; i++)
        r = combine(r, compare_segments(&a->segments[i], &b->segments[i]));
    if (a->n_segments == b->n_segments)
        return r;
    if (a->n_segments < b->n_segments)
        return a_rest ? combine(r, WIDER) : DISJOINT;
    return b_rest ? combine(r, NARROWER) : DISJOINT;
}

static enum relation compare_methods(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return SAME;
    if (!*a || (strcmp(a, "GET") == 0 && strcmp(b, "HEAD") == 0))
        return WIDER;
    if (!*b || (strcmp(b, "GET") == 0 && strcmp(a, "HEAD") == 0))
        return NARROWER;
    return DISJOINT;
}

/* The pattern there is that can't stand beside r; NULL when there is none. */
static const struct rn__http_route *conflict(const rn_http_mux *m, const struct rn__http_route *r)
{
    for (const struct rn__http_route *other = m->routes; other; other = other->next) {
        if (strcmp(r->host, other->host) != 0)
            continue; /* one with a host is the more specific, or they never meet */
        enum relation how = combine(compare_methods(r->method, other->method), compare_paths(r, other));
        if (how == SAME || how == OVERLAPS)
            return other;
    }
    return NULL;
}

/* ---- the tree ---- */

static struct node *child(struct node *n, const struct rn__http_segment *s)
{
    struct node **at = s->kind == WILD ? &n->wild : s->kind == REST ? &n->rest : &n->literals;
    if (s->kind == LITERAL)
        while (*at && ((*at)->n != s->n || memcmp((*at)->text, s->text, s->n) != 0))
            at = &(*at)->next;
    if (!*at) {
        *at = need(rn__calloc(1, sizeof **at));
        (*at)->text = s->text;
        (*at)->n = s->n;
    }
    return *at;
}

static struct node *root_of(rn_http_mux *m, const char *host)
{
    if (!*host)
        return &m->any;
    for (struct host *h = m->hosts; h; h = h->next)
        if (strcmp(h->name, host) == 0)
            return &h->root;
    struct host *h = need(rn__calloc(1, sizeof *h));
    h->name = host;
    h->next = m->hosts;
    m->hosts = h;
    return &h->root;
}

static void insert(rn_http_mux *m, struct rn__http_route *r)
{
    r->next = m->routes;
    m->routes = r;
    struct node *n = root_of(m, r->host);
    for (int i = 0; i < r->n_segments; i++)
        n = child(n, &r->segments[i]);
    struct leaf *l = need(rn__calloc(1, sizeof *l));
    l->route = r;
    l->next = n->leaves;
    n->leaves = l;
}

static void free_nodes(struct node *n)
{
    if (!n)
        return;
    for (struct node *c = n->literals, *next; c; c = next) {
        next = c->next;
        free_nodes(c);
        rn__free(c);
    }
    free_nodes(n->wild);
    free_nodes(n->rest);
    rn__free(n->wild);
    rn__free(n->rest);
    for (struct leaf *l = n->leaves, *next; l; l = next) {
        next = l->next;
        rn__free(l);
    }
}

/* ---- looking up ---- */

struct search {
    const char *path, *end;
    const char *method;
    struct rn__http_match *match;
    char *allow; /* not NULL: nothing is matched, all methods are collected */
    size_t room;
};

static void allow_method(struct search *s, const char *method)
{
    size_t n = strlen(method), used = strlen(s->allow);
    for (const char *at = s->allow; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] ? 2 : 0))
        if (strncmp(at, method, n) == 0 && (!at[n] || at[n] == ','))
            return;
    if (used + n + 3 > s->room)
        return;
    if (used)
        memcpy(s->allow + used, ", ", 2), used += 2;
    memcpy(s->allow + used, method, n + 1);
}

static bool take_leaf(struct search *s, const struct node *n)
{
    const struct rn__http_route *best = NULL;
    for (const struct leaf *l = n->leaves; l; l = l->next) {
        const char *method = l->route->method;
        if (s->allow) {
            allow_method(s, method);
            if (strcmp(method, "GET") == 0)
                allow_method(s, "HEAD");
        } else if (strcmp(method, s->method) == 0) {
            best = l->route;
            break;
        } else if (!*method ? !best : strcmp(method, "GET") == 0 && strcmp(s->method, "HEAD") == 0) {
            best = l->route;
        }
    }
    if (best)
        s->match->route = best;
    return best != NULL;
}

static bool take_rest(struct search *s, const struct node *n, const char *from, int values)
{
    if (!n->rest || values == RN__HTTP_WILDCARDS)
        return false;
    s->match->values[values] = (struct rn__http_span){(uint32_t)(from - s->path), (uint32_t)(s->end - from)};
    s->match->n = values + 1;
    return take_leaf(s, n->rest);
}

static const struct node *literal(const struct node *n, const char *text, size_t size)
{
    const struct node *c = n->literals;
    while (c && (c->n != size || memcmp(c->text, text, size) != 0))
        c = c->next;
    return c;
}

/* The path from `at` on, which is its end or a '/', below node n. */
static bool search(struct search *s, const struct node *n, const char *at, int values)
{
    if (at == s->end) {
        s->match->n = values;
        return take_leaf(s, n);
    }
    const char *from = at + 1;
    if (from == s->end) {
        const struct node *end = literal(n, "/", 1);
        s->match->n = values;
        return (end && take_leaf(s, end)) || take_rest(s, n, from, values);
    }
    const char *to = memchr(from, '/', (size_t)(s->end - from));
    if (!to)
        to = s->end;
    const struct node *c = literal(n, from, (size_t)(to - from));
    if (c && search(s, c, to, values))
        return true;
    if (n->wild && values < RN__HTTP_WILDCARDS) {
        s->match->values[values] = (struct rn__http_span){(uint32_t)(from - s->path), (uint32_t)(to - from)};
        if (search(s, n->wild, to, values + 1))
            return true;
    }
    return take_rest(s, n, from, values);
}

/* The host without its port, as it was registered. */
static const struct node *host_root(const rn_http_mux *m, const char *host)
{
    size_t n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    for (const struct host *h = m->hosts; h; h = h->next)
        if (strlen(h->name) == n && strncasecmp(h->name, host, n) == 0)
            return &h->root;
    return NULL;
}

static bool search_hosts(struct search *s, const rn_http_mux *m, const char *host)
{
    const struct node *own = m->hosts ? host_root(m, host) : NULL;
    return (own && search(s, own, s->path, 0)) || search(s, &m->any, s->path, 0);
}

/* Whether the match used the path up: no tree above it that happens to hold it. */
static bool is_exact(const struct rn__http_match *match)
{
    const struct rn__http_route *r = match->route;
    return r && (r->segments[r->n_segments - 1].kind != REST || match->values[match->n - 1].n == 0);
}

/* The search with a slash behind the path. */
static bool search_with_slash(struct search s, const rn_http_mux *m, const char *host)
{
    size_t n = (size_t)(s.end - s.path);
    char *longer = rn__malloc(n + 1);
    if (!longer)
        return false;
    memcpy(longer, s.path, n);
    longer[n] = '/';
    s.path = longer;
    s.end = longer + n + 1;
    bool found = search_hosts(&s, m, host);
    rn__free(longer);
    return found;
}

/* Whether the path with a slash behind it is one that was registered. */
static bool wants_slash(struct search s, const rn_http_mux *m, const char *host)
{
    struct rn__http_match match = {0};
    s.match = &match;
    return search_with_slash(s, m, host) && is_exact(&match);
}

/* The methods by which the path could be had, if need be by way of a redirect to the one with a slash. */
static void collect_methods(struct search s, const rn_http_mux *m, const char *host, char *allow, size_t room)
{
    struct rn__http_match unused;
    s.allow = allow;
    s.room = room;
    s.match = &unused;
    search_hosts(&s, m, host);
    if (s.end[-1] != '/')
        search_with_slash(s, m, host);
}

enum rn__http_found rn__http_route(const rn_http_mux *m, const char *host, const char *method, const char *path,
                                   size_t n, struct rn__http_match *match, char *allow, size_t room)
{
    struct search s = {.path = path, .end = path + n, .method = method, .match = match};
    if (!m)
        m = &default_mux;
    match->route = NULL;
    *allow = 0;
    if (n == 0 || *path != '/')
        return RN__HTTP_NO_ROUTE;
    bool found = search_hosts(&s, m, host);
    if (!(found && is_exact(match)) && path[n - 1] != '/' && wants_slash(s, m, host))
        return RN__HTTP_ADD_SLASH;
    if (found)
        return RN__HTTP_FOUND;
    collect_methods(s, m, host, allow, room);
    return *allow ? RN__HTTP_NO_METHOD : RN__HTTP_NO_ROUTE;
}

/* ---- public ---- */

rn_http_mux *rn_http_mux_make(void)
{
    return need(rn__calloc(1, sizeof(rn_http_mux)));
}

void rn_http_mux_free(rn_http_mux *m)
{
    if (!m)
        return;
    if (m == &default_mux)
        rn_panic("http: the default mux can't be freed");
    free_nodes(&m->any);
    for (struct host *h = m->hosts, *next; h; h = next) {
        next = h->next;
        free_nodes(&h->root);
        rn__free(h);
    }
    for (struct rn__http_route *r = m->routes, *next; r; r = next) {
        next = r->next;
        if (r->free_owned)
            r->free_owned(r->owned);
        rn__free(r);
    }
    rn__free(m);
}

/* The route, its segments and its text are one block. */
static struct rn__http_route *make_route(const char *pattern)
{
    size_t length = strlen(pattern), slashes = 1;
    for (const char *p = pattern; *p; p++)
        slashes += *p == '/';
    struct rn__http_route *r;
    size_t segments = slashes * sizeof *r->segments;
    r = need(rn__calloc(1, sizeof *r + segments + 3 * length + 2 * slashes + 16));
    r->segments = (void *)(r + 1);
    r->pattern = (char *)(r + 1) + segments;
    memcpy(r->pattern, pattern, length + 1);
    return r;
}

static void drop(struct rn__http_route **held)
{
    rn__free(*held);
}

void rn_http_mux_handle_with(rn_http_mux *m, const char *pattern, rn_http_handler h, void *arg)
{
    if (!m)
        m = &default_mux;
    if (!h)
        rn_panic("http: nil handler");
    if (!pattern || !*pattern)
        rn_panic("http: invalid pattern \"\"");
    struct rn__http_route *r = make_route(pattern), *held = r;
    defer(drop, &held); /* a pattern that makes no sense panics, and that may be recovered */
    r->handler = h;
    r->arg = arg;
    read_pattern(&(struct reader){r->pattern, r, r->pattern + strlen(pattern) + 1});
    const struct rn__http_route *other = conflict(m, r);
    if (other)
        rn_panic("http: pattern \"%s\" conflicts with pattern \"%s\"", r->pattern, other->pattern);
    held = NULL;
    insert(m, r);
}

void rn__http_mux_own(rn_http_mux *m, void *owned, void (*free_owned)(void *))
{
    struct rn__http_route *r = (m ? m : &default_mux)->routes;
    r->owned = owned;
    r->free_owned = free_owned;
}

void rn_http_mux_handle(rn_http_mux *m, const char *pattern, rn_http_handler h)
{
    rn_http_mux_handle_with(m, pattern, h, NULL);
}

void rn_http_handle(const char *pattern, rn_http_handler h)
{
    rn_http_mux_handle_with(&default_mux, pattern, h, NULL);
}
