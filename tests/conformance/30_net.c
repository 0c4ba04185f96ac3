/* SEMANTICS 30, for the network, and the line "Net" of the details: every call that waits can be ended by a context,
 * a deadline or a close; a close wakes a blocked read; clearing an expired deadline revives the connection. */
#include <errno.h>
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <string.h>

enum { FULL = 1 << 16 };

/* A connection whose peer neither reads nor writes. */
struct silent {
    rn_listener *l;
    rn_conn *c, *peer;
};

static struct silent silent(void)
{
    struct silent s;
    rn_addr a;
    char text[RN_ADDR_TEXT];
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &s.l) == 0);
    net_listener_addr(s.l, &a);
    REQUIRE(net_dial("tcp", addr_format(&a, text), &s.c) == 0);
    REQUIRE(net_accept(s.l, &s.peer) == 0);
    return s;
}

static void release(struct silent *s)
{
    net_free(s->c);
    net_free(s->peer);
    net_listener_free(s->l);
    CHECK_EQ(rn_num_descriptors(), 0);
}

/* ---- calls that wait, by number ------------------------------------------------------------------- */

enum { READ, READV, READ_FULL, WRITE, WRITEV, ACCEPT, READ_FROM, FD_WAIT, CALLS };

static ssize_t call(int which, rn_context *ctx, struct silent *s)
{
    static char full[FULL];
    struct iovec iov = {full, sizeof full};
    rn_conn *c;
    switch (which) {
    case READ:
        return net_read_ctx(ctx, s->c, full, 1);
    case READV:
        return net_readv_ctx(ctx, s->c, &iov, 1);
    case READ_FULL:
        return net_read_full_ctx(ctx, s->c, full, 2);
    case ACCEPT:
        return net_accept_ctx(ctx, s->l, &c);
    case READ_FROM:
        return net_read_from_ctx(ctx, s->c, full, 1, NULL);
    case FD_WAIT:
        return fd_wait_ctx(ctx, net_fd(s->c), RN_FD_READ, 0);
    default: /* until the buffers are full */
        for (ssize_t n = 1; n > 0;)
            if ((n = which == WRITE ? net_write_ctx(ctx, s->c, full, FULL) : net_writev_ctx(ctx, s->c, &iov, 1)) < 0)
                return n;
        return 0;
    }
}

TEST(a_context_that_is_done_ends_every_call_at_once)
{
    struct silent s = silent();
    rn_context *ctx = ctx_with_cancel(NULL);
    ctx_cancel(ctx);
    for (int which = 0; which < CALLS; which++)
        CHECK_EQ(call(which, ctx, &s), RN_ECANCELED);
    rn_conn *c;
    CHECK_EQ(net_dial_ctx(ctx, "tcp", "127.0.0.1:1", &c), RN_ECANCELED);
    release(&s);
}

static void cancel_when_waiting(rn_context *ctx)
{
    rn_sleep(2 * RN_MILLISECOND);
    ctx_cancel(ctx);
}

TEST(a_context_ends_every_call_that_waits)
{
    for (int which = 0; which < CALLS; which++) {
        struct silent s = silent();
        rn_context *ctx = ctx_with_cancel(NULL);
        go(cancel_when_waiting, ctx);
        CHECK_EQ(call(which, ctx, &s), RN_ECANCELED);
        ctx = ctx_with_timeout(NULL, 2 * RN_MILLISECOND);
        CHECK_EQ(call(which, ctx, &s), RN_ETIMEOUT);
        ctx_cancel(ctx);
        release(&s);
    }
    while (rn_num_contexts() > 0) /* the last one's cancel is on its way out */
        rn_yield();
}

static void set_deadlines(struct silent *s, rn_time when)
{
    net_set_deadline(s->c, when);
    net_listener_set_deadline(s->l, when);
}

TEST(a_deadline_ends_every_call_that_waits)
{
    for (int which = 0; which < FD_WAIT; which++) {
        struct silent s = silent();
        rn_time until = rn_now() + 2 * RN_MILLISECOND;
        set_deadlines(&s, until);
        CHECK_EQ(call(which, NULL, &s), RN_ETIMEOUT);
        CHECK(rn_now() >= until);
        CHECK_EQ(call(which, NULL, &s), RN_ETIMEOUT);
        release(&s);
    }
}

static void set_deadlines_when_waiting(struct silent *s, rn_duration d)
{
    rn_sleep(2 * RN_MILLISECOND);
    set_deadlines(s, rn_now() + d);
}

TEST(a_deadline_set_meanwhile_takes_effect)
{
    for (int which = 0; which < FD_WAIT; which++)
        for (int past = 0; past < 2; past++) {
            struct silent s = silent();
            set_deadlines(&s, rn_now() + RN_HOUR);
            rn_waitgroup wg = {0};
            wg_go(&wg, set_deadlines_when_waiting, &s, past ? -RN_SECOND : RN_MILLISECOND);
            CHECK_EQ(call(which, NULL, &s), RN_ETIMEOUT);
            wg_wait(&wg);
            release(&s);
        }
}

static void lift_deadlines_when_waiting(struct silent *s)
{
    rn_sleep(RN_MILLISECOND);
    set_deadlines(s, 0);
    rn_sleep(30 * RN_MILLISECOND); /* long after the old one */
    net_write(s->peer, "x", 1);
}

TEST(a_deadline_lifted_meanwhile_ends_nothing)
{
    struct silent s = silent();
    char byte;
    rn_waitgroup wg = {0};
    set_deadlines(&s, rn_now() + 15 * RN_MILLISECOND);
    wg_go(&wg, lift_deadlines_when_waiting, &s);
    ssize_t n = net_read(s.c, &byte, 1);
    /* On a machine that was busy for long the deadline may have come before it was lifted. */
    CHECK(n == 1 || n == RN_ETIMEOUT);
    wg_wait(&wg);
    if (n == 1)
        CHECK(byte == 'x');
    else
        CHECK_EQ(net_read(s.c, &byte, 1), 1);
    release(&s);
}

static void close_when_waiting(struct silent *s)
{
    rn_sleep(2 * RN_MILLISECOND);
    CHECK_EQ(net_listener_close(s->l), 0);
    CHECK_EQ(net_close(s->c), 0);
}

TEST(a_close_ends_every_call_that_waits)
{
    for (int which = 0; which < FD_WAIT; which++) {
        struct silent s = silent();
        rn_waitgroup wg = {0};
        wg_go(&wg, close_when_waiting, &s);
        CHECK_EQ(call(which, NULL, &s), RN_ECLOSED);
        wg_wait(&wg);
        CHECK_EQ(call(which, NULL, &s), RN_ECLOSED);
        CHECK_EQ(net_close(s.c), RN_ECLOSED);
        CHECK_EQ(net_listener_close(s.l), RN_ECLOSED);
        release(&s);
    }
}

TEST(clearing_an_expired_deadline_revives)
{
    struct silent s = silent();
    char byte;
    net_set_deadline(s.c, rn_now() - 1);
    CHECK_EQ(net_read(s.c, &byte, 1), RN_ETIMEOUT);
    CHECK_EQ(net_write(s.c, "x", 1), RN_ETIMEOUT);
    CHECK_EQ(net_write(s.peer, "y", 1), 1);
    CHECK_EQ(net_read(s.c, &byte, 1), RN_ETIMEOUT); /* also when there is something */
    net_set_deadline(s.c, 0);
    CHECK_EQ(net_read(s.c, &byte, 1), 1);
    CHECK_EQ(net_write(s.c, "x", 1), 1);
    CHECK_EQ(net_read(s.peer, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    release(&s);
}

TEST(one_side_expires_and_the_other_goes_on)
{
    struct silent s = silent();
    char byte;
    net_set_read_deadline(s.c, rn_now() - 1);
    CHECK_EQ(net_read(s.c, &byte, 1), RN_ETIMEOUT);
    CHECK_EQ(net_write(s.c, "x", 1), 1);
    net_set_read_deadline(s.c, 0);
    net_set_write_deadline(s.c, rn_now() - 1);
    CHECK_EQ(net_write(s.peer, "x", 1), 1);
    CHECK_EQ(net_read(s.c, &byte, 1), 1);
    CHECK_EQ(net_write(s.c, "x", 1), RN_ETIMEOUT);
    release(&s);
}
