/* A request that needs three lookups makes them in parallel; the answers come as they are ready.
 * (What the handler in http_server.c does for each request.) */
#include <runnel.h>
#include <stdio.h>

static void user(long id, chan_send_only(const char *) out)
{
    rn_sleep(3 * id * RN_MILLISECOND);
    chan_send(out, "user");
}

static void product(long id, chan_send_only(const char *) out)
{
    rn_sleep(2 * id * RN_MILLISECOND);
    chan_send(out, "product");
}

static void analytics(long id, chan_send_only(const char *) out)
{
    rn_sleep(id * RN_MILLISECOND);
    chan_send(out, "analytics");
}

static void handle(long id)
{
    chan(const char *) found = chan_make(const char *, 3);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, user, id, found);
    wg_go(&wg, product, id, found);
    wg_go(&wg, analytics, id, found);
    for (int i = 0; i < 3; i++)
        printf("Result: %s\n", chan_recv(found));
    wg_wait(&wg);
    chan_free(found);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    handle(1);
    return 0;
}
