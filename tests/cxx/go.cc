/* SEMANTICS 41: everything is callable from C++. */
#include <runnel.h>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

static void add(int a, double b, std::string text, chan_send_only(int) out)
{
    chan_send(out, a + (int)b + (int)text.size());
}

static int fails(int err)
{
    return err;
}

struct account {
    int balance = 0;
    void pay(int n) { balance += n; }
    int fee(int &n) const { return n += balance; }
};

static int all(int expected)
{
    int bad = 0;
    chan(int) c = chan_make(int, 1);
    go(add, 1, 2.5, std::string("three"), c);
    bad += chan_recv(c) != expected;

    int sum = 0;
    rn_mutex m = RN_MUTEX_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    auto owned = std::make_unique<int>(4);
    go([c](std::unique_ptr<int> p) { chan_send(c, *p); }, std::move(owned));
    bad += chan_recv(c) != 4;
    for (int i = 0; i < 100; i++)
        wg_go(&wg, [&, i] { mutex_lock(&m); sum += i; mutex_unlock(&m); });
    wg_wait(&wg);
    bad += sum != 4950;

    /* A lambda with commas, which starts others in the same way. */
    rn_waitgroup outer = RN_WAITGROUP_INIT;
    wg_go(&outer, [&] {
        int one = 1, two = 2;
        go([=] { chan_send(c, one); });
        wg_go(&outer, [&, two] { mutex_lock(&m); sum += two; mutex_unlock(&m); });
    });
    wg_wait(&outer);
    bad += chan_recv(c) != 1 || sum != 4952;

    /* Member functions, with a pointer to their object. */
    account a;
    int sums = 1;
    wg_go(&outer, &account::pay, &a, 3);
    wg_wait(&outer);
    wg_go(&outer, &account::fee, &a, std::ref(sums));
    wg_wait(&outer);
    bad += a.balance != 3 || sums != 4;

    int v = 0, w = 9;
    bad += chan_select(on_recv(c, &v), on_default()) != 1;
    bad += chan_select(on_recv(c, &v), on_send(c, w)) != 1;
    bad += chan_select(on_recv(c, &v), on_timeout(RN_SECOND)) != 0 || v != 9;

    rn_group g = RN_GROUP_INIT;
    group_go(&g, fails, -5);
    bad += group_wait(&g) != -5;

    rn_context *ctx = ctx_with_cancel(ctx_background());
    ctx_cancel(ctx);
    bad += chan_select(on_done(ctx), on_recv(c, &v)) != 0;
    chan_close(c);
    bad += chan_next(c, &v);
    chan_free(c);
    return bad;
}

int main()
{
    int bad = rn_run(all, 8) + rn_run([] { return all(8); });
    std::printf("TAP version 13\n1..1\n%s 1 - go, channels, select, sync and context from C++\n", bad ? "not ok" : "ok");
    return bad != 0;
}
