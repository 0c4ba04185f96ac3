/* I/O between ends of one program, which is simulated: its delays and short reads are choices, time is virtual,
 * and a read that nothing can end is a deadlock. */
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <string.h>

static rn_listener *listener;
static char address[RN_ADDR_TEXT];

static void open_listener(const char *network, const char *at)
{
    rn_addr a;
    REQUIRE(net_listen(network, at, &listener) == 0);
    net_listener_addr(listener, &a);
    rn_addr_format(&a, address);
}

static void echo(rn_conn *c)
{
    char buf[64];
    for (ssize_t n; (n = net_read(c, buf, sizeof buf)) > 0;)
        if (net_write(c, buf, (size_t)n) < 0)
            break;
    net_free(c);
}

static void serve(int connections)
{
    for (rn_conn *c; connections-- > 0 && net_accept(listener, &c) == 0;)
        go(echo, c);
}

static void ask(const char *network, const char *at)
{
    rn_conn *c;
    char got[5];
    open_listener(network, at);
    go(serve, 1);
    REQUIRE(net_dial(network, address, &c) == 0);
    CHECK_EQ(net_write(c, "hello", 5), 5);
    CHECK_EQ(net_read_full(c, got, 5), 0);
    CHECK(memcmp(got, "hello", 5) == 0);
    net_free(c);
    net_listener_free(listener);
}

TEST(fixed_echo_tcp)
{
    ask("tcp", "127.0.0.1:0");
}

TEST(fixed_echo_unix)
{
    ask("unix", "@runnel-explore");
}

/* Right as long as the network is: run.sh sees what becomes of it with -faults. */
TEST(fixed_echo_in_a_second)
{
    rn_conn *c;
    char got[5];
    open_listener("tcp", "127.0.0.1:0");
    go(serve, 1);
    REQUIRE(net_dial("tcp", address, &c) == 0);
    net_set_deadline(c, rn_now() + RN_SECOND);
    CHECK_EQ(net_write(c, "hello", 5), 5);
    CHECK_EQ(net_read_full(c, got, 5), 0);
    net_free(c);
    net_listener_free(listener);
}

/* One read is taken to be one message. */
TEST(buggy_short_read)
{
    rn_conn *c;
    char got[5];
    open_listener("tcp", "127.0.0.1:0");
    go(serve, 1);
    REQUIRE(net_dial("tcp", address, &c) == 0);
    net_write(c, "hello", 5);
    CHECK_EQ(net_read(c, got, 5), 5);
    net_free(c);
    net_listener_free(listener);
}

/* Nobody will ever write, and nobody else can end the wait. */
TEST(buggy_read_for_ever)
{
    rn_conn *r, *w;
    char byte;
    REQUIRE(rn_pipe(&r, &w) == 0);
    net_read(r, &byte, 1);
    net_free(r);
    net_free(w);
}

TEST(fixed_read_for_ever)
{
    rn_conn *r, *w;
    char byte;
    rn_time start = rn_now();
    REQUIRE(rn_pipe(&r, &w) == 0);
    net_set_deadline(r, start + RN_HOUR);
    CHECK_EQ(net_read(r, &byte, 1), RN_ETIMEOUT);
    CHECK_EQ(rn_since(start), RN_HOUR);
    net_free(r);
    net_free(w);
}

static void write_all(rn_conn *w)
{
    static char much[200000];
    CHECK_EQ(net_write(w, much, sizeof much), sizeof much);
    net_free(w);
}

TEST(fixed_much_through_a_pipe)
{
    rn_conn *r, *w;
    static char buf[70000];
    size_t sum = 0;
    REQUIRE(rn_pipe(&r, &w) == 0);
    go(write_all, w);
    for (ssize_t n; (n = net_read(r, buf, sizeof buf)) > 0;)
        sum += (size_t)n;
    CHECK_EQ(sum, 200000);
    net_free(r);
}

TEST(fixed_nobody_listens)
{
    rn_conn *c;
    CHECK(net_dial("tcp", "127.0.0.1:1", &c) != 0);
}
