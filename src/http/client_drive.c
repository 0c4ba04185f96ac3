/* The driver: the goroutine that runs a shard's exchanges.
 *
 * There is one while exchanges are under way, and none otherwise, so that an idle client is no
 * goroutine, no thread and nothing that could wake the program: the deadlock report stays exact.  An
 * exchange is an entry in the inbox and a park; its end is a wake.  The driver takes all orders that have
 * gathered, tells libcurl of sockets and of the time, collects what has ended, and then, out of
 * libcurl, wakes those concerned and lets them run before it goes on: what they ask next is
 * taken together.
 *
 * It has a stack of its own size, since libcurl with OpenSSL on it needs more than goroutines have.
 *
 * Rejected: a thread of the library's own (two thread switches for each exchange); whoever waits drives
 * ("leader and followers": TLS handshakes on stacks of any size, and every body on the stack of somebody
 * who wants another); one driver for all clients (certificates of one host would hold up all others).
 */
#include "http/client.h"
#include <string.h>

enum { LINGER = 2 }; /* yields before a driver with nothing to do ends */

static void drive(struct rn__http_shard *s);

/* ---- orders and news --------------------------------------------------------------------------------- */

void rn__http_tell_locked(struct rn_http_exchange *ex, uint32_t news)
{
    rn_lock_assert_held(&ex->shard->lock);
    struct rn_waiter *w = ex->w;
    ex->news |= news;
    if (!w || !(ex->wanted & news) || !rn__waiter_claim(w))
        return;
    ex->w = NULL;
    w->g->woken_by = w;
    rn__ready_add(&ex->shard->wake, w->g);
}

/* No driver can be had: whoever has ordered meanwhile learns why. */
static void fail_inbox(struct rn__http_shard *s, int err)
{
    rn__http_lock(s);
    for (struct rn_node *n; (n = rn_list_pop(&s->inbox)) != NULL;) {
        struct rn_http_exchange *ex = rn_container(n, struct rn_http_exchange, in_inbox);
        ex->orders = 0;
        ex->result = err;
        rn__http_tell_locked(ex, RN_HTTP_DONE);
    }
    struct rn_ready_list wake = s->wake;
    s->wake = (struct rn_ready_list){0};
    s->driven = false;
    rn__http_unlock(s);
    if (wake.first)
        rn__ready_all(&wake);
}

/* Nobody drives, and `driven` has been set for us. */
static void start_driver(struct rn__http_shard *s)
{
    int err = rn_go_with((.name = "http client", .stack = RN_HTTP_DRIVER_STACK, .try_ = true), drive, s);
    if (err)
        fail_inbox(s, err);
}

void rn__http_order(struct rn_http_exchange *ex, uint32_t orders, bool waits)
{
    struct rn__http_shard *s = ex->shard;
    rn__http_lock(s);
    if (ex->news & RN_HTTP_DONE) { /* by now, and its goroutine frees it when it sees that */
        rn__http_unlock(s);
        return;
    }
    if (!ex->orders)
        rn_list_push(&s->inbox, &ex->in_inbox);
    ex->orders |= orders;
    struct rn_g *asleep = s->asleep;
    bool start = !s->driven;
    s->driven = true;
    s->asleep = NULL;
    rn__http_unlock(s);
    if (asleep && rn__may_wake(asleep))
        rn__ready_last(asleep, waits); /* behind those who may have orders too */
    if (start)
        start_driver(s);
}

/* Parks with the shard locked, and comes back with it locked. */
static int wait_locked(struct rn_http_exchange *ex, uint32_t wanted, bool may_end)
{
    rn_lock_assert_held(&ex->shard->lock);
    rn_atomic(uint32_t) claim = 0;
    struct rn_waiter w = {.g = rn__self(), .claim = &claim, .of = ex};
    int err = 0;
    ex->w = &w;
    ex->wanted = wanted;
    rn__http_unlock(ex->shard);
    if (may_end)
        err = rn__wait_until(&w, ex->ctx, ex->deadline, RN_WAIT_IO, ex);
    else
        rn__park(RN_WAIT_IO, ex);
    rn__http_lock(ex->shard);
    ex->w = NULL;
    return err;
}

uint32_t rn__http_await(struct rn_http_exchange *ex, uint32_t wanted, int *err)
{
    uint32_t got;
    rn__http_lock(ex->shard);
    while (!(got = ex->news & wanted) && (!err || *err == 0)) {
        int ended = wait_locked(ex, wanted, err != NULL);
        if (err)
            *err = ended;
    }
    if (got && err)
        *err = 0;
    rn__http_unlock(ex->shard);
    return got;
}

/* ---- the timers ---------------------------------------------------------------------------------------- */

static rn_time timer_fire(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    struct rn__http_shard *s = rn_container(t, struct rn__http_shard, timer);
    (void)now;
    rn__http_lock(s);
    s->timer_fired = true;
    rn__http_wake_locked(s, wake);
    rn__http_unlock(s);
    return 0;
}

/* Libcurl's timer matters while something is under way whose reader is not the one to act. */
static bool timer_awaited(struct rn_timer_entry *t)
{
    struct rn__http_shard *s = rn_container(t, struct rn__http_shard, timer);
    rn__http_lock(s);
    bool awaited = s->driven && s->active_n > s->paused_n;
    rn__http_unlock(s);
    return awaited;
}

static bool never_awaited(struct rn_timer_entry *t)
{
    (void)t;
    return false;
}

static void drop(void *arg)
{
    start_driver(arg);
}

/* At least so much that the timer of a shard that is driven fires later, not again at once. */
rn_duration rn__http_idle_timeout(const struct rn_http_client *c)
{
    rn_duration d = c->options.idle_timeout;
    return !d ? 90 * RN_SECOND : d < RN_MILLISECOND ? RN_MILLISECOND : d;
}

/* Nothing has been asked for a while: a driver that closes the connections. */
static rn_time idle_fire(struct rn_timer_entry *t, rn_time now, struct rn_ready_list *wake)
{
    struct rn__http_shard *s = rn_container(t, struct rn__http_shard, idle_timer);
    rn__http_lock(s);
    rn_time due = rn_time_add(s->driven ? now : s->used_at, rn__http_idle_timeout(s->client));
    bool rest = due <= now;
    if (rest) {
        s->drop_idle = true;
        s->idle_armed = false;
        s->driven = rn__spawn(drop, s, wake) == 0;
    }
    rn__http_unlock(s);
    return rest ? 0 : due;
}

/* Before the driver sleeps: the runtime's timer fires when libcurl's is due, or before; one that is set too
 * early costs less than one that is moved with every exchange. */
static void arm(struct rn__http_shard *s)
{
    rn_time due = s->retry && (!s->due || s->retry < s->due) ? s->retry : s->due;
    if (!due || (s->armed && s->armed <= due))
        return;
    if (!s->armed || !rn__timer_move(&s->timer, due))
        rn__timer_start(&s->timer, due);
    s->armed = due;
}

static void disarm(struct rn__http_shard *s)
{
    if (s->armed)
        rn__timer_stop(&s->timer);
    s->armed = 0;
    if (!s->idle_armed && s->multi) {
        s->idle_armed = true;
        rn__timer_stop(&s->idle_timer); /* one that fired without memory for a driver may be in its last step */
        rn__timer_start(&s->idle_timer, rn_time_add(rn__now(), rn__http_idle_timeout(s->client)));
    }
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct rn__http_shard *s = arg;
    (void)multi;
    s->due = ms < 0 ? 0 : rn_time_add(rn__now(), (rn_duration)ms * RN_MILLISECOND);
    return 0;
}

/* ---- the multi handle ------------------------------------------------------------------------------------ */

static bool open_multi(struct rn__http_shard *s)
{
    if (s->multi)
        return true;
    s->multi = curl_multi_init();
    if (!s->multi)
        return false;
    const rn_http_client_options *o = &s->client->options;
    rn__http_sockets_set_multi(s);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)(o->max_idle ? o->max_idle : 256));
    curl_multi_setopt(s->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->max_per_host);
    return true;
}

static void close_multi(struct rn__http_shard *s)
{
    if (s->multi)
        curl_multi_cleanup(s->multi);
    s->multi = NULL;
    s->due = s->retry = 0;
    rn__http_spares_free(s);
}

/* ---- exchanges --------------------------------------------------------------------------------------------- */

static void finish(struct rn__http_shard *s, struct rn_http_exchange *ex, int result)
{
    if (ex->active) {
        curl_multi_remove_handle(s->multi, ex->easy);
        rn_list_remove(&s->active, &ex->in_active);
        ex->active = false;
        rn__http_socket_left(ex);
    }
    rn__http_lock(s);
    s->active_n = s->active_n - ex->counted;
    ex->counted = false;
    s->paused_n -= ex->stopped;
    ex->stopped = false;
    if (ex->orders)
        rn_list_remove(&s->inbox, &ex->in_inbox);
    ex->orders = 0;
    ex->result = result;
    rn__http_tell_locked(ex, RN_HTTP_DONE);
    rn__http_unlock(s);
}

static void begin(struct rn__http_shard *s, struct rn_http_exchange *ex)
{
    if (!open_multi(s) || curl_multi_add_handle(s->multi, ex->easy) != CURLM_OK) {
        finish(s, ex, RN_ENOMEM);
        return;
    }
    ex->active = ex->counted = true;
    s->uses_tls |= ex->secures;
    rn_list_push(&s->active, &ex->in_active);
    rn__http_lock(s);
    s->active_n++;
    rn__http_unlock(s);
}

static struct rn_http_exchange *next_order(struct rn__http_shard *s, uint32_t *orders)
{
    struct rn_http_exchange *ex = NULL;
    rn__http_lock(s);
    struct rn_node *n = rn_list_pop(&s->inbox);
    if (n) {
        ex = rn_container(n, struct rn_http_exchange, in_inbox);
        *orders = ex->orders;
        ex->orders = 0;
    }
    rn__http_unlock(s);
    return ex;
}

static void obey(struct rn__http_shard *s)
{
    struct rn_http_exchange *ex;
    uint32_t orders;
    while ((ex = next_order(s, &orders)) != NULL) {
        if (orders & RN_HTTP_STOP)
            finish(s, ex, RN_ECANCELED);
        else if (orders & RN_HTTP_START)
            begin(s, ex);
        else if (ex->active)
            curl_easy_pause(ex->easy, CURLPAUSE_CONT);
    }
}

/* Whether it was the system that failed.  What else goes wrong leaves the number of an earlier exchange of this handle. */
static bool is_systems(const struct rn_http_exchange *ex, CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_INTERFACE_FAILED || strstr(ex->error, "failure: ") ||
           strstr(ex->error, "errno ");
}

/* Whether a proxy would not make the tunnel: what it answered to CONNECT is not the answer to the request, and libcurl says no
 * more than that it could not receive. */
static bool is_refused_by_proxy(const struct rn_http_exchange *ex, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(ex->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return code == CURLE_RECV_ERROR && status >= 300;
}

/* Whether a line of head or trailers was longer than libcurl keeps; before 8.6 it says that it has no memory. */
static bool is_too_long(const struct rn_http_exchange *ex, CURLcode code)
{
    return ex->asked && (code == CURLE_OUT_OF_MEMORY || strstr(ex->error, "Out of memory in chunked"));
}

static int result_of(struct rn_http_exchange *ex, CURLcode code)
{
    long os_errno = 0;
    if (code == CURLE_OK && ex->wants_goodbye) {
        ex->why_said = "the connection ended without TLS's goodbye, so that the body may be cut off";
        return RN_EPROTO;
    }
    if (code == CURLE_OK) /* also for an end within the head */
        return ex->head_over ? 0 : RN_EPROTO;
    if (ex->discards || ex->stands) /* a redirect is followed, however its body ends; a 417 is the answer */
        return 0;
    if (ex->why)
        return ex->why;
    if (is_refused_by_proxy(ex, code))
        return RN_EPROXY;
    if (is_too_long(ex, code)) {
        ex->why_said = "a line of the answer's head or trailers is too long";
        return RN_ETOOBIG;
    }
    if (is_systems(ex, code))
        curl_easy_getinfo(ex->easy, CURLINFO_OS_ERRNO, &os_errno);
    return rn__http_error(code, os_errno);
}

/* What libcurl has finished. */
static void harvest(struct rn__http_shard *s)
{
    CURLMsg *m;
    int left;
    while (s->multi && (m = curl_multi_info_read(s->multi, &left)) != NULL) {
        struct rn_http_exchange *ex = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&ex) != CURLE_OK)
            continue;
        finish(s, ex, result_of(ex, code));
    }
}

static void look_at_the_time(struct rn__http_shard *s)
{
    if (!s->multi || !s->due || rn__now() < s->due)
        return;
    s->due = 0;
    rn__http_tell_libcurl(s, NULL, 0);
}

/* One round in libcurl. */
static void work(struct rn__http_shard *s)
{
    int held = s->uses_tls ? rn_os_pipe_signal_hold() : 0; /* OpenSSL's writes don't say MSG_NOSIGNAL */
    rn__http_lock(s);
    bool drop_idle = s->drop_idle && s->active_n == 0 && rn_list_empty(&s->inbox);
    if (drop_idle)
        s->drop_idle = false;
    bool fired = s->timer_fired;
    s->timer_fired = false;
    rn__http_unlock(s);
    if (fired) {
        rn__timer_stop(&s->timer); /* it may be in its last step still, or have been set again after it fired */
        s->armed = 0;
    }
    if (drop_idle)
        close_multi(s);
    obey(s);
    if (s->multi)
        rn__http_sockets_act(s);
    look_at_the_time(s);
    harvest(s);
    rn_os_pipe_signal_release(held);
}

/* ---- the driver -------------------------------------------------------------------------------------------- */

static bool has_work_locked(const struct rn__http_shard *s)
{
    rn_lock_assert_held(&s->lock);
    return !rn_list_empty(&s->inbox) || !rn_list_empty(&s->sockets) || s->timer_fired ||
           (s->drop_idle && s->active_n == 0);
}

/* The due moment of libcurl's timer is not waited for when it is there already. */
static bool is_due(const struct rn__http_shard *s)
{
    return s->due && s->due <= rn__now();
}

static struct rn_ready_list take_wake(struct rn__http_shard *s)
{
    struct rn_ready_list wake = s->wake;
    s->wake = (struct rn_ready_list){0};
    return wake;
}

/* Wakes all that have something to hear, and lets them run: what they ask next is taken together. */
static void let_ask(struct rn__http_shard *s)
{
    struct rn_ready_list wake = take_wake(s);
    rn__yield_to(&wake, s->active_n != 0);
}

/* Nothing to do for now: wakes all that have something to hear, and waits.  In a yield, other processors would be told of a driver
 * that has nothing to do.  Plain threads have been woken before: a run's end may hold up what follows. */
static void rest(struct rn__http_shard *s)
{
    arm(s);
    rn__http_lock(s);
    bool sleep = !has_work_locked(s);
    bool external = s->active_n > s->paused_n;
    if (sleep)
        s->asleep = rn__self();
    rn__http_unlock(s);
    if (!sleep) {
        if (s->wake.first)
            let_ask(s);
        return;
    }
    struct rn_ready_list wake = take_wake(s);
    if (!external) /* its readers are the ones to act */
        rn_sub_release(&rn__external_wakers, 1);
    rn__ready_all_and_park(&wake, RN_WAIT_IO, s);
    if (!external)
        rn_add_release(&rn__external_wakers, 1);
}

/* Nothing is under way: true when the driver is no more. */
static bool end(struct rn__http_shard *s)
{
    disarm(s);
    rn__http_lock(s);
    bool ends = !has_work_locked(s);
    if (ends) {
        s->driven = false;
        s->used_at = rn__now();
    }
    rn__http_unlock(s);
    return ends;
}

static void drive(struct rn__http_shard *s)
{
    int idle = 0;
    /* release: pairs with the acquire in will_be_woken (deadlock.c): somebody outside may wake us. */
    rn_add_release(&rn__external_wakers, 1);
    for (;;) {
        work(s);
        if (s->active_n && !is_due(s) && !s->wake.threads) {
            rest(s);
            idle = 0;
        } else if (s->wake.first) {
            let_ask(s);
            idle = 0;
        } else if (is_due(s)) {
            rn_yield();
        } else if (idle++ < LINGER) {
            let_ask(s);
        } else if (end(s)) {
            break;
        }
    }
    rn_sub_release(&rn__external_wakers, 1); /* as above */
}

void rn__http_shard_rest(struct rn__http_shard *s)
{
    rn__http_lock(s);
    s->drop_idle = s->driven || s->multi;
    struct rn_g *asleep = s->asleep;
    bool start = s->drop_idle && !s->driven;
    s->driven |= start;
    s->asleep = NULL;
    rn__http_unlock(s);
    if (asleep && rn__may_wake(asleep))
        rn__ready_last(asleep, false);
    if (start)
        start_driver(s);
}

/* ---- a shard's life ------------------------------------------------------------------------------------------ */

void rn__http_shard_init(struct rn__http_shard *s, struct rn_http_client *c)
{
    s->client = c;
    s->timer.fire = timer_fire;
    s->timer.awaited = timer_awaited;
    s->idle_timer.fire = idle_fire;
    s->idle_timer.awaited = never_awaited;
}

static bool is_driven(struct rn__http_shard *s)
{
    rn__http_lock(s);
    bool driven = s->driven;
    rn__http_unlock(s);
    return driven;
}

void rn__http_shard_end(struct rn__http_shard *s)
{
    for (;;) {
        while (is_driven(s))
            rn_yield();
        if (!rn__timer_stop(&s->idle_timer) && is_driven(s))
            continue; /* it has just started one */
        break;
    }
    close_multi(s); /* there was no memory for a driver to do it */
}

/* Its driver is gone, and does no more for it: who waits for that, if anybody is left, is told. */
static void abandon_locked(struct rn__http_shard *s, struct rn_http_exchange *ex)
{
    rn_lock_assert_held(&s->lock);
    if (ex->orders)
        rn_list_remove(&s->inbox, &ex->in_inbox);
    ex->orders = 0;
    ex->active = ex->counted = ex->stopped = false;
    ex->result = RN_ECLOSED;
    if (ex->by_thread)
        rn__http_tell_locked(ex, RN_HTTP_DONE);
}

/* Takes what is under way out of libcurl. */
static void abandon_active(struct rn__http_shard *s)
{
    for (struct rn_node *n; (n = rn_list_pop(&s->active)) != NULL;) {
        struct rn_http_exchange *ex = rn_container(n, struct rn_http_exchange, in_active);
        curl_multi_remove_handle(s->multi, ex->easy);
        rn__http_socket_left(ex);
        rn__http_lock(s);
        abandon_locked(s, ex);
        rn__http_unlock(s);
    }
}

void rn__http_shard_reset(struct rn__http_shard *s)
{
    s->wake = (struct rn_ready_list){0};
    abandon_active(s);
    close_multi(s);
    rn__timer_stop(&s->timer);
    rn__timer_stop(&s->idle_timer);
    rn__http_lock(s); /* who orders from now on finds no driver */
    while (s->inbox.first)
        abandon_locked(s, rn_container(s->inbox.first, struct rn_http_exchange, in_inbox));
    struct rn_ready_list wake = s->wake;
    s->wake = (struct rn_ready_list){0};
    s->sockets = (struct rn_list){0};
    s->asleep = NULL;
    s->told = NULL;
    s->in_call = false;
    s->driven = s->timer_fired = s->drop_idle = s->idle_armed = s->uses_tls = false;
    s->active_n = s->paused_n = 0;
    s->armed = 0;
    rn__http_unlock(s);
    rn__ready_all(&wake);
}
