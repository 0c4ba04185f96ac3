/* Model test of how a server that is shut down tells a connection that goes idle at that moment, src/http/server.c and
 * src/http/conn.c: one of the two sees the other, or the connection would wait for its idle timeout. */
#include "os/lock.c"
#include "http/server.c"
#undef defer
#define defer(f, arg) (f)(arg) /* a connection's goroutine as a whole does not run here */
#include "http/conn.c"
#include "engine/model.h"

/* ---- what neither comes to here -------------------------------------------------------------------------- */

static __attribute__((used)) void never_called(void)
{
    model_fail("called what does not belong here");
}

#define NEVER(name) __asm__(".globl " #name "\n.set " #name ", never_called")
NEVER(rn__ctx_with_signals);
NEVER(rn__http1_fill);
NEVER(rn__http1_flush);
NEVER(rn__http1_refuse);
NEVER(rn__http2_can_upgrade);
NEVER(rn__http2_drain_pool);
NEVER(rn__websocket_drain_pool);
NEVER(rn__http2_serve);
NEVER(rn__http_arena_copy);
NEVER(rn__http_arena_get);
NEVER(rn__http_arena_init);
NEVER(rn__http_begin);
NEVER(rn__http_end);
NEVER(rn__http_head_end);
NEVER(rn__http_make_context);
NEVER(rn__http_parse_head);
NEVER(rn__http_read_body);
NEVER(rn__http_run);
NEVER(rn__http_take_target);
NEVER(rn__net_accept_now);
NEVER(rn__net_accept_telling);
NEVER(rn__net_read_early);
NEVER(rn__net_turn_read);
NEVER(rn__net_write_by);
NEVER(rn__stream_close_write);
NEVER(rn__stream_end);
NEVER(rn__stream_write);
NEVER(rn__tls_accept);
NEVER(rn__tls_context_free);
NEVER(rn__tls_context_make);
NEVER(rn__tls_pending);
NEVER(rn__wg_ended);
NEVER(rn__wg_go_failed);
NEVER(rn_addr_format);
NEVER(rn_cond_broadcast);
NEVER(rn_cond_destroy);
NEVER(rn_cond_wait);
NEVER(rn_cond_wait_ctx);
NEVER(rn_ctx_cancel);
NEVER(rn_ctx_wait);
NEVER(rn_ctx_with_timeout);
NEVER(rn_mutex_lock);
NEVER(rn_mutex_unlock);
NEVER(rn_net_free);
NEVER(rn_net_listen);
NEVER(rn_net_listener_addr);
NEVER(rn_net_listener_close);
NEVER(rn_net_listener_free);
NEVER(rn_net_listener_set_deadline);
NEVER(rn_net_read);
NEVER(rn_net_remote_addr);
NEVER(rn_net_set_deadline);
NEVER(rn_net_set_linger);
NEVER(rn_net_set_write_deadline);
NEVER(rn_net_wait_read);
NEVER(rn_net_write);
NEVER(rn_pool_drain);
NEVER(rn_pool_get);
NEVER(rn_pool_put);
NEVER(rn_sem_acquire);
NEVER(rn_sem_destroy);
NEVER(rn_sem_release);
NEVER(rn_sleep);
NEVER(rn_strerror);
NEVER(rn_wg_add);
NEVER(rn_wg_done);
NEVER(rn_wg_wait);

void (*const rn__go_entries[6])(void);
const struct rn__http_carrier rn__http1;

/* ---- the connection's socket, as far as it matters -------------------------------------------------------- */

static rn_lock socket_lock;
static struct {
    rn_time deadline;
    bool closed, waits;
} sock; /* guarded by socket_lock */

rn_time rn_now(void)
{
    return RN_SECOND;
}

rn_time rn__deadline(rn_duration d)
{
    return RN_SECOND + d;
}

void rn_net_set_read_deadline(rn_conn *c, rn_time when)
{
    (void)c;
    rn_lock_take(&socket_lock, RN_RANK_POLL);
    sock.deadline = when;
    rn_lock_release(&socket_lock);
}

int rn__net_turn(rn_conn *c, rn_time deadline)
{
    rn_net_set_read_deadline(c, deadline);
    return 0;
}

int rn__net_turn_wait(rn_conn *c)
{
    (void)c;
    rn_lock_take(&socket_lock, RN_RANK_POLL);
    sock.waits = true;
    rn_lock_release(&socket_lock);
    return RN_ECLOSED;
}

void rn__net_turn_end(rn_conn *c)
{
    (void)c;
}

bool rn__net_has_come(rn_conn *c)
{
    (void)c;
    return false;
}

int rn_net_close(rn_conn *c)
{
    (void)c;
    rn_lock_take(&socket_lock, RN_RANK_POLL);
    sock.closed = true;
    rn_lock_release(&socket_lock);
    return 0;
}

void rn_ctx_cancel_cause(rn_context *ctx, int cause)
{
    (void)ctx, (void)cause;
}

/* ---- the tests -------------------------------------------------------------------------------------------- */

static struct rn_http_server server;
static struct rn__http_conn conn;

static void setup_new(void)
{
    server = (struct rn_http_server){.o.idle_timeout = 60 * RN_SECOND};
    conn = (struct rn__http_conn){.server = &server};
    socket_lock = (rn_lock){0};
    memset(&sock, 0, sizeof sock);
}

static void shut_down(void)
{
    stop_accepting(&server);
    tell_connection(&conn);
}

static void wait_for_first(void)
{
    (void)wait_for_request(&conn);
}

/* It waits for a moment at most, or was closed. */
static void was_told(void)
{
    MODEL_CHECK(!sock.waits || sock.closed || sock.deadline < 60 * RN_SECOND);
}

MODEL_TEST(a_new_one, .setup = setup_new, .thread = {shut_down, wait_for_first}, .finish = was_told);

static void setup_first_request(void)
{
    setup_new();
    rn_store_relaxed(&conn.state, RN__HTTP_ACTIVE);
}

static void setup_later_request(void)
{
    setup_first_request();
    rn_store_relaxed(&conn.served, true);
}

/* As in serve_arrived and rn__http_conn_main. */
static void end_request(void)
{
    rn_store_relaxed(&conn.served, true);
    if (rn__http_conn_become(&conn, RN__HTTP_ACTIVE, RN__HTTP_IDLE))
        (void)wait_for_request(&conn);
}

MODEL_TEST(after_its_first_request, .setup = setup_first_request, .thread = {shut_down, end_request},
           .finish = was_told);
MODEL_MUTANT(after_its_first_request, "rn__http_conn_become", "cas_seq_cst");
MODEL_MUTANT(after_its_first_request, "rn__http_server_draining", "load_seq_cst");
MODEL_MUTANT(after_its_first_request, "stop_accepting", "store_seq_cst");
MODEL_MUTANT(after_its_first_request, "tell_connection", "load_seq_cst &c->state");
MODEL_TEST(after_a_later_request, .setup = setup_later_request, .thread = {shut_down, end_request}, .finish = was_told);
MODEL_MUTANT(after_a_later_request, "tell_connection", "cas_seq_cst");
