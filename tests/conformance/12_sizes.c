/* chan_len, chan_cap.  Zero-size elements work and store nothing; large elements (64 KiB and more)
 * work. */
#include "chan_inside.h"

TEST(len_and_cap)
{
    chan(int) c = chan_make(int, 3);
    CHECK_EQ(chan_cap(c), 3);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(chan_len(c), i);
        chan_send(c, i);
    }
    CHECK_EQ(chan_len(c), 3);
    chan_recv(c);
    CHECK_EQ(chan_len(c), 2);
    chan_free(c);
    chan(int) u = chan_make(int, 0);
    CHECK_EQ(chan_cap(u), 0);
    CHECK_EQ(chan_len(u), 0);
    chan_free(u);
}

static void send_units(chan(rn_unit) c, int n)
{
    for (int i = 0; i < n; i++)
        chan_send(c, RN_UNIT);
    chan_close(c);
}

TEST(zero_size_elements_work)
{
    int caps[] = {0, 1, 10};
    for (int k = 0; k < 3; k++) {
        chan(rn_unit) c = chan_make(rn_unit, caps[k]);
        int n = 0;
        go(send_units, c, 1000);
        while (chan_next(c, NULL))
            n++;
        CHECK_EQ(n, 1000);
        chan_free(c);
    }
}

TEST(zero_size_elements_store_nothing)
{
    chan(rn_unit) c = chan_make(rn_unit, (long long)1 << 40);
    CHECK_EQ(chan_cap(c), (long long)1 << 40);
    for (int i = 0; i < 100; i++)
        chan_send(c, RN_UNIT);
    CHECK_EQ(chan_len(c), 100);
    chan_recv(c);
    CHECK_EQ(chan_len(c), 99);
    CHECK(INSIDE(c)->end == INSIDE(c)->ring);
    chan_free(c);
}

enum { LARGE = 200 * 1000 };
struct large {
    unsigned char b[LARGE];
};

static void fill(struct large *v, int seed)
{
    for (int i = 0; i < LARGE; i++)
        v->b[i] = (unsigned char)(i * 31 + seed);
}

static void send_large(chan(struct large) c, int n)
{
    static struct large v;
    for (int i = 0; i < n; i++) {
        fill(&v, i);
        rn__chan_send(RN__CH(c), &v); /* without chan_send's copy on the stack */
    }
    chan_close(c);
}

TEST(large_elements_work)
{
    static struct large got, expected;
    for (int cap = 0; cap < 3; cap++) {
        chan(struct large) c = chan_make(struct large, cap);
        int n = 0;
        go(send_large, c, 6);
        for (; chan_next(c, &got); n++) {
            fill(&expected, n);
            CHECK(memcmp(&got, &expected, LARGE) == 0);
        }
        CHECK_EQ(n, 6);
        chan_free(c);
    }
}

/* Every small size, through the ring and from hand to hand. */
#define SIZES(X) \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(12) X(15) X(16) X(17) X(24) X(31) X(32) X(33) X(64) X(100)
#define DECLARE(n)                                                                    \
    struct s##n {                                                                     \
        unsigned char b[n];                                                           \
    };                                                                                \
    static void send_##n(chan(struct s##n) c)                                         \
    {                                                                                 \
        for (int i = 0; i < 50; i++) {                                                \
            struct s##n v;                                                            \
            memset(v.b, i + n, n);                                                    \
            chan_send(c, v);                                                          \
        }                                                                             \
        chan_close(c);                                                                \
    }                                                                                 \
    static void try_##n(int cap)                                                      \
    {                                                                                 \
        struct {                                                                      \
            unsigned char before;                                                     \
            struct s##n v;                                                            \
            unsigned char after;                                                      \
        } at = {.before = 0x5A, .after = 0xA5};                                       \
        chan(struct s##n) c = chan_make(struct s##n, cap);                            \
        int i = 0;                                                                    \
        go(send_##n, c);                                                              \
        for (; chan_next(c, &at.v); i++)                                              \
            for (int k = 0; k < n; k++)                                               \
                if (at.v.b[k] != (unsigned char)(i + n))                              \
                    FAIL("size " #n ", capacity %d, element %d, byte %d", cap, i, k); \
        CHECK_EQ(i, 50);                                                              \
        CHECK(at.before == 0x5A && at.after == 0xA5);                                 \
        chan_free(c);                                                                 \
    }
SIZES(DECLARE)

TEST(every_size_works)
{
    for (int cap = 0; cap < 4; cap++) {
#define TRY(n) try_##n(cap);
        SIZES(TRY)
    }
}

struct wide {
    _Alignas(128) long v;
};

TEST(elements_are_aligned)
{
    chan(struct wide) c = chan_make(struct wide, 3);
    CHECK_EQ((uintptr_t)INSIDE(c)->ring % 128, 0);
    chan_send(c, ((struct wide){5}));
    CHECK_EQ(chan_recv(c).v, 5);
    chan_free(c);
}
