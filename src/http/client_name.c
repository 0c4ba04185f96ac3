/* Names of hosts, looked up before libcurl needs them.
 *
 * libcurl's own resolver starts a thread for each name, and whoever cancels an exchange in the middle of a
 * lookup waits for that thread.  So the name is looked up here, by the network's net_lookup (bounded,
 * cancelable, no processor waits), and libcurl is given the addresses (CURLOPT_RESOLVE), which
 * it tries as it would its own: both families, a little apart.
 *
 * What was found is kept for KEPT, as libcurl would, in a table without collisions' chains: a slot
 * belongs to the host that was looked up last.  Those who want the same name at the same time share one lookup;
 * when the one who makes it is canceled another makes it again.
 *
 * libcurl looks up by itself what needs nobody (numbers, localhost), and what we do not understand: names that are not
 * ASCII, with a libcurl that does not tell how it writes them (before 7.88).
 */
#include "http/client.h"
#include <runnel/flight.h>
#include <runnel/net.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SLOTS = 256, ADDRESSES = 16, HOST = 254, ROOM = ADDRESSES * 48 };
#define KEPT (60 * RN_SECOND)

struct slot {
    char host[HOST];
    rn_time until;
    char addresses[ROOM]; /* "192.0.2.1,[2001:db8::1]" */
};

struct rn__http_names {
    rn_lock lock; /* RN_RANK_HTTP; guards the slots */
    struct slot *slots[SLOTS];
    rn_flight flight;
};

void rn__http_names_free(struct rn__http_names *n)
{
    for (int i = 0; n && i < SLOTS; i++)
        rn__free(n->slots[i]);
    rn__free(n);
}

struct rn__http_names *rn__http_names_make(void)
{
    return rn__calloc(1, sizeof(struct rn__http_names));
}

/* The goroutines that looked something up are gone. */
void rn__http_names_reset(struct rn__http_names *n)
{
    n->flight = (rn_flight)RN_FLIGHT_INIT;
}

static unsigned slot_of(const char *host)
{
    unsigned h = 5381;
    for (; *host; host++)
        h = h * 33 + (unsigned char)*host;
    return h % SLOTS;
}

static void keep(struct rn__http_names *n, struct slot *found)
{
    struct slot **at = &n->slots[slot_of(found->host)];
    rn_lock_take(&n->lock, RN_RANK_HTTP);
    struct slot *old = *at;
    *at = found;
    rn_lock_release(&n->lock);
    rn__free(old);
}

/* Copies what is known of host; false when that is nothing. */
static bool known(struct rn__http_names *n, const char *host, char *addresses)
{
    struct slot **at = &n->slots[slot_of(host)];
    rn_time now = rn__now();
    rn_lock_take(&n->lock, RN_RANK_HTTP);
    bool is = *at && strcmp((*at)->host, host) == 0 && now < (*at)->until;
    if (is)
        memcpy(addresses, (*at)->addresses, ROOM);
    rn_lock_release(&n->lock);
    return is;
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static void format(const rn_addr *a, int n, char *to)
{
    char text[RN_ADDR_TEXT];
    size_t used = 0;
    to[0] = 0;
    for (int i = 0; i < n; i++) {
        rn_addr one = a[i];
        if (one.zone || (one.family != RN_ADDR_IP4 && one.family != RN_ADDR_IP6))
            continue;
        one.port = 1; /* so that an IPv6 address comes in brackets */
        rn_addr_format(&one, text);
        *strrchr(text, ':') = 0;
        used += (size_t)snprintf(to + used, ROOM - used, used ? ",%s" : "%s", text);
    }
}

struct question {
    struct rn__http_names *names;
    const char *host;
    rn_context *ctx;
};

static int ask(void *arg, void **result)
{
    struct question *q = arg;
    rn_addr a[ADDRESSES];
    (void)result;
    int n = rn_net_lookup_ctx(q->ctx, "tcp", q->host, a, ADDRESSES);
    if (n < 0)
        return n;
    struct slot *found = rn__malloc(sizeof *found);
    if (!found)
        return RN_ENOMEM;
    strcpy(found->host, q->host);
    format(a, n, found->addresses);
    found->until = rn_time_add(rn__now(), KEPT);
    keep(q->names, found);
    return 0;
}

/* The addresses of host; 0, or a negative error. */
static int find(struct rn__http_names *n, rn_context *ctx, const char *host, char *addresses)
{
    while (!known(n, host, addresses)) {
        struct question q = {n, host, ctx};
        void *nothing;
        int err = rn__is_goroutine(rn__self()) ? rn_flight_do_ctx(ctx, &n->flight, host, ask, &q, NULL, NULL)
                                               : ask(&q, &nothing); /* the flight goes with the run */
        bool others_end = (err == RN_ECANCELED || err == RN_ETIMEOUT) && rn_ctx_err(ctx) == 0;
        if (err && !others_end)
            return err;
    }
    return 0;
}

/* ---- which name, if any --------------------------------------------------------------------------------- */

static bool needs_asking(const char *host)
{
    size_t n = strlen(host);
    bool number = true;
    if (n == 0 || n >= HOST || strchr(host, ':') || strcasecmp(host, "localhost") == 0 ||
        (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0))
        return false;
    for (const char *c = host; *c; c++) {
        if ((unsigned char)*c > 127 || *c == '%')
            return false;
        number &= (*c >= '0' && *c <= '9') || *c == '.';
    }
    return !number;
}

static int give(struct rn_http_exchange *ex, rn_context *ctx, const char *host, const char *port)
{
    char lower[HOST], addresses[ROOM];
    char line[sizeof lower + sizeof addresses + 16];
    if (!needs_asking(host))
        return 0;
    size_t i = 0;
    for (; host[i]; i++)
        lower[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + 32 : host[i]);
    lower[i] = 0;
    int err = find(ex->client->names, ctx, lower, addresses);
    if (err || !*addresses)
        return err;
    snprintf(line, sizeof line, "+%s:%.5s:%s", lower, port, addresses); /* +: libcurl forgets it in time */
    struct curl_slist *list = curl_slist_append(ex->resolve, line);
    if (!list)
        return RN_ENOMEM;
    ex->resolve = list;
    curl_easy_setopt(ex->easy, CURLOPT_RESOLVE, ex->resolve);
    return 0;
}

/* The proxy's host, where that can be told from its address. */
static int give_proxy(struct rn_http_exchange *ex, rn_context *ctx, const char *proxy)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL;
    int err = 0;
    if (u && curl_url_set(u, CURLUPART_URL, proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        err = give(ex, ctx, host,
                   curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK ? port : "1080"); /* libcurl's default */
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return err == RN_ENOHOST ? RN_EPROXY : err;
}

/* ---- past the proxy ------------------------------------------------------------------------------------- */

static bool ends_with(const char *host, const char *end, size_t n)
{
    size_t h = strlen(host);
    return n && h >= n && strncasecmp(host + h - n, end, n) == 0 && (h == n || host[h - n - 1] == '.');
}

/* Does the list of no_proxy name the host?  As libcurl reads it; were that to differ, libcurl would look the
 * name up by itself.  Numbers, which the list may give as ranges, need no look-up. */
static bool is_excepted(const char *host, const char *list)
{
    while (*list) {
        list += strspn(list, ", .");
        size_t n = strcspn(list, ", ");
        if ((n == 1 && *list == '*') || ends_with(host, list, n))
            return true;
        list += n;
    }
    return false;
}

static const char *exceptions(const struct rn_http_exchange *ex)
{
    const char *list = ex->client->options.no_proxy;
    return list ? list : "";
}

static bool resolves_locally(const char *proxy)
{
    return strncasecmp(proxy, "socks4:", 7) == 0 || strncasecmp(proxy, "socks5:", 7) == 0;
}

static int give_all(struct rn_http_exchange *ex, rn_context *ctx, const char *proxy, const char *host, const char *port)
{
    if (!*proxy || is_excepted(host, exceptions(ex)))
        return give(ex, ctx, host, port);
    int err = give_proxy(ex, ctx, proxy);
    return err || !resolves_locally(proxy) ? err : give(ex, ctx, host, port);
}

int rn__http_name(struct rn_http_exchange *ex, const char *proxy, const char *host, const char *port)
{
    rn_context *ctx = ex->ctx;
    bool timed = ex->deadline != INT64_MAX;
    if (timed)
        ctx = rn_ctx_with_deadline(ctx, ex->deadline);
    int err = give_all(ex, ctx, proxy, host, port);
    if (timed)
        rn_ctx_cancel(ctx);
    return err;
}
