/* Model test of channels and select, src/chan/{chan,select}.c: matching, blocking and the looks without
 * a lock.  Contexts and timers do not take part. */
#include "os/lock.c"
#include "chan/chan.c"
#include "chan/graveyard.c"
#include "chan/lock.c"
#include "chan/select.c"
#include "model_sched.h"

/* ---- what is not used here ------------------------------------------------------------------ */

rn_atomic(char *) rn__done_chunk[RN_DONE_CHUNKS];

bool rn__done_add(const rn_context *ctx, struct rn_waiter *w)
{
    (void)ctx, (void)w;
    model_fail("rn__done_add");
}

void rn__done_remove(const rn_context *ctx, struct rn_waiter *w)
{
    (void)ctx, (void)w;
    model_fail("rn__done_remove");
}

void rn__timeout_start(struct rn_timeout *t, rn_time when)
{
    (void)t, (void)when;
    model_fail("rn__timeout_start");
}

void rn__timeout_stop(struct rn_timeout *t)
{
    (void)t;
    model_fail("rn__timeout_stop");
}

void rn__timer_chan_free(struct rn_chan *c)
{
    (void)c;
    model_fail("rn__timer_chan_free");
}

/* ---- sending and receiving ------------------------------------------------------------------ */

static struct rn_chan *a, *b;
static int payload[4]; /* plain: what was written before a send is there after the receive */
static int got[MODEL_THREADS][2], got_n[MODEL_THREADS];
static int panics;

static struct rn_chan *make(int cap)
{
    return rn__chan_make(sizeof(int), _Alignof(int), cap, false);
}

static void setup(int cap_a, int cap_b)
{
    model_sched_reset();
    model_solo_reset(0);
    taking = (rn_lock){0};
    a = make(cap_a);
    b = make(cap_b);
    panics = 0;
    for (int i = 0; i < MODEL_THREADS; i++)
        got[i][0] = got[i][1] = got_n[i] = payload[i] = 0;
}

static void setup_0(void)
{
    setup(0, 0);
}

static void setup_1(void)
{
    setup(1, 1);
}

static void put(struct rn_chan *c, int v)
{
    payload[v] = v;
    rn__chan_send(c, &v);
}

static void note(int v)
{
    int me = model_self();
    MODEL_CHECK(payload[v] == v && got_n[me] < 2);
    got[me][got_n[me]++] = v;
}

static void get(struct rn_chan *c)
{
    int v = 0;
    MODEL_CHECK(rn__chan_recv(c, &v));
    note(v);
}

static void send_1(void)
{
    put(a, 1);
}

static void send_2(void)
{
    put(a, 2);
}

static void send_1_2(void)
{
    put(a, 1);
    put(a, 2);
}

static void recv_one(void)
{
    get(a);
}

static void recv_two(void)
{
    get(a);
    get(a);
}

/* Nobody waits and nothing is left. */
static void quiet(struct rn_chan *c)
{
    MODEL_CHECK(!c->recvq.first && !c->sendq.first);
    MODEL_CHECK(rn_load_relaxed(&c->senders) == 0 && rn_load_relaxed(&c->receivers) == 0);
}

static void all_quiet(void)
{
    quiet(a);
    quiet(b);
}

static void empty(void)
{
    all_quiet();
    MODEL_CHECK(rn_load_relaxed(&a->count) == 0 && rn_load_relaxed(&b->count) == 0);
}

static void in_order(void)
{
    empty();
    MODEL_CHECK(got[1][0] == 1 && got[1][1] == 2);
}

static void each_once(void)
{
    empty();
    MODEL_CHECK(got[2][0] + got[2][1] == 3 && got[2][0] && got[2][1]);
}

static void one_each(void)
{
    empty();
    MODEL_CHECK(got[1][0] + got[2][0] == 3 && got[1][0] && got[2][0]);
}

MODEL_TEST(unbuffered, .setup = setup_0, .thread = {send_1, recv_one}, .finish = empty);
MODEL_TEST(unbuffered_in_order, .setup = setup_0, .thread = {send_1_2, recv_two}, .finish = in_order);
MODEL_TEST(buffered_in_order, .setup = setup_1, .thread = {send_1_2, recv_two}, .finish = in_order);
MODEL_TEST(two_senders, .setup = setup_0, .thread = {send_1, send_2, recv_two}, .finish = each_once, .preemptions = 2);
MODEL_TEST(two_senders_buffered, .setup = setup_1, .thread = {send_1, send_2, recv_two}, .finish = each_once,
           .preemptions = 2);
MODEL_TEST(two_receivers, .setup = setup_1, .thread = {send_1_2, recv_one, recv_one}, .finish = one_each,
           .preemptions = 2);
MODEL_MUTANT(unbuffered, "rn__chan_grab", "cas_acquire");
MODEL_MUTANT(unbuffered, "try_slowly", "cas_acquire");
MODEL_MUTANT(unbuffered, "rn__chan_let_go", "store_release");

/* The channel may be freed as soon as the value is there. */
static void recv_free(void)
{
    get(a);
    rn_chan_free(a);
}

MODEL_TEST(freed_after_receive, .setup = setup_0, .thread = {send_1, recv_free});
MODEL_TEST(freed_after_receive_buffered, .setup = setup_1, .thread = {send_1, recv_free});

/* ---- close ---------------------------------------------------------------------------------- */

static void send_close(void)
{
    put(a, 1);
    (rn_chan_close)(a);
}

static void drain(void)
{
    int v;
    while (rn__chan_recv(a, &v))
        note(v);
    MODEL_CHECK(got_n[model_self()] == 1 && v == 0);
}

static void close_a(void)
{
    (rn_chan_close)(a);
}

static void send_or_panic(void)
{
    int v = 1;
    payload[1] = 1;
    panics = MODEL_PANICS(rn__chan_send(a, &v));
}

static void recv_or_closed(void)
{
    int v;
    if (rn__chan_recv(a, &v))
        note(v);
}

static void sent_or_not(void)
{
    all_quiet();
    MODEL_CHECK(panics == (got_n[2] == 0));
}

MODEL_TEST(values_then_closed, .setup = setup_0, .thread = {send_close, drain}, .finish = empty);
MODEL_TEST(values_then_closed_buffered, .setup = setup_1, .thread = {send_close, drain}, .finish = empty);
MODEL_TEST(close_beside_send, .setup = setup_0, .thread = {send_or_panic, close_a, recv_or_closed},
           .finish = sent_or_not, .preemptions = 2);

/* ---- looks without the lock ----------------------------------------------------------------- */

/* While the other thread keeps one element there all the time, a try must find one; and room, while
 * there is room all the time. */
static void setup_half(void)
{
    int v = 1;
    model_sched_reset();
    model_solo_reset(0);
    a = make(2);
    b = make(1);
    rn__chan_send(a, &v);
}

static void send_recv(void)
{
    int v = 2;
    rn__chan_send(a, &v);
    rn__chan_recv(a, &v);
}

static void recv_send(void)
{
    int v;
    rn__chan_recv(a, &v);
    rn__chan_send(a, &v);
}

static void must_try_recv(void)
{
    int v;
    MODEL_CHECK(rn__chan_try_recv(a, &v) == 0);
}

static void must_try_send(void)
{
    int v = 3;
    MODEL_CHECK(rn__chan_try_send(a, &v) == 0);
}

MODEL_TEST(try_recv_is_exact, .setup = setup_half, .thread = {send_recv, must_try_recv});
MODEL_TEST(try_send_is_exact, .setup = setup_half, .thread = {recv_send, must_try_send});

/* A closed channel never reads as open and empty once its close is known. */
static void close_then_tell(void)
{
    (rn_chan_close)(a);
    int v = 1;
    rn__chan_send(b, &v);
}

static void told_then_try(void)
{
    int v;
    if (rn__chan_try_recv(b, &v) != 0)
        return;
    MODEL_CHECK(rn__chan_try_recv(a, &v) == RN_ECLOSED);
}

MODEL_TEST(close_is_seen, .setup = setup_1, .thread = {close_then_tell, told_then_try});

/* The default case: only when nothing is ready at one instant.  One of a and b always holds a value. */
static void setup_a_holds(void)
{
    int v = 1;
    setup(1, 1);
    rn__chan_send(a, &v);
}

static void must_not_default(void)
{
    int v;
    struct rn_case cases[] = {
        {RN_CASE_RECV, a, &v, NULL, 0}, {RN_CASE_RECV, b, &v, NULL, 0}, {RN_CASE_DEFAULT, NULL, NULL, NULL, 0}};
    MODEL_CHECK(rn__select(cases, 3) != 2);
}

/* In the other order of cases. */
static void must_not_default_either(void)
{
    int v;
    struct rn_case cases[] = {
        {RN_CASE_RECV, b, &v, NULL, 0}, {RN_CASE_RECV, a, &v, NULL, 0}, {RN_CASE_DEFAULT, NULL, NULL, NULL, 0}};
    MODEL_CHECK(rn__select(cases, 3) != 2);
}

/* The mover receives only what the other has left. */
static void move_to_b(void)
{
    int v = 2;
    rn__chan_send(b, &v);
    rn__chan_try_recv(a, &v);
}

static void move_there_and_back(void)
{
    int v = 2;
    move_to_b();
    rn__chan_try_send(a, &v);
    rn__chan_try_recv(b, &v);
}

MODEL_TEST(default_is_exact, .setup = setup_a_holds, .thread = {move_to_b, must_not_default});
MODEL_TEST(default_is_exact_either_way, .setup = setup_a_holds, .thread = {move_to_b, must_not_default_either});
MODEL_TEST(default_is_exact_back, .setup = setup_a_holds, .thread = {move_there_and_back, must_not_default},
           .preemptions = 3);
MODEL_TEST(default_is_exact_back_either, .setup = setup_a_holds,
           .thread = {move_there_and_back, must_not_default_either}, .preemptions = 3);
MODEL_MUTANT(default_is_exact, "rn__chan_seems_receivable", "load_acquire &c->count");
MODEL_MUTANT(default_is_exact, "rn__chan_count_to", "store_release");

/* ---- select --------------------------------------------------------------------------------- */

static int chose[MODEL_THREADS];

static void select_pair(struct rn_chan *send, struct rn_chan *recv)
{
    int me = model_self(), v = 0, sent = 1 + me;
    payload[sent] = sent;
    struct rn_case cases[] = {{RN_CASE_SEND, send, &sent, NULL, 0}, {RN_CASE_RECV, recv, &v, NULL, 0}};
    chose[me] = rn__select(cases, 2);
    if (chose[me] == 1)
        note(v);
}

static void select_a_b(void)
{
    select_pair(a, b);
}

static void select_b_a(void)
{
    select_pair(b, a);
}

/* One sends and the other receives, on the same channel. */
static void met(void)
{
    empty();
    MODEL_CHECK(chose[0] + chose[1] == 1);
}

MODEL_TEST(selects_meet, .setup = setup_0, .thread = {select_a_b, select_b_a}, .finish = met, .preemptions = 3);

static void select_recv(void)
{
    int v = 0, me = model_self();
    struct rn_case cases[] = {{RN_CASE_RECV, a, &v, NULL, 0}, {RN_CASE_RECV, b, &v, NULL, 0}};
    chose[me] = rn__select(cases, 2);
    note(v);
}

static void send_b(void)
{
    put(b, 1);
}

static void select_recv_twice(void)
{
    select_recv();
    select_recv();
}

static void both_came(void)
{
    empty();
    MODEL_CHECK(got[0][0] + got[0][1] == 3);
}

MODEL_TEST(select_leaves_no_trace, .setup = setup_0, .thread = {select_recv, send_b}, .finish = empty);
MODEL_TEST(select_takes_both, .setup = setup_0, .thread = {select_recv_twice, send_b, send_2}, .finish = both_came,
           .preemptions = 1);

/* ---- a channel that is a thread's own ------------------------------------------------------------- */

/* Two threads have names; a and b are the first's own. */
static void owned(void)
{
    model_solo_reset(2);
    rn_store_relaxed(&a->free, model_solo_name[0]);
    rn_store_relaxed(&b->free, model_solo_name[0]);
    rn_store_relaxed(&a->lock.held, model_solo_name[0]);
    rn_store_relaxed(&b->lock.held, model_solo_name[0]);
}

static void setup_owned_0(void)
{
    setup_0();
    owned();
}

static void setup_owned_1(void)
{
    setup_1();
    owned();
}

MODEL_TEST(owned_sends, .setup = setup_owned_1, .thread = {send_1, recv_one}, .finish = empty);
MODEL_TEST(owned_receives, .setup = setup_owned_1, .thread = {recv_one, send_1}, .finish = empty);
MODEL_TEST(owned_unbuffered, .setup = setup_owned_0, .thread = {send_1, recv_one}, .finish = empty, .preemptions = 3);
MODEL_TEST(owned_in_order, .setup = setup_owned_1, .thread = {send_1_2, recv_two}, .finish = in_order,
           .preemptions = 3);
MODEL_TEST(owned_freed_by_another, .setup = setup_owned_1, .thread = {send_1, recv_free}, .preemptions = 3);
MODEL_TEST(owned_freed_by_owner, .setup = setup_owned_1, .thread = {recv_free, send_1}, .preemptions = 3);
MODEL_TEST(owned_selects_meet, .setup = setup_owned_0, .thread = {select_a_b, select_b_a}, .finish = met,
           .preemptions = 2);
MODEL_MUTANT(owned_sends, "rn_os_fence_restart", "fence_restart");
MODEL_MUTANT(owned_receives, "rn__chan_let_go", "store_release");

/* Two take it from its owner at the same time. */
static void owner_s_two_came(void)
{
    empty();
    MODEL_CHECK(got[0][0] + got[0][1] == 3);
}

MODEL_TEST(owned_two_others, .setup = setup_owned_1, .thread = {recv_two, send_1, send_2}, .finish = owner_s_two_came,
           .preemptions = 3);

/* What others do to the owner, and the owner to itself: a section that fails for no reason. */
static void setup_interrupted(void)
{
    setup_owned_1();
    model_solo_interrupted[0] = 1;
}

MODEL_TEST(owned_interrupted, .setup = setup_interrupted, .thread = {send_1, recv_one}, .finish = empty,
           .preemptions = 3);

/* Looks without the lock. */
static void setup_owned_a_holds(void)
{
    setup_a_holds();
    owned();
}

MODEL_TEST(owned_default_is_exact, .setup = setup_owned_a_holds, .thread = {move_to_b, must_not_default},
           .preemptions = 3);
MODEL_TEST(owned_default_is_exact_either_way, .setup = setup_owned_a_holds,
           .thread = {move_to_b, must_not_default_either}, .preemptions = 3);

/* It has one look to go, and becomes the first thread's meanwhile; or there is no budget for it. */
static bool was_owned;

static void setup_due(void)
{
    setup_1();
    model_solo_reset(2);
    was_owned = false;
    a->owner = (RN_SOLO_EARNS - 1) * RN_SOLO_SEEN | 1u << RN_SOLO_NAME_SHIFT;
    rn_store_relaxed(&a->changes, RN_CHAN_LOOKS - 1);
}

static void setup_poor(void)
{
    setup_due();
    model_solo_affords = false;
}

static void send_due(void)
{
    put(a, 1);
    was_owned = rn_load_relaxed(&a->lock.held) & RN_CHAN_OWNED;
}

static void note_owned(void)
{
    model_outcome(was_owned ? "owned" : "not owned");
    empty();
}

MODEL_TEST(owned_when_due, .setup = setup_due, .thread = {send_due, recv_one}, .finish = note_owned,
           .outcomes = "not owned|owned");
MODEL_TEST(owned_never_when_poor, .setup = setup_poor, .thread = {send_due, recv_one}, .finish = note_owned,
           .outcomes = "not owned");
