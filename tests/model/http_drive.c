/* Model tests of an HTTP client's driver, src/http/client_drive.c, over a model of timers: what the driver learns from a flag
 * that the timer has set is not that the timer is idle; and whoever gives an order does not know that the exchange is over. */
#if __has_include(<curl/curl.h>)
#include "os/lock.c"
#include "http/client_drive.c"
#include "model_sched.h"
#include <stdarg.h>

/* ---- timers: one processor's, with one in them at most -------------------------------------------------- */

static rn_lock timers_lock;
static struct rn_timer_entry *wheel; /* guarded by timers_lock */
static char home;                    /* stands for the processor */

static bool lock_timers_of(struct rn_timer_entry *t)
{
    if (!rn_load_acquire(&t->p))
        return false;
    rn_lock_take(&timers_lock, RN_RANK_TIMERS);
    if (rn_load_relaxed(&t->p))
        return true;
    rn_lock_release(&timers_lock);
    return false;
}

void rn__timer_start(struct rn_timer_entry *t, rn_time when)
{
    MODEL_CHECK(!rn_load_acquire(&t->p)); /* it must be idle */
    rn_lock_take(&timers_lock, RN_RANK_TIMERS);
    t->wheel.when = when;
    wheel = t;
    rn_store_release(&t->p, (struct rn_p *)(void *)&home);
    rn_lock_release(&timers_lock);
}

bool rn__timer_stop(struct rn_timer_entry *t)
{
    if (!lock_timers_of(t))
        return false;
    wheel = NULL;
    rn_store_release(&t->p, NULL);
    rn_lock_release(&timers_lock);
    return true;
}

bool rn__timer_move(struct rn_timer_entry *t, rn_time when)
{
    if (!lock_timers_of(t))
        return false;
    t->wheel.when = when;
    rn_lock_release(&timers_lock);
    return true;
}

/* A worker whose clock says DEADLINE. */
enum { DEADLINE = 2000 };
static void timers_run(void)
{
    struct rn_ready_list wake = {0};
    rn_lock_take(&timers_lock, RN_RANK_TIMERS);
    struct rn_timer_entry *t = wheel;
    if (t && t->wheel.when == DEADLINE) {
        wheel = NULL;
        rn_time again = t->fire(t, DEADLINE, &wake);
        wheel = again ? t : NULL;
        if (again)
            t->wheel.when = again;
        else
            rn_store_release(&t->p, NULL); /* its last step: until then t is not idle */
    }
    rn_lock_release(&timers_lock);
}

/* ---- what the driver here never comes to --------------------------------------------------------------- */

rn_atomic(int64_t) rn__external_wakers;
void (*const rn__go_entries[6])(void);

/* The functions of libcurl and of the client's other files: whoever calls one is told its name. */
#define NEVER(type, name, ...)                \
    type name(__VA_ARGS__)                    \
    {                                         \
        model_fail(#name " does not belong"); \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#undef curl_easy_getinfo
#undef curl_multi_setopt
NEVER(CURLcode, curl_easy_pause, CURL *e, int bits)
NEVER(CURLMcode, curl_multi_add_handle, CURLM *m, CURL *e)
NEVER(CURLMcode, curl_multi_cleanup, CURLM *m)
NEVER(CURLM *, curl_multi_init, void)
NEVER(CURLMcode, curl_multi_setopt, CURLM *m, CURLMoption o, ...)
NEVER(int, rn__http_error, CURLcode code, long os_errno)
NEVER(void, rn__http_sockets_set_multi, struct rn__http_shard *s)
NEVER(void, rn__http_tell_libcurl, struct rn__http_shard *s, struct rn__http_socket *k, uint32_t ready)
NEVER(void, rn__http_spares_free, struct rn__http_shard *s)
NEVER(int, rn__wait_until, struct rn_waiter *w, rn_context *ctx, rn_time deadline, enum rn_wait why, const void *what)
NEVER(int, rn_os_pipe_signal_hold, void)
#pragma GCC diagnostic pop

void rn__http_socket_left(struct rn_http_exchange *ex)
{
    (void)ex; /* it has none */
}

void rn__http_sockets_act(struct rn__http_shard *s)
{
    (void)s;
}

int rn__spawn(void (*f)(void *), void *arg, struct rn_ready_list *list)
{
    (void)f, (void)arg, (void)list;
    return RN_ENOMEM;
}

void rn_os_pipe_signal_release(int held)
{
    MODEL_CHECK(!held);
}

/* ---- a shard -------------------------------------------------------------------------------------------- */

static struct rn__http_shard *shard;

/* Driven, with its timer set; by now libcurl wants to be called earlier. */
static void setup(void)
{
    static struct rn_http_client client;
    model_sched_reset();
    timers_lock = (rn_lock){0};
    wheel = NULL;
    shard = calloc(1, sizeof *shard);
    rn__http_shard_init(shard, &client);
    shard->driven = true;
    shard->due = DEADLINE - 500;
    shard->armed = DEADLINE;
    rn__timer_start(&shard->timer, DEADLINE);
}

/* Two rounds, each as if it would sleep afterwards. */
static void driver_goes_on(void)
{
    for (int i = 0; i < 2; i++) {
        work(shard);
        arm(shard);
    }
}

static void is_armed(void)
{
    MODEL_CHECK(wheel == &shard->timer && rn_load_relaxed(&wheel->p) && wheel->wheel.when == shard->due);
    free(shard);
}

MODEL_TEST(timer_beside_driver, .setup = setup, .thread = {driver_goes_on, timers_run}, .finish = is_armed);

/* Nothing is under way any more, and the client is freed. */
static void driver_ends(void)
{
    do
        work(shard);
    while (!end(shard));
    free(shard);
}

MODEL_TEST(timer_beside_the_end, .setup = setup, .thread = {driver_ends, timers_run});

/* Its connections are kept for a while; that is over, but there is no memory for a driver that closes them. */
static void setup_idle(void)
{
    setup();
    (void)rn__timer_stop(&shard->timer);
    shard->driven = false;
    shard->due = shard->armed = 0;
    shard->used_at = DEADLINE - 100 * RN_SECOND;
    shard->multi = (CURLM *)&home; /* somewhere */
    shard->idle_armed = true;
    rn__timer_start(&shard->idle_timer, DEADLINE);
}

/* A driver for something new, at its end. */
static void driver_rests(void)
{
    rn__http_lock(shard);
    shard->driven = true;
    rn__http_unlock(shard);
    disarm(shard);
}

static void idle_is_armed(void)
{
    MODEL_CHECK(wheel == &shard->idle_timer && rn_load_relaxed(&wheel->p) && shard->idle_armed);
    free(shard);
}

MODEL_TEST(idle_timer_beside_driver, .setup = setup_idle, .thread = {driver_rests, timers_run},
           .finish = idle_is_armed);

/* ---- an exchange ----------------------------------------------------------------------------------------- */

static struct rn_http_exchange exchange;
static CURLMsg over; /* what libcurl will say of it; of no handle: nothing */

CURLMsg *curl_multi_info_read(CURLM *m, int *left)
{
    (void)m;
    *left = 0;
    return over.easy_handle ? &over : NULL;
}

CURLcode curl_easy_getinfo(CURL *e, CURLINFO what, ...)
{
    va_list to;
    va_start(to, what);
    *va_arg(to, struct rn_http_exchange **) = e;
    va_end(to);
    return CURLE_OK;
}

CURLMcode curl_multi_remove_handle(CURLM *m, CURL *e)
{
    (void)m;
    MODEL_CHECK(e == &exchange);
    over.easy_handle = NULL;
    return CURLM_OK;
}

/* Under way.  libcurl has nothing to say of it. */
static void setup_exchange(void)
{
    setup();
    (void)rn__timer_stop(&shard->timer);
    shard->due = shard->armed = 0;
    shard->multi = (CURLM *)&home; /* somewhere */
    shard->active_n = 1;
    over = (CURLMsg){.msg = CURLMSG_DONE};
    exchange = (struct rn_http_exchange){
        .shard = shard, .easy = &exchange, .active = true, .counted = true, .head_over = true};
    rn_list_push(&shard->active, &exchange.in_active);
}

/* libcurl has come to its end. */
static void setup_last_moment(void)
{
    setup_exchange();
    over.easy_handle = &exchange;
}

static void driver_works(void)
{
    while (shard->active_n) {
        work(shard);
        if (shard->active_n)
            rest(shard);
        else
            let_ask(shard);
    }
}

/* Its goroutine, which does not want it any more. */
static void owner_stops(void)
{
    rn__http_order(&exchange, RN_HTTP_STOP, true);
    (void)rn__http_await(&exchange, RN_HTTP_DONE, NULL);
    memset(&exchange, 0, sizeof exchange); /* freed */
}

/* Of something that is freed. */
static void no_order_is_left(void)
{
    MODEL_CHECK(!shard->inbox.first && !shard->active.first && !shard->wake.first);
    free(shard);
}

MODEL_TEST(an_order_wakes_the_driver, .setup = setup_exchange, .thread = {driver_works, owner_stops},
           .finish = no_order_is_left, .preemptions = 2);
MODEL_TEST(an_order_at_the_last_moment, .setup = setup_last_moment, .thread = {driver_works, owner_stops},
           .finish = no_order_is_left, .preemptions = 3);
#endif
