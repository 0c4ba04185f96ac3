/* once_do: set up on first use, by whoever comes first; the others wait until it is done. */
#include <runnel.h>
#include <stdio.h>

struct config {
    const char *host;
    int port;
};

static rn_once once;
static struct config instance;

static void load_config(const char *host)
{
    puts("loading");
    instance = (struct config){.host = host, .port = 8080};
}

static const struct config *get_config(void)
{
    once_do(&once, load_config, "localhost");
    return &instance;
}

static void use_config(chan_send_only(int) ports)
{
    chan_send(ports, get_config()->port);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    chan(int) ports = chan_make(int, 10);
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++)
        wg_go(&wg, use_config, ports);
    wg_wait(&wg);
    int good = 0;
    while (chan_len(ports))
        good += chan_recv(ports) == 8080;
    printf("%d saw it loaded\n", good);
    chan_free(ports);
    return 0;
}
