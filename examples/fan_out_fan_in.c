/* Fan-out, fan-in: a goroutine for each request, all results through one channel, which is closed
 * when the last has been sent. */
#include <runnel.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fetched {
    const char *url;
    int status, err;
};

static void fetch(const char *url, chan_send_only(struct fetched) results)
{
    struct fetched f = {.url = url};
    rn_sleep((rn_duration)strlen(url) * RN_MILLISECOND); /* the network */
    if (strstr(url, "nowhere"))
        f.err = -EHOSTUNREACH;
    else
        f.status = 200;
    chan_send(results, f);
}

static void fetch_all(const char *const *url, int n, chan_send_only(struct fetched) results)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < n; i++)
        wg_go(&wg, fetch, url[i], results);
    wg_wait(&wg);
    chan_close(results);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const char *const url[] = {"https://a.example", "https://nowhere.example", "https://c.example.org"};
    chan(struct fetched) results = chan_make(struct fetched, 0);
    defer(chan_free, results);
    go(fetch_all, url, 3, results);
    for (struct fetched f; chan_next(results, &f);) {
        if (f.err)
            printf("Failed: %s: %s\n", f.url, rn_strerror(f.err));
        else
            printf("OK: %s (%d)\n", f.url, f.status);
    }
    return 0;
}
