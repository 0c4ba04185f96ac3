/* Scopes: joined on every way out; limits; the policies; panics of children and of the parent. */
#include <runnel.h>
#include <runnel/test.h>
#include <pthread.h>
#include <string.h>

/* Children of a scope that are running now, and how many there have been. */
static _Atomic int running, begun, most;

static void note_begin(void)
{
    int now = ++running, seen = most;
    begun++;
    while (now > seen &&
           !__atomic_compare_exchange_n((int *)&most, &seen, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

static int return_soon(int err)
{
    note_begin();
    for (int i = 0; i < 5; i++)
        rn_yield();
    running--;
    return err;
}

static int until_done(rn_context *ctx)
{
    note_begin();
    int err = ctx_wait(ctx);
    running--;
    return err;
}

static void set(int *to, int value)
{
    rn_yield();
    *to = value;
}

TEST(joins)
{
    enum { N = 100 };
    int a[N];
    rn_scope s;
    scope_begin(&s, ctx_background());
    for (int i = 0; i < N; i++)
        scope_go(&s, set, &a[i], i);
    CHECK_EQ(scope_end(&s), 0);
    for (int i = 0; i < N; i++)
        CHECK_EQ(a[i], i);
    CHECK_EQ(scope_end(&s), 0); /* again */
    EXPECT_PANIC("scope_go: the scope has ended", scope_go(&s, set, &a[0], 1));
    CHECK_EQ(rn_num_contexts(), 0);
}

TEST(an_empty_scope)
{
    rn_scope s;
    scope_begin(&s, NULL);
    CHECK_EQ(ctx_err(scope_context(&s)), 0);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(ctx_err(scope_context(&s)), RN_ECANCELED);
}

/* ---- the ways out ----------------------------------------------------------------------------------- */

static void leave_by_return(void)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, until_done, scope_context(&s));
    scope_go(&s, return_soon, 0);
    if (begun >= 0)
        return;
    scope_end(&s);
}

static void leave_by_break(void)
{
    for (int i = 0; i < 3; i++) {
        rn_scope s;
        scope_begin(&s, NULL);
        scope_go(&s, until_done, scope_context(&s));
        if (i < 2)
            continue;
        break;
    }
}

static void leave_by_panic(void)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, until_done, scope_context(&s));
    rn_panic("out");
}

static void leave_by_exit(void)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, until_done, scope_context(&s));
    rn_exit_goroutine();
}

static void exit_in_scope(rn_waitgroup *wg)
{
    defer(wg_done, wg);
    leave_by_exit();
}

TEST(every_way_out_joins)
{
    leave_by_return();
    CHECK_EQ(running, 0);
    leave_by_break();
    CHECK_EQ(running, 0);
    EXPECT_PANIC("out", leave_by_panic());
    CHECK_EQ(running, 0);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    go(exit_in_scope, &wg);
    wg_wait(&wg);
    CHECK_EQ(running, 0);
    CHECK_EQ(rn_num_contexts(), 0);
}

/* ---- errors ------------------------------------------------------------------------------------------ */

TEST(the_first_error_cancels_the_rest)
{
    rn_scope s;
    scope_begin(&s, NULL);
    for (int i = 0; i < 10; i++)
        scope_go(&s, until_done, scope_context(&s));
    scope_go(&s, return_soon, -2);
    CHECK_EQ(scope_end(&s), -2);
    CHECK_EQ(begun, 11);
    int errors[20];
    CHECK_EQ(scope_errors(&s, errors, 20), 11);
    CHECK_EQ(errors[0], -2);
    CHECK_EQ(errors[10], RN_ECANCELED);
}

TEST(a_cancel_from_above)
{
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    rn_scope s;
    scope_begin(&s, ctx);
    for (int i = 0; i < 10; i++)
        scope_go(&s, until_done, scope_context(&s));
    CHECK_EQ(scope_end(&s), RN_ETIMEOUT);
    ctx_cancel(ctx);
    while (rn_num_contexts() != 0) /* the expiry may be in its last steps */
        rn_yield();
}

TEST(cancel_asks_all_to_end)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, until_done, scope_context(&s));
    scope_cancel(&s);
    scope_go(&s, until_done, scope_context(&s)); /* starts, and sees it */
    CHECK_EQ(scope_end(&s), RN_ECANCELED);
    CHECK_EQ(begun, 2);
}

TEST(any_takes_the_first_success)
{
    rn_scope s;
    scope_begin_with(&s, NULL, RN_SCOPE_ANY);
    scope_go(&s, return_soon, -3);
    scope_go(&s, until_done, scope_context(&s));
    scope_go(&s, return_soon, 0);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(running, 0);
}

static int fail_after(chan_recv_only(int) turn, chan_send_only(int) next, int err)
{
    int v = chan_recv(turn);
    chan_try_send(next, v);
    return err;
}

TEST(any_where_all_fail)
{
    chan(int) a = chan_make(int, 1), b = chan_make(int, 1);
    rn_scope s;
    scope_begin_with(&s, NULL, RN_SCOPE_ANY);
    scope_go(&s, fail_after, b, a, -2);
    scope_go(&s, fail_after, a, b, -2);
    chan_send(a, 1);
    CHECK_EQ(scope_end(&s), -2);
    chan_free(a);
    chan_free(b);
}

TEST(collect_has_all_errors)
{
    rn_scope s;
    scope_begin_with(&s, NULL, RN_SCOPE_COLLECT);
    for (int i = 0; i < 100; i++)
        scope_go(&s, return_soon, i % 2 ? -i : 0);
    CHECK(scope_end(&s) != 0);
    CHECK_EQ(begun, 100);
    int errors[100], sum = 0;
    CHECK_EQ(scope_errors(&s, errors, 100), 50);
    for (int i = 0; i < 50; i++)
        sum += errors[i];
    CHECK_EQ(sum, -2500);
}

/* ---- limits -------------------------------------------------------------------------------------------- */

TEST(a_limit_holds_back)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_limit(&s, 3);
    for (int i = 0; i < 50; i++)
        scope_go(&s, return_soon, 0);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(begun, 50);
    CHECK(most <= 3);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

TEST(try_go_at_the_limit)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_limit(&s, 1);
    CHECK_EQ(scope_try_go(&s, until_done, scope_context(&s)), 0);
    CHECK_EQ(scope_try_go(&s, return_soon, evaluate()), RN_EAGAIN);
    CHECK_EQ(evaluated, 0);
    scope_limit(&s, 0);
    CHECK_EQ(scope_try_go(&s, return_soon, 0), 0);
    scope_cancel(&s);
    CHECK_EQ(scope_end(&s), RN_ECANCELED);
}

static void start_more(rn_scope *s, int n)
{
    note_begin();
    if (n > 0) {
        scope_go(s, start_more, s, n - 1);
        scope_go(s, start_more, s, n - 1);
    }
    running--;
}

TEST(children_start_children)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, start_more, &s, 9);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(begun, 1023);
    CHECK_EQ(running, 0);
}

static void raise_limit(rn_scope *s)
{
    while (running < 2)
        rn_yield();
    for (int i = 0; i < 20; i++)
        rn_yield();
    CHECK_EQ(running, 2);
    scope_limit(s, 4);
}

TEST(a_raised_limit_lets_in)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_limit(&s, 2);
    go(raise_limit, &s);
    for (int i = 0; i < 4; i++)
        scope_go(&s, until_done, scope_context(&s));
    while (running < 4)
        rn_yield();
    scope_cancel(&s);
    CHECK_EQ(scope_end(&s), RN_ECANCELED);
    CHECK_EQ(most, 4);
}

/* ---- nesting ------------------------------------------------------------------------------------------ */

static int inner(rn_context *ctx)
{
    rn_scope s;
    scope_begin(&s, ctx);
    scope_go(&s, until_done, scope_context(&s));
    scope_go(&s, until_done, scope_context(&s));
    return scope_end(&s);
}

TEST(nested_scopes_are_canceled_with_the_outer)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, inner, scope_context(&s));
    scope_go(&s, inner, scope_context(&s));
    scope_go(&s, return_soon, -9);
    CHECK_EQ(scope_end(&s), -9);
    CHECK_EQ(begun, 5);
    CHECK_EQ(running, 0);
    CHECK_EQ(rn_num_contexts(), 0);
}

/* ---- panics ---------------------------------------------------------------------------------------------- */

static int panic_soon(const char *text)
{
    note_begin();
    rn_yield();
    running--;
    rn_panic("%s", text);
}

static void end_with_panic(void)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, until_done, scope_context(&s));
    scope_go(&s, panic_soon, "boom");
    scope_end(&s);
    FAIL("scope_end returned");
}

static void leave_with_panic(void)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, panic_soon, "boom");
    while (!begun || running)
        rn_yield();
}

TEST(a_panic_surfaces_in_the_parent)
{
    EXPECT_PANIC("boom", end_with_panic());
    CHECK_EQ(begun, 2);
    CHECK_EQ(running, 0);
    begun = 0;
    EXPECT_PANIC("boom", leave_with_panic());
    CHECK_EQ(rn_num_contexts(), 0);
}

static void leave_by_own_panic(void)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, panic_soon, "the child's");
    rn_panic("the parent's");
}

TEST_DIES(panics_of_both, 2, "panic: the parent's\n\tpanic: the child's")
{
    leave_by_own_panic();
}

TEST_DIES(the_report_shows_the_childs_trace, 2, "panic_soon")
{
    end_with_panic();
}

TEST_DIES(the_report_shows_the_parents_trace, 2, "end_with_panic")
{
    end_with_panic();
}

static int panic_with_value(int *value)
{
    rn_panic_value(value, "with a value");
}

static void catch_value(int **to)
{
    void *value;
    if (rn_recover_value(&value))
        *to = value;
}

static void value_passes(int *value, int **got)
{
    defer(catch_value, got);
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, panic_with_value, value);
    scope_end(&s);
}

TEST(the_value_of_a_panic_passes_on)
{
    int value = 1, *got = NULL;
    value_passes(&value, &got);
    CHECK(got == &value);
}

static void exits(void)
{
    note_begin();
    running--;
    rn_exit_goroutine();
}

TEST(a_child_that_exits)
{
    rn_scope s;
    scope_begin(&s, NULL);
    scope_go(&s, exits);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(begun, 1);
}

/* ---- supervision ------------------------------------------------------------------------------------------ */

TEST(supervise_isolates)
{
    rn_scope s;
    scope_begin_with(&s, NULL, RN_SCOPE_SUPERVISE);
    scope_go(&s, panic_soon, "isolated");
    scope_go(&s, return_soon, -2);
    scope_go(&s, return_soon, 0);
    CHECK(scope_end(&s) != 0);
    int errors[4];
    CHECK_EQ(scope_errors(&s, errors, 4), 2);
    CHECK_EQ(errors[0] + errors[1], RN_EPANIC - 2);
    CHECK_EQ(begun, 3);
}

static const struct rn_restart quick = {.most = 4, .wait = RN_MICROSECOND, .wait_most = RN_MILLISECOND};

static int fails_until(int *left)
{
    begun++;
    int n = (*left)--;
    if (n > 2)
        rn_panic("n is %d", n);
    return n > 0 ? -n : 0;
}

TEST(supervised_children_start_again)
{
    int left = 4, much = 100;
    rn_scope s;
    scope_begin_with(&s, NULL, RN_SCOPE_SUPERVISE);
    scope_supervise(&s, &quick, fails_until, &left);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(begun, 5);
    rn_scope t;
    scope_begin_with(&t, NULL, RN_SCOPE_SUPERVISE);
    scope_supervise(&t, &quick, fails_until, &much); /* gives up */
    CHECK_EQ(scope_end(&t), RN_EPANIC);
    CHECK_EQ(much, 95);
}

static void always_panics(rn_atomic_int *n)
{
    rn_atomic_add(n, 1);
    rn_panic("always");
}

TEST(a_cancel_ends_the_wait_for_a_restart)
{
    static const struct rn_restart slow = {.most = -1, .wait = RN_HOUR, .wait_most = RN_HOUR};
    rn_atomic_int n = {0};
    rn_scope s;
    scope_begin_with(&s, NULL, RN_SCOPE_SUPERVISE);
    scope_supervise(&s, &slow, always_panics, &n);
    while (!rn_atomic_load(&n))
        rn_yield();
    scope_cancel(&s);
    CHECK_EQ(scope_end(&s), RN_EPANIC);
    CHECK_EQ(rn_atomic_load(&n), 1);
}

/* ---- plain threads ------------------------------------------------------------------------------------------ */

static void *scope_of_a_thread(void *arg)
{
    int a = 0, b = 0;
    (void)arg;
    rn_scope s;
    scope_begin(&s, NULL);
    scope_limit(&s, 1);
    scope_go(&s, set, &a, 1);
    scope_go(&s, set, &b, 2);
    CHECK_EQ(scope_end(&s), 0);
    CHECK_EQ(a + b, 3);
    return NULL;
}

TEST(a_plain_thread_has_scopes)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, scope_of_a_thread, NULL) == 0);
    rn_blocking_enter();
    pthread_join(t, NULL);
    rn_blocking_leave();
}
