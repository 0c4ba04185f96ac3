/* C++ exceptions belong to the goroutine: one that waits in a handler, or in a destructor that an exception runs, may
 * go on on another thread, and others may throw and catch meanwhile on its own. */
#include <runnel.h>
#include <atomic>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

static int bad;
static std::atomic<int> live{0}, wrong{0};

static void expect(bool right, const char *what)
{
    static int n;
    std::printf("%s %d - %s\n", right ? "ok" : "not ok", ++n, what);
    bad += !right;
}

struct waits_at_end {
    int n;
    explicit waits_at_end(int number) : n(number)
    {
        live++;
    }
    ~waits_at_end()
    {
        int before = std::uncaught_exceptions();
        rn_yield();
        if (n % 3 == 0)
            rn_sleep(RN_MICROSECOND * 50);
        wrong += std::uncaught_exceptions() != before;
        live--;
    }
};

static int half(int n)
{
    waits_at_end here(n);
    if (n % 2)
        throw std::runtime_error(std::to_string(n));
    return n / 2;
}

/* Throws, waits in the handler, throws on, and waits in the second. */
static int careful(int n)
{
    try {
        return half(n);
    } catch (const std::exception &outer) {
        rn_yield();
        try {
            rn_sleep(RN_MICROSECOND * 100);
            wrong += std::stoi(outer.what()) != n;
            throw;
        } catch (const std::runtime_error &inner) {
            rn_yield();
            wrong += std::current_exception() == nullptr;
            return std::stoi(inner.what()) / 2;
        }
    }
}

static void several(int n, chan_send_only(int) out)
{
    int sum = 0;
    for (int i = 0; i < 4; i++)
        sum += careful(n + i);
    wrong += std::current_exception() != nullptr || std::uncaught_exceptions() != 0;
    chan_send(out, sum);
}

static int many(int n)
{
    chan(int) out = chan_make(int, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    long sum = 0, want = 0;
    for (int i = 0; i < n; i++) {
        wg_go(&wg, several, i, out);
        for (int k = 0; k < 4; k++)
            want += (i + k) / 2;
    }
    for (int i = 0; i < n; i++)
        sum += chan_recv(out);
    wg_wait(&wg); /* who is left when main returns leaves its arguments */
    chan_free(out);
    return sum == want && live == 0 && wrong == 0;
}

static void leaves_in_handler()
{
    try {
        throw 1;
    } catch (int) {
        rn_exit_goroutine();
    }
}

static void sees_none(int *seen)
{
    *seen += std::current_exception() != nullptr;
}

/* Who ends within a handler leaves nothing to the next one on its thread. */
static int next_begins_with_none()
{
    int seen = 0;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 100; i++) {
        wg_go(&wg, leaves_in_handler);
        wg_wait(&wg);
        wg_go(&wg, sees_none, &seen);
        wg_wait(&wg);
    }
    return seen == 0;
}

/* A run within a handler of the program's. */
static bool run_in_handler()
{
    try {
        throw std::runtime_error("outer");
    } catch (...) {
        int inside = rn_run([] { return std::current_exception() == nullptr ? many(10) : 0; });
        try {
            throw;
        } catch (const std::runtime_error &e) {
            return inside == 1 && std::string(e.what()) == "outer";
        }
    }
}

int main()
{
    std::printf("TAP version 13\n1..3\n");
    expect(rn_run(many, 100) == 1, "waiting in handlers and destructors");
    expect(rn_run(next_begins_with_none) == 1, "a goroutine that ends in a handler");
    expect(run_in_handler(), "rn_run in a handler");
    return bad != 0;
}
