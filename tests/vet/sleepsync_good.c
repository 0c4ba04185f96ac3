/* Sleeps that pace or imitate work, and waits that wait. */
#include <runnel.h>
#include <stdio.h>
#include <unistd.h>

static rn_atomic_bool stopped;

static void work(rn_waitgroup *wg)
{
    defer(wg_done, wg);
    rn_sleep(RN_MILLISECOND); /* the network */
}

static void tick(rn_context *ctx)
{
    while (ctx_err(ctx) == 0) {
        puts("tick");
        rn_sleep_ctx(ctx, RN_MILLISECOND);
    }
}

static void meanwhile(void)
{
    rn_waitgroup wg = {0};
    wg_add(&wg, 1);
    go(work, &wg);
    rn_sleep(RN_MILLISECOND); /* does something else */
    wg_wait(&wg);
}

static void after(void)
{
    rn_waitgroup wg = {0};
    wg_add(&wg, 1);
    go(work, &wg);
    wg_wait(&wg);
    rn_sleep(RN_MILLISECOND);
}

static void for_a_while(rn_context *parent)
{
    rn_context *ctx = ctx_with_cancel(parent);
    go(tick, ctx);
    rn_sleep(10 * RN_MILLISECOND);
    ctx_cancel(ctx);
}

static void retries(int (*try)(void))
{
    for (int i = 0; i < 3 && try() != 0; i++)
        rn_sleep(RN_MILLISECOND << i);
}

static int fails(void)
{
    return access("/nowhere", F_OK);
}

static void until_file(void)
{
    while (access("/", F_OK) != 0)
        rn_sleep(RN_MILLISECOND);
}

static void periodic(int n)
{
    while (n-- > 0) {
        printf("%d\n", n);
        rn_sleep(RN_MILLISECOND);
    }
    while (!rn_atomic_load(&stopped)) {
        fails();
        rn_sleep(RN_MILLISECOND);
    }
}

static void scoped(void)
{
    rn_waitgroup wg = {0};
    rn_scope s;
    scope_begin(&s, NULL);
    wg_add(&wg, 1);
    scope_go(&s, work, &wg);
    rn_sleep(RN_MILLISECOND);
    scope_end(&s);
}

static void server(rn_waitgroup *wg)
{
    for (;;) {
        wg_add(wg, 1);
        go(work, wg);
        rn_sleep(RN_MILLISECOND);
    }
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    rn_waitgroup wg = {0};
    meanwhile(), after(), for_a_while(NULL), retries(fails), until_file(), scoped();
    if (argc > 5)
        server(&wg);
    if (argc > 6)
        periodic(argc);
    return 0;
}
