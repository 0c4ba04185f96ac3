/* Two selects facing each other on the same channels in any order do not deadlock or lose a value. */
#include "chan_inside.h"

enum { ROUNDS = 300 };

struct side {
    chan(long) c[3];
    int order[3];  /* the cases in this order */
    bool sends[3]; /* what it does with channel i; the other side does the opposite */
    long sent, received;
    int count[3];
};

static void face(struct side *s, chan(int) done)
{
    for (long r = 0; r < ROUNDS; r++) {
        struct rn_case cases[3];
        long out[3], in[3] = {0};
        for (int i = 0; i < 3; i++) {
            int k = s->order[i];
            out[k] = r * 3 + k + 1;
            cases[i] = s->sends[k] ? (struct rn_case){.kind = RN_CASE_SEND, .chan = RN__CH(s->c[k]), .elem = &out[k]}
                                   : (struct rn_case){.kind = RN_CASE_RECV, .chan = RN__CH(s->c[k]), .elem = &in[k]};
        }
        int k = s->order[chan_select_array(cases, 3)];
        s->count[k]++;
        if (s->sends[k])
            s->sent += out[k];
        else
            s->received += in[k];
    }
    chan_send(done, 1);
}

static void permute(int n, int *order)
{
    static const int all[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    memcpy(order, all[n], sizeof all[n]);
}

static void check(int order_a, int order_b, unsigned directions)
{
    struct side a = {.sent = 0}, b = {.sent = 0};
    chan(int) done = chan_make(int, 2);
    permute(order_a, a.order);
    permute(order_b, b.order);
    for (int i = 0; i < 3; i++) {
        a.c[i] = b.c[i] = chan_make(long, 0);
        a.sends[i] = directions >> i & 1;
        b.sends[i] = !a.sends[i];
    }
    go(face, &a, done);
    go(face, &b, done);
    chan_recv(done);
    chan_recv(done);
    CHECK_EQ(a.sent, b.received);
    CHECK_EQ(b.sent, a.received);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(a.count[i], b.count[i]);
        CHECK(nobody_waits(INSIDE(a.c[i])));
        chan_free(a.c[i]);
    }
    chan_free(done);
}

TEST(all_orders_and_directions)
{
    for (int a = 0; a < 6; a++)
        for (int b = 0; b < 6; b++)
            for (unsigned directions = 0; directions < 8; directions++)
                check(a, b, directions);
}

/* A ring: each hands on to the next, or takes from the one before, in every order. */
static void stage(chan(long) in, chan(long) out, int values, int capacity, chan(int) done)
{
    long held[8];
    int n = 0, got = 0, put = 0;
    while (put < values) {
        long v = 0;
        int k = chan_select(on_recv(got < values && n < capacity ? in : NULL, &v),
                            on_send(n > 0 ? out : NULL, n > 0 ? held[0] : 0));
        if (k == 0) {
            held[n++] = v;
            got++;
        } else {
            memmove(held, held + 1, (size_t)--n * sizeof *held);
            put++;
        }
    }
    chan_send(done, 1);
}

TEST(a_chain_of_selects_loses_nothing)
{
    enum { STAGES = 10, VALUES = 300 };
    chan(long) c[STAGES + 1];
    chan(int) done = chan_make(int, STAGES);
    for (int i = 0; i <= STAGES; i++)
        c[i] = chan_make(long, 0);
    for (int i = 0; i < STAGES; i++)
        go(stage, c[i], c[i + 1], VALUES, 1 + i % 8, done);
    long sent = 0, received = 0;
    while (received < VALUES) {
        long v;
        if (chan_select(on_send(sent < VALUES ? c[0] : NULL, sent), on_recv(c[STAGES], &v)) == 0)
            sent++;
        else
            CHECK_EQ(v, received++);
    }
    for (int i = 0; i < STAGES; i++)
        chan_recv(done);
    for (int i = 0; i <= STAGES; i++)
        chan_free(c[i]);
    chan_free(done);
}
