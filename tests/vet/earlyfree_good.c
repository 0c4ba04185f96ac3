/* Channels that are freed when nobody uses them any more, or not at all. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void query(chan_send_only(int) out, rn_duration takes)
{
    rn_sleep(takes);
    chan_send(out, 42);
}

static int waits_for_the_goroutine(rn_duration takes)
{
    int v = -1;
    rn_waitgroup wg = {0};
    chan(int) out = chan_make(int, 1);
    wg_go(&wg, query, out, takes);
    chan_select(on_recv(out, &v), on_timeout(RN_MILLISECOND));
    wg_wait(&wg);
    chan_free(out);
    return v;
}

static int receives_later(rn_duration takes)
{
    int v = -1;
    chan(int) out = chan_make(int, 1);
    go(query, out, takes);
    if (chan_select(on_recv(out, &v), on_timeout(RN_MILLISECOND)) == 1)
        chan_recv(out);
    chan_free(out);
    return v;
}

static int keeps_it_when_late(rn_context *ctx, rn_duration takes)
{
    int v = -1;
    chan(int) out = chan_make(int, 1);
    go(query, out, takes);
    if (chan_recv_ctx(ctx, out, &v) != 0)
        return -1;
    chan_free(out);
    return v;
}

static int frees_it_after_an_answer(rn_duration takes)
{
    int v = -1;
    chan(int) out = chan_make(int, 1);
    go(query, out, takes);
    if (chan_select(on_recv(out, &v), on_timeout(RN_MILLISECOND)) == 0)
        chan_free(out);
    return v;
}

static int waits_as_long_as_it_takes(rn_duration takes)
{
    chan(int) out = chan_make(int, 0);
    defer(chan_free, out);
    go(query, out, takes);
    return chan_recv(out);
}

static void print(const char *text)
{
    puts(text);
}

static void number(int n, const char *text)
{
    (void)text;
    printf("%d\n", n);
}

static void waits_before_the_free(const char *text)
{
    rn_waitgroup wg = {0};
    char *copy = strdup(text);
    wg_go(&wg, print, copy);
    wg_wait(&wg);
    free(copy);
}

static void frees_another(const char *text)
{
    char *copy = strdup(text);
    go(number, 1, copy); /* which does not use it */
    free(copy);
    copy = strdup(text);
    go(print, copy);
    copy = strdup(text);
    free(copy);
}

int rn_main(int argc, char **argv)
{
    (void)argv;
    int n = waits_for_the_goroutine(argc) + receives_later(argc) + keeps_it_when_late(NULL, argc);
    return n + frees_it_after_an_answer(argc) + waits_as_long_as_it_takes(argc) == 3;
}
