/* Clients: their options, shards and easy handles; the default client; the end of a run.
 *
 * A client is as many shards as there were processors when it was made, RN_HTTP_SHARDS at most.
 *
 * When a run ends its goroutines are gone wherever they were, the drivers too, though never inside of
 * libcurl (client.h).  What they had under way is then taken out of libcurl and freed, all connections are
 * closed, and the default client is freed; a client of the program's own can be used in the next run.
 * A plain thread's exchange is over then (RN_ECLOSED), and stays the thread's: with it the default client stays, for the next run's end
 * to free.
 */
#define _GNU_SOURCE 1 /* secure_getenv */
#include "http/client.h"
#include <stdlib.h>
#include <string.h>

static struct {
    rn_lock lock; /* RN_RANK_HTTP; guards the list */
    struct rn_list clients;
    rn_mutex making; /* the default client, and libcurl */
    rn_atomic(struct rn_http_client *) common;
    bool ready; /* libcurl; guarded by making */
} pool;

static void at_stop(void);

/* With pool.making. */
static bool start_curl(void)
{
    static struct rn_stop_hook hook = {.f = at_stop};
    if (pool.ready)
        return true;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    rn__at_stop(&hook);
    return pool.ready = true;
}

/* ---- making and freeing --------------------------------------------------------------------------------- */

static bool keep_text(const char **text)
{
    if (!*text)
        return true;
    size_t n = strlen(*text) + 1;
    char *copy = rn__malloc(n);
    if (copy)
        memcpy(copy, *text, n);
    *text = copy;
    return copy != NULL;
}

/* ---- cookies ------------------------------------------------------------------------------------------- */

/* libcurl has them in a list of the client's, which its drivers use by turns. */
static void lock_cookies(CURL *easy, curl_lock_data what, curl_lock_access access, void *client)
{
    struct rn_http_client *c = client;
    (void)easy, (void)access;
    rn_lock_take(what == CURL_LOCK_DATA_COOKIE ? &c->cookies_lock : &c->share_lock, RN_RANK_HTTP);
}

static void unlock_cookies(CURL *easy, curl_lock_data what, void *client)
{
    struct rn_http_client *c = client;
    (void)easy;
    rn_lock_release(what == CURL_LOCK_DATA_COOKIE ? &c->cookies_lock : &c->share_lock);
}

static bool make_cookies(struct rn_http_client *c)
{
    if (!c->options.cookies)
        return true;
    c->cookies = curl_share_init();
    return c->cookies && curl_share_setopt(c->cookies, CURLSHOPT_LOCKFUNC, lock_cookies) == CURLSHE_OK &&
           curl_share_setopt(c->cookies, CURLSHOPT_UNLOCKFUNC, unlock_cookies) == CURLSHE_OK &&
           curl_share_setopt(c->cookies, CURLSHOPT_USERDATA, c) == CURLSHE_OK &&
           curl_share_setopt(c->cookies, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) == CURLSHE_OK;
}

static void client_drop(struct rn_http_client *c)
{
    while (c->easy_n)
        curl_easy_cleanup(c->easy[--c->easy_n]);
    if (c->cookies)
        curl_share_cleanup(c->cookies);
    for (uint32_t i = 0; i < c->shards_n; i++) {
        rn__http_spares_free(&c->shards[i]);
        rn__free(c->shards[i].by_fd);
    }
    for (int i = 0; i < 3; i++)
        rn__free((void *)(uintptr_t)c->environment[i]);
    rn__http_names_free(c->names);
    rn__free((void *)(uintptr_t)c->options.proxy);
    rn__free((void *)(uintptr_t)c->options.no_proxy);
    rn__free((void *)(uintptr_t)c->options.ca_file);
    rn__free((void *)(uintptr_t)c->options.user_agent);
    rn__free(c);
}

/* The first that is set and not empty, copied; true unless there is no memory. */
static bool from_environment(const char **to, const char *name, const char *other)
{
    const char *text = secure_getenv(name);
    if ((!text || !*text) && other)
        text = secure_getenv(other);
    *to = text && *text ? text : NULL;
    return keep_text(to);
}

/* What is empty counts as not set, as with curl and Go.  As with curl HTTP_PROXY does not count, since in a CGI program it is a
 * header of the request. */
static bool copy_environment(struct rn_http_client *c)
{
    bool a = from_environment(&c->environment[0], "http_proxy", NULL);
    bool b = from_environment(&c->environment[1], "https_proxy", "HTTPS_PROXY");
    bool d = from_environment(&c->environment[2], "all_proxy", "ALL_PROXY");
    bool n = c->options.no_proxy || from_environment(&c->options.no_proxy, "no_proxy", "NO_PROXY");
    bool e = c->options.ca_file || from_environment(&c->options.ca_file, "SSL_CERT_FILE", NULL);
    return a && b && d && n && e;
}

static bool copy_options(struct rn_http_client *c, const rn_http_client_options *o)
{
    if (!o)
        return true;
    c->options = *o;
    /* All four are copied or NULL, whatever fails. */
    bool a = keep_text(&c->options.proxy), b = keep_text(&c->options.no_proxy);
    bool d = keep_text(&c->options.ca_file), e = keep_text(&c->options.user_agent);
    return a && b && d && e;
}

static struct rn_http_client *client_make(const rn_http_client_options *o)
{
    uint32_t n = (uint32_t)rn_procs();
    n = n > RN_HTTP_SHARDS ? RN_HTTP_SHARDS : n;
    struct rn_http_client *c = rn__calloc(1, sizeof *c + n * sizeof c->shards[0]);
    if (!c)
        return NULL;
    c->shards_n = n;
    for (uint32_t i = 0; i < n; i++)
        rn__http_shard_init(&c->shards[i], c);
    c->names = rn__http_names_make();
    bool good = copy_options(c, o);
    if (!c->names || !good || !copy_environment(c) || !make_cookies(c)) {
        client_drop(c);
        return NULL;
    }
    rn_lock_take(&pool.lock, RN_RANK_HTTP);
    rn_list_push(&pool.clients, &c->node);
    rn_lock_release(&pool.lock);
    return c;
}

static void client_unlist(struct rn_http_client *c)
{
    rn_lock_take(&pool.lock, RN_RANK_HTTP);
    rn_list_remove(&pool.clients, &c->node);
    rn_lock_release(&pool.lock);
}

rn_http_client *rn_http_client_make(const rn_http_client_options *options)
{
    rn_mutex_lock(&pool.making);
    struct rn_http_client *c = start_curl() ? client_make(options) : NULL;
    rn_mutex_unlock(&pool.making);
    return c;
}

/* The default client; NULL: it has not been made. */
static struct rn_http_client *made(void)
{
    return rn_load_acquire(&pool.common); /* acquire: pairs with the release below. */
}

/* With pool.making. */
static struct rn_http_client *make_common(void)
{
    struct rn_http_client *c = rn_load_relaxed(&pool.common); /* relaxed: under the mutex */
    if (!c && start_curl() && (c = client_make(NULL)) != NULL)
        rn_store_release(&pool.common, c); /* pairs with the acquire above */
    return c;
}

static struct rn_http_client *common(void)
{
    struct rn_http_client *c = made();
    if (c)
        return c;
    rn_mutex_lock(&pool.making);
    c = make_common();
    rn_mutex_unlock(&pool.making);
    return c;
}

/* The same for a plain thread, in the gate.  It does not wait there for the mutex: a goroutine that has got it may be gone with
 * the run, which waits for the thread.  NULL: no memory, or (*busy) somebody else is making it. */
static struct rn_http_client *common_in_gate(bool *busy)
{
    struct rn_http_client *c = made();
    *busy = !c && !rn_mutex_try_lock(&pool.making);
    if (c || *busy)
        return c;
    c = make_common();
    rn_mutex_unlock(&pool.making);
    return c;
}

static struct rn_http_client *enter_by_thread(struct rn_http_client *named, int *err)
{
    for (bool busy = true; busy; rn_os_yield()) {
        *err = RN_EAGAIN;
        if (!rn__hold_run())
            return NULL;
        struct rn_http_client *c = named ? named : common_in_gate(&busy);
        if (c)
            return c;
        rn__let_run_end();
        *err = RN_ENOMEM;
    }
    return NULL;
}

struct rn_http_client *rn__http_client_enter(struct rn_http_client *c, int *err)
{
    if (!rn__is_goroutine(rn__self()))
        return enter_by_thread(c, err);
    *err = RN_ENOMEM;
    return c ? c : common();
}

void rn__http_client_leave(void)
{
    if (!rn__is_goroutine(rn__self()))
        rn__let_run_end();
}

void rn_http_client_close_idle(rn_http_client *client)
{
    struct rn_http_client *c = client ? client : made();
    for (uint32_t i = 0; c && i < c->shards_n; i++)
        rn__http_shard_rest(&c->shards[i]);
}

void rn_http_client_free(rn_http_client *client)
{
    if (!client)
        return;
    rn_lock_take(&client->lock, RN_RANK_HTTP);
    bool busy = !rn_list_empty(&client->exchanges);
    rn_lock_release(&client->lock);
    if (busy)
        rn__misuse("http_client_free: requests are under way, or responses open");
    rn_http_client_close_idle(client);
    for (uint32_t i = 0; i < client->shards_n; i++)
        rn__http_shard_end(&client->shards[i]);
    client_unlist(client);
    client_drop(client);
}

/* ---- easy handles ------------------------------------------------------------------------------------------ */

CURL *rn__http_easy_get(struct rn_http_client *c)
{
    rn_lock_take(&c->lock, RN_RANK_HTTP);
    CURL *easy = c->easy_n ? c->easy[--c->easy_n] : NULL;
    rn_lock_release(&c->lock);
    return easy ? easy : curl_easy_init();
}

/* libcurl 7.83 to 8.0 keeps a pointer to the last header of a handle's last answer, which is freed by then, and continues it when
 * the next answer begins with a line that begins with a blank (its issue 11101): there no handle serves twice. */
static bool may_serve_again(void)
{
    unsigned v = curl_version_info(CURLVERSION_NOW)->version_num;
    return v < 0x075300 || v >= 0x080100;
}

void rn__http_easy_put(struct rn_http_client *c, CURL *easy)
{
    rn_lock_take(&c->lock, RN_RANK_HTTP);
    bool room = may_serve_again() && c->easy_n < RN_HTTP_KEPT_HANDLES;
    if (room)
        c->easy[c->easy_n++] = easy;
    rn_lock_release(&c->lock);
    if (!room)
        curl_easy_cleanup(easy);
}

/* ---- the end of a run --------------------------------------------------------------------------------------- */

/* One of a plain thread, or of a goroutine; NULL: there is none. */
static struct rn_http_exchange *exchange_of(struct rn_http_client *c, bool thread)
{
    struct rn_http_exchange *found = NULL;
    rn_lock_take(&c->lock, RN_RANK_HTTP);
    for (struct rn_node *n = c->exchanges.first; n && !found; n = n->next) {
        struct rn_http_exchange *ex = rn_container(n, struct rn_http_exchange, node);
        found = ex->by_thread == thread ? ex : NULL;
    }
    rn_lock_release(&c->lock);
    return found;
}

/* Whether nothing of it is anybody's any more. */
static bool client_reset(struct rn_http_client *c)
{
    bool unused = !exchange_of(c, true); /* before they are told, and go */
    for (uint32_t i = 0; i < c->shards_n; i++)
        rn__http_shard_reset(&c->shards[i]);
    for (struct rn_http_exchange *ex; (ex = exchange_of(c, false)) != NULL;)
        rn__http_exchange_free(ex);
    rn__http_names_reset(c->names);
    return unused;
}

static void at_stop(void)
{
    struct rn_http_client *c = rn_load_relaxed(&pool.common); /* relaxed: nobody else is here */
    bool unused = false;
    for (struct rn_node *n = pool.clients.first; n; n = n->next) {
        struct rn_http_client *one = rn_container(n, struct rn_http_client, node);
        bool is_unused = client_reset(one);
        if (one == c)
            unused = is_unused;
    }
    if (unused) {
        rn_store_relaxed(&pool.common, NULL); /* as above */
        client_unlist(c);
        client_drop(c);
    }
    pool.making = (rn_mutex){0}; /* its holder may be gone */
    if (pool.ready && rn_list_empty(&pool.clients)) {
        curl_global_cleanup();
        pool.ready = false;
    }
}
