/* In templates, and in what they contain, everything reads as elsewhere; tests/check/headers.sh compiles this with more warnings. */
#include <runnel.h>
#include <runnel/test.h>

static rn_atomic_int64 ended;

static void count(void *n)
{
    rn_atomic_add(&ended, *static_cast<int *>(n));
}

template <class T> struct box {
    T v;
    void add(T n)
    {
        int one = 1, ten = 10;
        defer(count, &one);
        auto more = [&] {
            defer(count, &ten);
            v = v + n;
        };
        more();
    }
    template <class U> T as(U n)
    {
        rn_mutex m = {};
        mutex_lock(&m);
        defer(mutex_unlock, &m);
        return static_cast<T>(n);
    }
};

template <class T> static T through_channels(T n)
{
    chan(T) c = chan_make(T, 1);
    defer(chan_free, c);
    chan_send(c, n);
    T v = chan_recv(c);
    chan_send(c, v);
    if (!chan_recv_ok(c, &v) || chan_select(on_recv(c, &v), on_send(c, n), on_timeout(RN_SECOND)) != 1)
        return T();
    chan_close(c);
    for (T w; chan_next(c, &w);)
        v = w;
    return v;
}

template <class T> static void recovers(T *to)
{
    if (rn_recover())
        *to = T(1);
}

template <class T> static void panics(T *to)
{
    defer(recovers<T>, to);
    rn_panic("in a template");
}

template <class T> static T all(T n)
{
    box<T> b{n};
    rn_waitgroup wg = {};
    wg_go(&wg, [&] { b.add(n); });
    wg_wait(&wg);
    T recovered = T();
    void (*volatile through)(T *) = panics<T>; /* which has no other way out (docs/design/panics.md) */
    through(&recovered);
    return recovered == T(1) ? through_channels(b.v) + b.as(1.0) : T();
}

TEST(templates)
{
    CHECK_EQ(all(3), 7);
    CHECK_EQ(all(20L), 41);
    CHECK_EQ(all<short>(2) == 5, 1);
    CHECK_EQ(rn_atomic_load(&ended), 33);
}
