/* A slow call with a limit: whichever comes first, the page, an error or the timeout.
 * In C nobody collects what a late answer leaves behind, so the request is cancelled and waited
 * for; the channel has room for its answer, so it never hangs on sending it. */
#include <runnel.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct page {
    const char *body; /* NULL when err is set */
    int err;
};

/* The network, simulated: an answer after `takes`, unless cancelled before. */
static void request(rn_context *ctx, const char *url, rn_duration takes, chan_send_only(struct page) out)
{
    int err = rn_sleep_ctx(ctx, takes);
    if (!err && strstr(url, "refused"))
        err = -ECONNREFUSED;
    chan_send(out, ((struct page){err ? NULL : "<html>", err}));
}

/* Returns 0 and the page's body, or an error. */
static int fetch_with_timeout(const char *url, rn_duration takes, rn_duration timeout, const char **body)
{
    rn_context *ctx = ctx_with_cancel(ctx_background());
    chan(struct page) answer = chan_make(struct page, 1);
    struct page p;
    go(request, ctx, url, takes, answer);
    bool late = chan_select(on_recv(answer, &p), on_timeout(timeout)) == 1;
    ctx_cancel(ctx);
    if (late) {
        chan_recv(answer);
        p.err = RN_ETIMEOUT;
    }
    chan_free(answer);
    *body = p.body;
    return p.err;
}

static void show(const char *url, rn_duration takes, rn_duration timeout)
{
    const char *body;
    int err = fetch_with_timeout(url, takes, timeout, &body);
    printf("%s: %s\n", url, err ? rn_strerror(err) : body);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    show("https://fast.example.com", RN_MILLISECOND, RN_MINUTE);
    show("https://refused.example.com", RN_MILLISECOND, RN_MINUTE);
    show("https://slow.example.com", RN_MINUTE, 50 * RN_MILLISECOND);
    return 0;
}
