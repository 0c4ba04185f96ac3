/* Names: the system's resolver, in a goroutine that is handed off, so that no processor waits for it.
 *
 * getaddrinfo can't be interrupted.  So each lookup belongs to two: to the goroutine that runs it, and to
 * who asked, who may leave when its context ends; the last of the two frees it.  At most AT_ONCE run: each
 * takes a thread.  Who asks waits for its turn before the goroutine is started.
 *
 * A run that ends waits for the resolver, but what called it never goes on.  So all lookups are in a list, of which the run's end
 * disposes, and it gives all turns back; a plain thread whose lookup had not begun asks by itself then.
 *
 * Rejected: c-ares, which asks name servers itself: it knows only part of what the system is configured to do
 * (nsswitch: mDNS, LDAP, containers' own), and the core depends on libc alone.  And "localhost" as the loopback's addresses by itself
 * (RFC 6761, 6.3), which would save 30 us: /etc/hosts may say otherwise, and is asked first by Go's resolver too.
 */
#define _GNU_SOURCE 1
#include "base/alloc.h"
#include "base/list.h"
#include "net/socket.h"
#include <errno.h>
#include <netdb.h>
#include <runnel/go.h>
#include <runnel/semaphore.h>
#include <stdio.h>
#include <string.h>

enum { AT_ONCE = 64, STACK = 256 << 10, ADDRESSES = 32 };

struct lookup {
    struct rn_node node; /* in `all`; guarded by lock */
    bool by_thread;      /* a plain thread asks, which outlives the run */
    bool begun;          /* its goroutine uses it; written by who starts that, then by itself */
    bool answered;       /* `done` was released, or is about to be */
    rn_atomic(uint32_t) owners;
    rn_semaphore done; /* one unit, in use until the result is there */
    struct rn__network net;
    char host[RN_ADDR_HOST], service[32]; /* "": not asked for */
    int result;                           /* how many addresses, or an error */
    rn_addr addresses[ADDRESSES];
};

static rn_semaphore turns = RN_SEMAPHORE_INIT(AT_ONCE);
static rn_lock lock; /* rank SYNC */
static struct rn_list all;

/* ---- the question --------------------------------------------------------------------------------- */

static int error_of(int code, int number)
{
    switch (code) {
    case EAI_AGAIN:
    case EAI_FAIL:
        return RN_EDNS;
    case EAI_MEMORY:
        return RN_ENOMEM;
    case EAI_SERVICE:
        return RN_ESERVICE;
    case EAI_SYSTEM:
        return number == ENOMEM ? RN_ENOMEM : number ? -number : RN_EDNS;
    default:
        return RN_ENOHOST;
    }
}

/* Where there are too many the last that has room is the first of the other family: the one may not work here. */
static int store(const struct addrinfo *list, rn_addr *to, int max)
{
    bool has[2] = {false, false};
    int n = 0;
    for (const struct addrinfo *i = list; i; i = i->ai_next) {
        struct sockaddr_storage at = {0};
        bool six = i->ai_family == AF_INET6;
        if ((!six && i->ai_family != AF_INET) || (n == max && has[six]))
            continue;
        n += n < max;
        has[six] = true;
        memcpy(&at, i->ai_addr, i->ai_addrlen);
        rn__addr_from_kernel(&at, i->ai_addrlen, &to[n - 1]);
    }
    return n ? n : RN_ENOHOST;
}

/* Blocks. */
static void ask(struct lookup *l)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = {
        .ai_family = l->net.ip == 4   ? AF_INET
                     : l->net.ip == 6 ? AF_INET6
                                      : AF_UNSPEC,
        .ai_socktype = l->net.type,
    };
    int code = getaddrinfo(l->host[0] ? l->host : NULL, l->service[0] ? l->service : NULL, &hints, &list);
    l->result = code ? error_of(code, errno) : store(list, l->addresses, ADDRESSES);
    if (!code)
        freeaddrinfo(list);
}

/* ---- whose it is ---------------------------------------------------------------------------------- */

static struct lookup *make(const struct rn__network *net, const char *host, const char *service)
{
    struct lookup *l = rn__calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->owners = 1;
    l->done = (rn_semaphore)RN_SEMAPHORE_INIT(1);
    l->done.rn_used = 1;
    l->by_thread = !rn__is_goroutine(rn__self());
    l->net = *net;
    memcpy(l->host, host, strlen(host));
    memcpy(l->service, service, strlen(service));
    rn_lock_take(&lock, RN_RANK_SYNC);
    rn_list_push(&all, &l->node);
    rn_lock_release(&lock);
    return l;
}

static void drop(struct lookup *l)
{
    rn_lock_take(&lock, RN_RANK_SYNC);
    rn_list_remove(&all, &l->node);
    rn_lock_release(&lock);
    rn__free(l);
}

static void disown(struct lookup *l)
{
    /* acq_rel: the last one sees what the other did before it left. */
    if (rn_sub_acq_rel(&l->owners, 1) == 1)
        drop(l);
}

/* One whose goroutine is gone with the run, and so, perhaps, is who has asked.  The resolver has returned, if it was asked. */
static void leave_behind(struct lookup *l)
{
    if (!l->by_thread) {
        drop(l);
        return;
    }
    l->begun = false;
    if (!l->answered)
        rn_sem_release(&l->done, 1);
    disown(l);
}

/* A plain thread's that has no goroutine is its own affair, and may be gone at any moment. */
static struct lookup *next_left(void)
{
    struct lookup *left = NULL;
    rn_lock_take(&lock, RN_RANK_SYNC);
    for (struct rn_node *n = all.first; n && !left; n = n->next) {
        struct lookup *l = rn_container(n, struct lookup, node);
        left = !l->by_thread || l->begun ? l : NULL;
    }
    rn_lock_release(&lock);
    return left;
}

static void on_stop(void)
{
    for (struct lookup *l; (l = next_left()) != NULL;)
        leave_behind(l);
    turns = (rn_semaphore)RN_SEMAPHORE_INIT(AT_ONCE); /* no goroutine is left that has one, or waits for one */
}

/* ---- the answer ----------------------------------------------------------------------------------- */

/* It may stand still for ever where it wakes another goroutine, if the run ends. */
static void run(struct lookup *l)
{
    bool turn = !l->by_thread;
    rn_blocking_enter();
    ask(l);
    rn_blocking_leave();
    l->answered = true;
    rn_sem_release(&l->done, 1);
    l->begun = false;
    disown(l);
    if (turn)
        rn_sem_release(&turns, 1);
}

/* Has a goroutine ask.  0 or an error. */
static int start(struct lookup *l)
{
    l->begun = true;
    rn_store_relaxed(&l->owners, 2); /* relaxed: published by go */
    int err = rn_go_with((.name = "getaddrinfo", .stack = STACK, .try_ = true), run, l);
    if (err) {
        rn_store_relaxed(&l->owners, 1); /* relaxed: ours alone again */
        l->begun = false;
    }
    return err;
}

static int start_in_turn(rn_context *ctx, struct lookup *l)
{
    int err = rn_sem_acquire(ctx, &turns, 1);
    if (err)
        return err;
    err = start(l);
    if (err)
        rn_sem_release(&turns, 1);
    return err;
}

/* A run does not end while a plain thread starts something in it.  Without a turn: it takes a thread as it is. */
static int start_from_outside(struct lookup *l)
{
    if (!rn__hold_run())
        return RN_EAGAIN;
    int err = start(l);
    rn__let_run_end();
    return err;
}

/* Has l answered; 0 when l->result is there. */
static int answer(rn_context *ctx, struct lookup *l)
{
    static struct rn_stop_hook hook = {.f = on_stop};
    if (!rn__poll_run()) { /* a plain thread, and nobody to hand it to */
        ask(l);
        return 0;
    }
    rn__at_stop(&hook);
    int err = l->by_thread ? start_from_outside(l) : start_in_turn(ctx, l);
    if (!err)
        err = rn_sem_acquire(ctx, &l->done, 1);
    if (err == RN_EAGAIN || (!err && !l->result)) { /* the run has ended meanwhile */
        ask(l);
        err = 0;
    }
    return err;
}

static int look_up(rn_context *ctx, const struct rn__network *net, const char *host, const char *service, rn_addr *out,
                   int max)
{
    if (strlen(host) >= RN_ADDR_HOST || strlen(service) >= 32)
        return host[0] ? RN_ENOHOST : RN_ESERVICE;
    struct lookup *l = make(net, host, service);
    if (!l)
        return RN_ENOMEM;
    int n = answer(ctx, l);
    if (n == 0) {
        n = l->result < max ? l->result : max;
        for (int i = 0; i < n; i++)
            out[i] = l->addresses[i];
    }
    disown(l);
    return n;
}

/* ---- addresses ------------------------------------------------------------------------------------ */

/* A numeric host is its own answer: 1; or RN_ENOHOST when the network does not fit; 0: it is a name. */
static int numeric(const struct rn__network *net, const char *host, rn_addr *out)
{
    rn_addr a;
    char bare[RN_ADDR_HOST + 2];
    if (strlen(host) >= RN_ADDR_HOST || host[0] == '/' || host[0] == '@')
        return 0;
    snprintf(bare, sizeof bare, strchr(host, ':') ? "[%s]" : "%s", host);
    if (rn_addr_parse(bare, &a) || a.port)
        return 0;
    if ((net->ip == 4 && a.family != RN_ADDR_IP4) || (net->ip == 6 && a.family != RN_ADDR_IP6))
        return RN_ENOHOST;
    *out = a;
    return 1;
}

int rn_net_lookup_ctx(rn_context *ctx, const char *network, const char *host, rn_addr *out, int max)
{
    struct rn__network net;
    if (rn__network_parse(network, &net) || net.is_unix || max < 1)
        return RN_EINVAL;
    int err = rn__done_seen(ctx);
    if (err)
        return err;
    if (!host[0])
        return RN_ENOHOST;
    int n = numeric(&net, host, out);
    return n ? n : look_up(ctx, &net, host, "", out, max);
}

int rn_net_lookup(const char *network, const char *host, rn_addr *out, int max)
{
    return rn_net_lookup_ctx(NULL, network, host, out, max);
}

/* By number or name.  A name begins with a letter: of " 80" and "+80" the resolver would make a number. */
static int port_of(rn_context *ctx, const struct rn__network *net, const char *service)
{
    long n = 0;
    const char *c = service;
    for (; *c >= '0' && *c <= '9' && n <= UINT16_MAX; c++)
        n = n * 10 + (*c - '0');
    if (!*c) /* no port at all is 0, as in Go */
        return n <= UINT16_MAX ? (int)n : RN_ESERVICE;
    rn_addr a;
    if ((*service < 'a' || *service > 'z') && (*service < 'A' || *service > 'Z'))
        return RN_ESERVICE;
    int err = look_up(ctx, net, "", service, &a, 1);
    return err == RN_ENOHOST ? RN_ESERVICE : err < 0 ? err : a.port;
}

int rn_net_lookup_port(const char *network, const char *service)
{
    struct rn__network net;
    if (rn__network_parse(network, &net) || net.is_unix)
        return RN_EINVAL;
    return port_of(NULL, &net, service);
}

/* No host: this machine, or, for listening, all of its addresses. */
static int local(const struct rn__network *net, bool passive, rn_addr *out, int max)
{
    int n = 0;
    rn_addr v4 = {.family = RN_ADDR_IP4}, v6 = {.family = RN_ADDR_IP6};
    if (!passive) {
        v6.ip[15] = 1;
        v4.ip[0] = 127;
        v4.ip[3] = 1;
    }
    if (net->ip != 6 && !passive)
        out[n++] = v4;
    if (net->ip != 4 && n < max)
        out[n++] = v6;
    if (net->ip != 6 && passive && n < max)
        out[n++] = v4;
    return n;
}

bool rn__is_name(const struct rn__network *net, const char *text)
{
    char host[RN_ADDR_HOST], service[32];
    rn_addr a;
    return !net->is_unix && !rn_addr_split(text, host, service) && host[0] && numeric(net, host, &a) == 0;
}

int rn__resolve(rn_context *ctx, const struct rn__network *net, const char *text, bool passive, rn_addr *out, int max)
{
    char host[RN_ADDR_HOST], service[32];
    if (net->is_unix && passive && strcmp(text, "@") == 0) {
        *out = (rn_addr){.family = RN_ADDR_UNIX}; /* the kernel finds a name */
        return 1;
    }
    if (net->is_unix) {
        int err = rn__addr_path(text, out);
        return err ? err : 1;
    }
    if (rn_addr_split(text, host, service))
        return RN_EINVAL;
    int port = port_of(ctx, net, service);
    if (port < 0)
        return port;
    int n = host[0] ? numeric(net, host, out) : local(net, passive, out, max);
    if (n == 0)
        n = look_up(ctx, net, host, "", out, max);
    for (int i = 0; i < n; i++)
        out[i].port = (uint16_t)port;
    return n;
}
