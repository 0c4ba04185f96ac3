/* Model test of select and of sends and receives that a context ends: src/chan/{chan,select,done}.c.
 * Exactly one case wins, and what loses leaves no trace. */
#include "os/lock.c"
#include "chan/chan.c"
#include "chan/graveyard.c"
#include "chan/lock.c"
#define park select_park
#include "chan/select.c"
#undef park
#include "model_ctx.h"

void rn__timer_chan_free(struct rn_chan *c)
{
    (void)c;
    model_fail("rn__timer_chan_free");
}

static struct rn_chan *c;
static int sent, received, payload; /* plain */
static bool cancelled;              /* plain: written before the cancel */

static void setup_cap(int cap)
{
    model_sched_reset();
    model_ctx_reset();
    c = rn__chan_make(sizeof(int), _Alignof(int), cap, false);
    sent = received = payload = 0;
    cancelled = false;
}

static void setup_0(void)
{
    setup_cap(0);
}

static void setup_1(void)
{
    setup_cap(1);
}

static void recv_ctx(void)
{
    int v = 0;
    bool ok = false;
    struct rn_case cases[] = {{RN_CASE_RECV, c, &v, &ok, 0}, {RN_CASE_DONE, ctx, NULL, NULL, 0}};
    if (rn__select(cases, 2) == 0) {
        MODEL_CHECK(ok && v == 1 && payload == 1);
        received = 1;
    } else {
        MODEL_CHECK(cancelled);
    }
}

static void send_ctx(void)
{
    int v = 1;
    payload = 1;
    struct rn_case cases[] = {{RN_CASE_SEND, c, &v, NULL, 0}, {RN_CASE_DONE, ctx, NULL, NULL, 0}};
    if (rn__select(cases, 2) == 0)
        sent = 1;
    else
        MODEL_CHECK(cancelled);
}

static void try_send(void)
{
    int v = 1;
    payload = 1;
    sent = rn__chan_try_send(c, &v) == 0;
}

static void cancel(void)
{
    cancelled = true;
    model_ctx_cancel();
}

static void checks(void)
{
    int v, left = rn__chan_try_recv(c, &v) == 0;
    MODEL_CHECK(sent == received + left);
    MODEL_CHECK(!c->recvq.first && !c->sendq.first && model_ctx_quiet());
    MODEL_CHECK(rn_load_relaxed(&c->senders) == 0 && rn_load_relaxed(&c->receivers) == 0);
}

MODEL_TEST(both_may_give_up, .setup = setup_0, .thread = {recv_ctx, send_ctx, cancel}, .finish = checks,
           .preemptions = 2);
MODEL_TEST(both_may_give_up_buffered, .setup = setup_1, .thread = {recv_ctx, send_ctx, cancel}, .finish = checks,
           .preemptions = 2);
MODEL_TEST(receiver_gives_up, .setup = setup_0, .thread = {recv_ctx, try_send, cancel}, .finish = checks,
           .preemptions = 3);

/* A context that is done before. */
static void setup_done(void)
{
    setup_cap(0);
    cancel();
}

MODEL_TEST(done_before, .setup = setup_done, .thread = {recv_ctx, send_ctx}, .finish = checks);
MODEL_MUTANT(receiver_gives_up, "rn__done_fire_locked", "store_release");
MODEL_MUTANT(receiver_gives_up, "rn__done_err", "load_acquire");
