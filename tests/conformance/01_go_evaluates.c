/* SEMANTICS 1: go evaluates f and its arguments in the caller, then returns without waiting. */
#include <runnel.h>
#include <runnel/test.h>
#include <stdarg.h>
#include <string.h>

struct pair {
    int a;
    double b;
};
#ifdef __aarch64__
enum { WIDE = 2 }; /* the most that go takes there */
#else
enum { WIDE = 9 };
#endif
struct wide {
    long v[WIDE];
};

static chan(int) done;

static void take_all(char c, short s, int i, long l, float f, double d, struct pair p, const char *t)
{
    CHECK_EQ(c, 'x');
    CHECK_EQ(s, -3);
    CHECK_EQ(i, 7);
    CHECK_EQ(l, 1L << 40);
    CHECK(f == 1.5f && d == 2.25);
    CHECK(p.a == 11 && p.b == 0.5);
    CHECK_STR(t, "text");
    chan_send(done, 1);
}

TEST(arguments_arrive_converted)
{
    done = chan_make(int, 0);
    struct pair p = {11, 0.5};
    char text[] = "text";
    double seven = 7.9;
    go(take_all, 'x', -3, seven, 1L << 40, 1.5, 2.25f, p, text);
    chan_recv(done);
    chan_free(done);
}

static void on_the_stack(long a, long b, long c, long d, long e, long f, long g, long h, struct wide w, double x)
{
    CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8);
    for (int i = 0; i < WIDE; i++)
        CHECK_EQ(w.v[i], 100 + i);
    CHECK(x == 9.5);
    chan_send(done, 1);
}

TEST(arguments_on_the_stack_arrive)
{
    done = chan_make(int, 0);
    struct wide w;
    for (int i = 0; i < WIDE; i++)
        w.v[i] = 100 + i;
    go(on_the_stack, 1, 2, 3, 4, 5, 6, 7, 8, w, 9.5);
    w.v[0] = 0; /* what arrived is a copy */
    chan_recv(done);
    chan_free(done);
}

static void many_doubles(double a, double b, double c, double d, double e, double f, double g, double h, double i)
{
    CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8 && i == 9);
    chan_send(done, 1);
}

TEST(nine_doubles_arrive)
{
    done = chan_make(int, 0);
    go(many_doubles, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    chan_recv(done);
    chan_free(done);
}

static int calls;
static int counted(void)
{
    return ++calls;
}
static void take_int(int i)
{
    chan_send(done, i);
}
typedef void taker(int);
static taker *pick(void)
{
    calls += 10;
    return take_int;
}

TEST(each_is_evaluated_once_in_the_caller)
{
    done = chan_make(int, 1);
    calls = 0;
    go(take_int, counted());
    CHECK_EQ(calls, 1);
    CHECK_EQ(chan_recv(done), 1);
    taker *f = pick();
    go(f, counted());
    CHECK_EQ(calls, 12);
    CHECK_EQ(chan_recv(done), 12);
    chan_free(done);
}

/* Integers are what most parameters take, and in registers of their own; but what a parameter is decides. */
static void one_double(double x)
{
    CHECK(x == 3);
    chan_send(done, 1);
}
static void mixed(int i, double x, const char *t)
{
    CHECK(i == -1 && x == 2);
    CHECK_STR(t, "t");
    chan_send(done, 1);
}
static void one_long_double(long double x, int i)
{
    CHECK(x == 4 && i == 5);
    chan_send(done, 1);
}
static void four_of_two_registers(__int128 a, __int128 b, __int128 c, __int128 d)
{
    CHECK(a == 1 && b == -2 && c == 3 && d == -4);
    chan_send(done, 1);
}
static void one_complex(double _Complex z)
{
    CHECK(z == 6);
    chan_send(done, 1);
}

TEST(integers_arrive_as_what_the_parameters_are)
{
    done = chan_make(int, 0);
    char text[] = "t";
    go(one_double, 3);
    chan_recv(done);
    go(mixed, -1, 2, text);
    chan_recv(done);
    go(one_long_double, 4, 5);
    chan_recv(done);
    go(four_of_two_registers, 1, -2, 3, -4);
    chan_recv(done);
    go(one_complex, 6);
    chan_recv(done);
    chan_free(done);
}

enum colour { RED, GREEN };
static void six_words(int a, long b, signed char c, enum colour d, const void *e, bool f)
{
    CHECK(a == -1 && b == -(1L << 40) && c == -3 && d == GREEN && e == &done && f);
    chan_send(done, 1);
}
static void seven_words(int a, long b, signed char c, enum colour d, const void *e, bool f, short g)
{
    CHECK_EQ(g, -7);
    six_words(a, b, c, d, e, f);
}

TEST(words_arrive)
{
    done = chan_make(int, 0);
    signed char c = -3;
    enum colour green = GREEN;
    const void *at = &done;
    const bool yes = true;
    go(six_words, -1, -(1L << 40), c, green, at, yes); /* each of its parameter's type */
    chan_recv(done);
    go(six_words, -1, -(1 << 20) * (1L << 20), -3, 1, &done, 9);
    chan_recv(done);
    go(seven_words, -1, -(1L << 40), c, green, at, yes, -7);
    chan_recv(done);
    chan_free(done);
}

static void variadic(const char *kinds, ...)
{
    va_list list;
    va_start(list, kinds);
    for (const char *k = kinds; *k; k++)
        if (*k == 'd')
            CHECK(va_arg(list, double) == 0.5 * (double)(k - kinds));
        else if (*k == 's')
            CHECK_STR(va_arg(list, const char *), "s");
        else
            CHECK_EQ(va_arg(list, int), k - kinds);
    va_end(list);
    chan_send(done, 1);
}
static void calls_back(void (*f)(int), int n)
{
    f(n);
}

TEST(variable_arguments_and_functions_arrive)
{
    done = chan_make(int, 0);
    go(variadic, "");
    chan_recv(done);
    go(variadic, "s", "s");
    chan_recv(done);
    go(variadic, "iisddiisdi", 0, 1, "s", 1.5, 2.0, 5, 6, "s", 4.0, 9);
    chan_recv(done);
    go(calls_back, take_int, 8);
    CHECK_EQ(chan_recv(done), 8);
    chan_free(done);
}

/* Its stack begins where it was started with words alone: there is nothing above its frame of which a copy could be made. */
static void starts_with_much(chan(int) c)
{
    struct wide w;
    (void)c;
    for (int i = 0; i < WIDE; i++)
        w.v[i] = 100 + i;
    go(on_the_stack, 1, 2, 3, 4, 5, 6, 7, 8, w, 9.5);
}

TEST(one_that_took_words_starts_one_that_takes_more)
{
    done = chan_make(int, 0);
    go(starts_with_much, done);
    chan_recv(done);
    chan_free(done);
}

static int returns_int(int x)
{
    chan_send(done, x);
    return x;
}

TEST(a_result_is_dropped)
{
    done = chan_make(int, 0);
    go(returns_int, 5);
    CHECK_EQ(chan_recv(done), 5);
    chan_free(done);
}

static void waits(chan_recv_only(int) c)
{
    chan_recv(c);
    chan_send(done, 1);
}

TEST(go_does_not_wait)
{
    done = chan_make(int, 0);
    chan(int) c = chan_make(int, 0);
    go(waits, c); /* would wait for ever */
    chan_send(c, 1);
    chan_recv(done);
    chan_free(c);
    chan_free(done);
}

static int shared;
static void reads_shared(void)
{
    CHECK_EQ(shared, 42);
    chan_send(done, 1);
}

TEST(what_came_before_go_is_seen)
{
    done = chan_make(int, 0);
    shared = 42;
    go(reads_shared);
    chan_recv(done);
    chan_free(done);
}

TEST_DIES(go_of_null_is_fatal, 2, "fatal error: go of nil func value")
{
    taker *f = NULL;
    go(f, 1);
}

TEST(options_name_and_stack)
{
    done = chan_make(int, 0);
    rn_go_with((.name = "reader", .stack = 1 << 20), take_int, 3);
    CHECK_EQ(chan_recv(done), 3);
    CHECK_EQ(rn_go_try(take_int, 4), 0);
    CHECK_EQ(chan_recv(done), 4);
    chan_free(done);
}

static void eight(rn_waitgroup *wg, int a, int b, int c, int d, int e, int f, int g)
{
    CHECK_EQ(a + b + c + d + e + f + g, 28);
    wg_done(wg);
}

static void small_frame(rn_waitgroup *wg)
{
    go(eight, wg, 1, 2, 3, 4, 5, 6, 7);
}

/* What is copied as stack arguments reaches beyond a small frame: there must be something. */
TEST(from_the_very_top_of_a_stack)
{
    rn_waitgroup wg = {0};
    wg_add(&wg, 1000);
    for (int i = 0; i < 1000; i++)
        go(small_frame, &wg);
    wg_wait(&wg);
}

static void add_to(long *sum, long n)
{
    *sum += n;
}

static void take_from(long *sum, long n)
{
    *sum -= n;
}

/* (gcc 12 dies of such an expression as the static chain of a call.) */
TEST(function_chosen_by_a_condition)
{
    long sum = 0, alone[4] = {0};
    for (int i = 0; i < 4; i++) {
        rn_waitgroup wg = {0};
        go(i % 2 ? take_from : add_to, &alone[i], 1);
        wg_go(&wg, i % 2 ? take_from : add_to, &sum, i + 10);
        wg_wait(&wg);
    }
    CHECK_EQ(sum, 10 - 11 + 12 - 13);
    while (rn_num_goroutines() > 1)
        rn_yield();
}

static int length(const char *text)
{
    return (int)strlen(text);
}

static const char *doubled(int n)
{
    return n ? "four" : "";
}

/* The macros may stand in each other's arguments. */
TEST(an_argument_that_starts_a_goroutine)
{
    static rn_once_value(const char *) text;
    static rn_once_value(int) n;
    done = chan_make(int, 0);
    go(take_int, ({
           go(take_int, 1);
           chan_recv(done) + 1;
       }));
    CHECK_EQ(chan_recv(done), 2);
    rn_waitgroup wg = {0};
    wg_go(&wg, take_int, ({
        rn_waitgroup inner = {0};
        wg_go(&inner, rn_yield);
        wg_wait(&inner);
        3;
    }));
    CHECK_EQ(chan_recv(done), 3);
    wg_wait(&wg);
    CHECK_EQ(once_value(&n, length, once_value(&text, doubled, 1)), 4);
    chan_free(done);
}

static _Noreturn void leave(int n)
{
    chan_send(done, n + 1);
    rn_exit_goroutine();
}

__attribute__((noreturn)) static void leave_with(const char *text, double more)
{
    chan_send(done, (int)strlen(text) + (int)more);
    rn_exit_goroutine();
}

/* Who starts it goes on, whatever the compiler knows of calls of it. */
TEST(functions_that_never_return)
{
    done = chan_make(int, 0);
    rn_waitgroup wg = {0};
    void (*__attribute__((noreturn)) pointer)(const char *, double) = leave_with;
    const char *two = "2";
    go(leave, 1);
    CHECK_EQ(chan_recv(done), 2);
    wg_go(&wg, leave_with, two, 2.0);
    CHECK_EQ(chan_recv(done), 3);
    CHECK_EQ(rn_go_try(pointer, two, 3.0), 0);
    CHECK_EQ(chan_recv(done), 4);
    go(leave, 4L);
    CHECK_EQ(chan_recv(done), 5);
#ifndef __clang__ /* see RN__GO_AS */
    go(leave_with, "", 6);
    CHECK_EQ(chan_recv(done), 6);
#endif
    wg_wait(&wg);
    chan_free(done);
}
