/* TCP: listen, dial, read, write, close, deadlines. */
#include <errno.h>
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <stdio.h>
#include <string.h>

struct both {
    rn_listener *l;
    rn_conn *client, *server;
};

static void dial_to(const char *network, rn_listener *l, rn_conn **out)
{
    rn_addr a;
    char text[RN_ADDR_TEXT];
    net_listener_addr(l, &a);
    REQUIRE(net_dial(network, addr_format(&a, text), out) == 0);
}

static struct both connected(const char *network, const char *address)
{
    struct both b;
    REQUIRE(net_listen(network, address, &b.l) == 0);
    dial_to(network, b.l, &b.client);
    REQUIRE(net_accept(b.l, &b.server) == 0);
    return b;
}

static void release(struct both *b)
{
    net_free(b->client);
    net_free(b->server);
    net_listener_free(b->l);
    CHECK_EQ(rn_num_descriptors(), 0);
}

static void echo(rn_conn *c)
{
    char buf[4096];
    for (ssize_t n; (n = net_read(c, buf, sizeof buf)) > 0;)
        if (net_write(c, buf, (size_t)n) < 0)
            return;
    net_close_write(c);
}

static void exchange(const char *network, const char *address)
{
    struct both b = connected(network, address);
    char got[16] = "";
    rn_waitgroup wg = {0};
    wg_go(&wg, echo, b.server);
    for (int i = 0; i < 100; i++) {
        REQUIRE(net_write(b.client, "hello", 5) == 5);
        CHECK_EQ(net_read_full(b.client, got, 5), 0);
        CHECK_STR(got, "hello");
    }
    CHECK_EQ(net_close_write(b.client), 0);
    CHECK_EQ(net_read(b.client, got, sizeof got), 0);
    CHECK_EQ(net_read(b.client, got, sizeof got), 0);
    wg_wait(&wg);
    release(&b);
}

TEST(tcp_by_ipv4)
{
    exchange("tcp", "127.0.0.1:0");
    exchange("tcp4", ":0");
}

TEST(unix_streams)
{
    char name[64];
    snprintf(name, sizeof name, "@runnel-test-%d", (int)(rn_now() % 1000000));
    exchange("unix", name);
    exchange("unixpacket", name);
}

static void close_later(rn_conn *c)
{
    rn_sleep(RN_MILLISECOND);
    CHECK_EQ(net_close(c), 0);
}

TEST(a_close_wakes_a_blocked_read)
{
    struct both b = connected("tcp", "127.0.0.1:0");
    char byte;
    rn_waitgroup wg = {0};
    wg_go(&wg, close_later, b.client);
    CHECK_EQ(net_read(b.client, &byte, 1), RN_ECLOSED);
    wg_wait(&wg);
    CHECK_EQ(net_read(b.client, &byte, 1), RN_ECLOSED);
    CHECK_EQ(net_write(b.client, &byte, 1), RN_ECLOSED);
    CHECK_EQ(net_close(b.client), RN_ECLOSED);
    CHECK_EQ(net_read(b.server, &byte, 1), 0);
    release(&b);
}

TEST(a_deadline_ends_a_read_and_clearing_it_revives)
{
    struct both b = connected("tcp", "127.0.0.1:0");
    char byte;
    rn_time until = rn_now() + 5 * RN_MILLISECOND;
    net_set_read_deadline(b.client, until);
    CHECK_EQ(net_read(b.client, &byte, 1), RN_ETIMEOUT);
    CHECK(rn_now() >= until);
    CHECK_EQ(net_read(b.client, &byte, 1), RN_ETIMEOUT);
    REQUIRE(net_write(b.server, "x", 1) == 1);
    CHECK_EQ(net_read(b.client, &byte, 1), RN_ETIMEOUT);
    net_set_read_deadline(b.client, 0);
    CHECK_EQ(net_read(b.client, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    release(&b);
}
