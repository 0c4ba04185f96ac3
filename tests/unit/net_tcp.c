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

enum { READERS = 4, BYTES = 1000 };

struct shared {
    rn_conn *c;
    rn_atomic_int n;
    int by[BYTES]; /* who has read the n-th byte */
};

static void read_bytes(struct shared *s, int who)
{
    char byte;
    while (net_read(s->c, &byte, 1) == 1) {
        int n = rn_atomic_add(&s->n, 1) - 1;
        REQUIRE(n < BYTES);
        s->by[n] = who;
    }
}

/* Several who read the same bytes, which come `piece` at a time. */
static void read_together(struct shared *s, int bytes, int piece)
{
    char data[BYTES] = "";
    rn_conn *w;
    rn_waitgroup wg = {0};
    REQUIRE(net_pair(&s->c, &w) == 0);
    for (int i = 0; i < READERS; i++)
        wg_go(&wg, read_bytes, s, i);
    for (int sent = 0; sent < bytes; sent += piece) {
        rn_sleep(RN_MILLISECOND / 10); /* for them to wait, and to call each other */
        REQUIRE(net_write(w, data, (size_t)piece) == piece);
        while (rn_atomic_load(&s->n) < sent + piece)
            rn_sleep(RN_MILLISECOND / 10);
    }
    net_free(w);
    wg_wait(&wg);
    net_free(s->c);
    CHECK_EQ(rn_atomic_load(&s->n), bytes);
}

/* Of several who read, or write, the same connection each goes on while it need not wait: if the turn were handed over after every
 * call, every call would be a switch to another goroutine. */
TEST(who_need_not_wait_keeps_the_turn)
{
    struct shared s = {0};
    int changes = 0;
    rn_set_procs(1);
    read_together(&s, BYTES, BYTES);
    for (int i = 1; i < BYTES; i++)
        changes += s.by[i] != s.by[i - 1];
    CHECK(changes < BYTES / 4);
}

/* But nobody keeps it for ever: who was called and came too late is handed it. */
TEST(who_waits_for_the_turn_gets_it)
{
    struct shared s = {0};
    int got[READERS] = {0}, bytes = 100;
    read_together(&s, bytes, 1);
    for (int i = 0; i < bytes; i++)
        got[s.by[i]]++;
    for (int i = 0; i < READERS; i++)
        CHECK(got[i] >= 5);
}
