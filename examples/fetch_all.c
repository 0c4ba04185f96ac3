/* Three slow requests one after the other take three times as long as all three at once.
 * (The requests are simulated; fetch.c makes real ones.) */
#include <runnel.h>
#include <stdio.h>
#include <string.h>

static void fetch(const char *url, int *status)
{
    rn_sleep(40 * RN_MILLISECOND);
    *status = strncmp(url, "https:", 6) == 0 ? 200 : 400;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const char *const url[] = {"https://api.example.com", "https://example.org/get",
                                      "https://example.net/posts/1"};
    enum { N = sizeof url / sizeof *url };
    int status[N] = {0};

    rn_time start = rn_now();
    for (int i = 0; i < N; i++)
        fetch(url[i], &status[i]);
    rn_duration in_turn = rn_since(start);

    start = rn_now();
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < N; i++)
        wg_go(&wg, fetch, url[i], &status[i]);
    wg_wait(&wg);
    rn_duration at_once = rn_since(start);

    for (int i = 0; i < N; i++)
        printf("%s: %d\n", url[i], status[i]);
    printf("one after the other: %d ms\n", (int)(in_turn / RN_MILLISECOND));
    printf("all at once: %d ms\n", (int)(at_once / RN_MILLISECOND));
    return 0;
}
