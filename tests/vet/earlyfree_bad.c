/* Channels that are freed although their goroutine may still send, and memory that it may still read. */
#include <runnel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void query(chan_send_only(int) out, rn_duration takes)
{
    rn_sleep(takes);
    chan_send(out, 42);
}

static int deferred(rn_duration takes)
{
    int v = -1;
    chan(int) out = chan_make(int, 1);
    defer(chan_free, out); // want earlyfree
    go(query, out, takes);
    chan_select(on_recv(out, &v), on_timeout(RN_MILLISECOND));
    return v;
}

static int at_the_end(rn_context *ctx, rn_duration takes)
{
    int v = -1;
    chan(int) out = chan_make(int, 0);
    rn_go_with((.name = "query"), query, out, takes);
    switch (chan_select(on_done(ctx), on_recv(out, &v))) {
    case 0:
        puts("late");
        break;
    }
    chan_free(out); // want earlyfree
    return v;
}

static int with_context(rn_context *ctx, rn_duration takes)
{
    int v = -1;
    chan(int) out = chan_make(int, 1);
    go(query, out, takes);
    int err = chan_recv_ctx(ctx, out, &v);
    chan_free(out); // want earlyfree
    return err ? err : v;
}

static void print(const char *text, chan_send_only(int) out)
{
    chan_send(out, puts(text));
}

static int without_a_wait(const char *text)
{
    rn_waitgroup wg = {0};
    chan(int) out = chan_make(int, 1);
    char *copy = strdup(text);
    wg_go(&wg, print, copy, out);
    puts("started");
    free(copy);     // want earlyfree
    chan_free(out); // want earlyfree
    wg_wait(&wg);
    return 0;
}

int rn_main(int argc, char **argv)
{
    rn_context *ctx = ctx_with_timeout(NULL, RN_MILLISECOND);
    defer(ctx_cancel, ctx);
    return deferred(argc) + at_the_end(ctx, argc) + with_context(ctx, argc) + without_a_wait(argv[0]) == 3;
}
