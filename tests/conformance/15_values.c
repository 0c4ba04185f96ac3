/* The same channel may carry channels, contexts, structs with padding; what is received equals bit
 * for bit what was sent. */
#include "chan_inside.h"

struct request {
    int n;
    chan_send_only(long) reply;
};

static void serve(chan_recv_only(struct request) in, chan(rn_unit) done)
{
    for (struct request r; chan_next(in, &r);)
        chan_send(r.reply, (long)r.n * r.n);
    chan_send(done, RN_UNIT);
}

TEST(channels_travel_through_channels)
{
    chan(struct request) in = chan_make(struct request, 0);
    chan(long) reply = chan_make(long, 1);
    chan(rn_unit) done = chan_make(rn_unit, 0);
    go(serve, in, done);
    for (int i = 0; i < 100; i++) {
        chan_send(in, ((struct request){i, reply}));
        CHECK_EQ(chan_recv(reply), (long)i * i);
    }
    chan_close(in);
    chan_recv(done);
    chan_free(in);
    chan_free(done);
    chan(chan(long)) of = chan_make(chan(long), 1);
    chan_send(of, reply);
    CHECK(chan_recv(of) == reply);
    chan_free(of);
    chan_free(reply);
}

struct padded {
    char a;
    long b;
    char c;
    double d;
    short e;
};

static void send_bytes(chan(struct padded) c, const struct padded *from, int n)
{
    for (int i = 0; i < n; i++)
        rn__chan_send(RN__CH(c), &from[i]);
}

TEST(padding_comes_through_as_well)
{
    enum { N = 50 };
    static struct padded sent[N], got[N];
    uint64_t seed = test_seed();
    for (size_t i = 0; i < sizeof sent; i++)
        ((unsigned char *)sent)[i] = (unsigned char)test_random(&seed);
    for (int cap = 0; cap < 3; cap++) {
        chan(struct padded) c = chan_make(struct padded, cap);
        go(send_bytes, c, sent, N);
        for (int i = 0; i < N; i++)
            rn__chan_recv(RN__CH(c), &got[i]);
        CHECK(memcmp(sent, got, sizeof sent) == 0);
        chan_free(c);
    }
}

struct packed {
    unsigned a : 3;
    unsigned b : 29;
    float f;
    _Bool flag;
};

TEST(scalars_and_bit_fields)
{
    chan(struct packed) s = chan_make(struct packed, 1);
    chan(double) d = chan_make(double, 1);
    chan(_Bool) f = chan_make(_Bool, 1);
    chan(const char *) t = chan_make(const char *, 1);
    chan_send(s, ((struct packed){5, 123456, 1.5f, true}));
    struct packed p = chan_recv(s);
    CHECK(p.a == 5 && p.b == 123456 && p.f == 1.5f && p.flag);
    chan_send(d, 0.1);
    CHECK(chan_recv(d) == 0.1);
    chan_send(f, 17); /* converted as an assignment converts */
    CHECK_EQ(chan_recv(f), 1);
    chan_send(t, "text");
    CHECK_STR(chan_recv(t), "text");
    chan_free(s);
    chan_free(d);
    chan_free(f);
    chan_free(t);
}

TEST(contexts_travel_as_pointers)
{
    chan(rn_context *) c = chan_make(rn_context *, 1);
    rn_context *ctx = (rn_context *)(uintptr_t)0x1234567;
    chan_send(c, ctx);
    CHECK(chan_recv(c) == ctx);
    chan_free(c);
}
