/* SEMANTICS 37: deferred calls run last in first out, at scope exit, at panic and at goroutine exit; rn_recover works
 * only directly in a deferred call, returns the value, and the function then returns normally; a panic in a
 * deferred call replaces the first.  All of it with and without optimisation. */
#include <runnel.h>
#include <runnel/test.h>
#include <pthread.h>
#include <string.h>

static char log_text[256];

static void note(void *text)
{
    strncat(log_text, text, sizeof log_text - strlen(log_text) - 1);
}

static void recover_note(void *label)
{
    const char *text = rn_recover();
    note(label);
    note(":");
    note((void *)(text ? text : "none"));
    note(" ");
}

static void start(void)
{
    log_text[0] = 0;
}

/* ---- order ----------------------------------------------------------------------------------- */

static int at_scope_exit(int n)
{
    defer(note, "a");
    for (int i = 0; i < n; i++) {
        defer(note, i == 0 ? "0" : "1");
        if (i == 0)
            continue;
        defer(note, "x");
        break;
    }
    {
        defer(note, "b");
        note(".");
    }
    defer(note, "c");
    return 5;
}

TEST(scope_exit_in_reverse)
{
    start();
    CHECK_EQ(at_scope_exit(3), 5);
    CHECK_STR(log_text, "0x1.bca");
}

static void counted(void *n)
{
    ++*(int *)n;
}

static void note_none(void)
{
    const char *text = rn_recover();
    note((void *)(text ? text : "none"));
}

static int without_argument(bool panics)
{
    defer(note, ".");
    defer(note_none);
    rn_pin();
    defer(rn_unpin);
    if (panics)
        rn_panic("once");
    return 3;
}

TEST(function_without_an_argument)
{
    start();
    CHECK_EQ(without_argument(false), 3);
    CHECK_EQ(without_argument(true), 0);
    CHECK_STR(log_text, "none.once.");
}

TEST(argument_is_evaluated_at_once)
{
    int a = 0, b = 0;
    int *p = &a;
    {
        defer(counted, p);
        p = &b;
    }
    CHECK_EQ(a, 1);
    CHECK_EQ(b, 0);
}

static int raises(int x)
{
    defer(recover_note, "outer");
    defer(note, "2 ");
    {
        defer(note, "1 ");
        if (x)
            rn_panic("boom %d", x);
    }
    return 7;
}

TEST(recovered_function_returns_zero)
{
    start();
    CHECK_EQ(raises(0), 7);
    CHECK_STR(log_text, "1 2 outer:none ");
    start();
    CHECK_EQ(raises(3), 0);
    CHECK_STR(log_text, "1 2 outer:boom 3 ");
}

/* Calls deferred before the one that recovers run as well, and see no panic. */
static int recovers_first(void)
{
    defer(recover_note, "last");
    defer(note, "then ");
    defer(recover_note, "first");
    rn_panic("once");
}

TEST(remaining_calls_run_after_recovery)
{
    start();
    CHECK_EQ(recovers_first(), 0);
    CHECK_STR(log_text, "first:once then last:none ");
}

/* ---- whose recover counts -------------------------------------------------------------------- */

static const char *helper(void)
{
    return rn_recover();
}

static void recover_in_helper(void *seen)
{
    *(const char **)seen = helper();
}

static int helper_does_not_recover(const char **seen)
{
    defer(recover_note, "outer");
    defer(recover_in_helper, seen);
    rn_panic("still here");
}

TEST(recover_only_directly_in_the_deferred_function)
{
    const char *seen = "";
    start();
    CHECK_EQ(helper_does_not_recover(&seen), 0);
    CHECK(seen == NULL);
    CHECK_STR(log_text, "outer:still here ");
}

static const char *seen_by_helper;

static void last_helper(void)
{
    seen_by_helper = rn_recover();
}

/* The compiler may make this call a jump, so that the helper's frame lies where this one's was. */
static void ends_with_helper(void *unused)
{
    (void)unused;
    last_helper();
}

static int recovers_behind_helper(void)
{
    defer(recover_note, "outer");
    defer(ends_with_helper, NULL);
    rn_panic("still here");
}

TEST(recover_in_a_helper_that_is_called_last)
{
    start();
    seen_by_helper = "";
    CHECK_EQ(recovers_behind_helper(), 0);
    CHECK(seen_by_helper == NULL);
    CHECK_STR(log_text, "outer:still here ");
}

static void deferred_by_deferred(void *arg)
{
    (void)arg;
    {
        defer(recover_note, "inner"); /* at scope exit: not run by the panic */
        note("in ");
    }
    note("out ");
}

static int scope_exit_in_deferred(void)
{
    defer(recover_note, "outer");
    defer(deferred_by_deferred, NULL);
    rn_panic("p");
}

TEST(scope_exit_while_panicking_does_not_recover)
{
    start();
    CHECK_EQ(scope_exit_in_deferred(), 0);
    CHECK_STR(log_text, "in inner:none out outer:p ");
}

TEST(recover_without_panic)
{
    void *value = &value;
    CHECK(rn_recover() == NULL);
    CHECK(!rn_recover_value(&value));
    CHECK(value == NULL);
}

struct outcome {
    bool recovered;
    void *value;
};

static void take_value(void *o)
{
    struct outcome *to = o;
    to->recovered = rn_recover_value(&to->value);
}

static double with_value(struct outcome *o, void *value)
{
    defer(take_value, o);
    if (value)
        rn_panic_value(value, "carries a value");
    rn_panic("carries none");
    return 1.5;
}

TEST(values)
{
    int x;
    struct outcome o = {false, NULL};
    CHECK(with_value(&o, &x) == 0.0);
    CHECK(o.recovered && o.value == &x);
    o.recovered = false;
    CHECK(with_value(&o, NULL) == 0.0);
    CHECK(o.recovered && o.value == NULL);
}

static void take_text(void *to)
{
    *(const char **)to = rn_recover();
}

static void value_alone(const char **text)
{
    defer(take_text, text);
    rn_panic_value(text, NULL);
}

TEST(value_without_text)
{
    const char *text = NULL;
    value_alone(&text);
    CHECK(text != NULL);
}

/* ---- panics in deferred calls ---------------------------------------------------------------- */

static void raise_again(void *text)
{
    rn_panic("%s", (const char *)text);
}

static int replaced(void)
{
    defer(recover_note, "outer");
    defer(raise_again, "second");
    rn_panic("first");
}

TEST(panic_in_deferred_call_replaces_the_first)
{
    start();
    CHECK_EQ(replaced(), 0);
    CHECK_STR(log_text, "outer:second ");
    CHECK(rn_recover() == NULL);
}

static void recovers_its_own(void *arg)
{
    (void)arg;
    CHECK_EQ(raises(4), 0);
    note("| ");
}

static int nested(void)
{
    defer(recover_note, "all");
    defer(recovers_its_own, NULL);
    rn_panic("outermost");
}

TEST(panic_recovered_within_a_deferred_call_leaves_the_first)
{
    start();
    CHECK_EQ(nested(), 0);
    CHECK_STR(log_text, "1 2 outer:boom 4 | all:outermost ");
}

static void recover_then_raise(void *text)
{
    CHECK_STR(rn_recover(), "first");
    rn_panic("%s", (const char *)text);
}

static int raised_after_recovery(void)
{
    defer(recover_note, "outer");
    defer(recover_then_raise, "next");
    rn_panic("first");
}

TEST(panic_after_recovery)
{
    start();
    CHECK_EQ(raised_after_recovery(), 0);
    CHECK_STR(log_text, "outer:next ");
}

/* ---- what the caller keeps ------------------------------------------------------------------- */

static int fail_at(int depth)
{
    volatile char room[64];
    room[0] = (char)depth;
    if (depth == 0)
        rn_panic("bottom");
    return fail_at(depth - 1) + room[0];
}

static int guarded(int depth)
{
    defer(recover_note, "g");
    return fail_at(depth) + 1;
}

TEST(caller_keeps_its_variables)
{
    long a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
    double x = 0.5;
    for (int i = 0; i < 100; i++) {
        start();
        CHECK_EQ(guarded(i), 0);
        a += b, b += c, c += d, d += e, e += f, f += 1;
        x += 0.25;
    }
    CHECK_EQ(f, 106);
    CHECK_EQ(e, 5 + 600 + 99 * 100 / 2);
    CHECK(x == 25.5);
    CHECK_STR(log_text, "g:bottom ");
    CHECK(a > b && b > c && c > d && d > e);
}

static long with_alloca(int bytes)
{
    char *room = __builtin_alloca((size_t)bytes);
    defer(recover_note, "alloca");
    memset(room, 1, (size_t)bytes);
    fail_at(3);
    return room[0];
}

static long with_large_frame(void)
{
    _Alignas(64) char room[20000];
    defer(recover_note, "large");
    memset(room, 1, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    return with_alloca(300) + fail_at(2) + room[5];
}

TEST(frames_of_every_shape)
{
    start();
    CHECK_EQ(with_alloca(1000), 0);
    CHECK_EQ(with_large_frame(), 0);
    CHECK_STR(log_text, "alloca:bottom alloca:bottom large:bottom ");
}

struct pair {
    long a, b;
};

static struct pair returns_struct(int x)
{
    defer_in(struct pair, recover_note, "s");
    if (x)
        rn_panic("struct");
    return (struct pair){1, 2};
}

TEST(functions_that_return_structs)
{
    start();
    CHECK_EQ(returns_struct(0).b, 2);
    (void)returns_struct(1);
    CHECK_STR(log_text, "s:none s:struct ");
}

static void on_goroutine(int n, chan(int) done)
{
    defer(recover_note, "");
    for (int i = 0; i < n; i++)
        guarded(i % 5);
    chan_send(done, n);
}

TEST(text_is_kept_until_the_next_panic)
{
    chan(int) done = chan_make(int, 0);
    start();
    go(on_goroutine, 200, done);
    CHECK_EQ(chan_recv(done), 200);
    chan_free(done);
}

TEST(long_texts_and_formats)
{
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    EXPECT_PANIC("100% sure", rn_panic("%d%% sure", 100));
    start();
    struct outcome o;
    CHECK(with_value(&o, text) == 0.0);
}

/* On a plain thread that is no goroutine. */
static void *plain(void *ok)
{
    *(bool *)ok = raises(9) == 0;
    return NULL;
}

TEST(plain_threads)
{
    pthread_t t;
    bool ok = false;
    start();
    REQUIRE(pthread_create(&t, NULL, plain, &ok) == 0);
    pthread_join(t, NULL);
    CHECK(ok);
    CHECK_STR(log_text, "1 2 outer:boom 9 ");
}

TEST_PLAIN(before_any_run)
{
    start();
    CHECK_EQ(raises(9), 0);
    CHECK_STR(log_text, "1 2 outer:boom 9 ");
}
