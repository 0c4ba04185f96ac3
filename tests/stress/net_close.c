/* Connections that come and go under load: resets at every point, closes while others use them, descriptors that
 * are reused at once.  Afterwards no descriptor and no goroutine is left. */
#define _GNU_SOURCE 1
#include "../quiet.h"
#include <errno.h>
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rn_listener *listening(char *text)
{
    rn_listener *l;
    rn_addr a;
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &l) == 0);
    net_listener_addr(l, &a);
    addr_format(&a, text);
    return l;
}

static void echo(rn_conn *c)
{
    char buf[2048];
    for (ssize_t n; (n = net_read(c, buf, sizeof buf)) > 0;)
        if (net_write(c, buf, (size_t)n) < 0)
            break;
    net_free(c);
}

static void serve(rn_listener *l, rn_waitgroup *wg)
{
    for (rn_conn *c; net_accept(l, &c) == 0;)
        wg_go(wg, echo, c);
}

/* Talks to the echo server and resets the connection at point `when`: after so many bytes. */
static void reset_at(const char *to, int when)
{
    rn_conn *c;
    char buf[1000] = "";
    if (net_dial("tcp", to, &c) != 0)
        return;
    net_set_linger(c, 0);
    for (int i = 0; i < when; i++) {
        if (net_write(c, buf, (size_t)(i * 97 % 1000) + 1) < 0)
            break;
        if (i % 3 == 0 && net_read(c, buf, sizeof buf) <= 0)
            break;
    }
    if (when % 4 == 1)
        net_close_write(c);
    net_free(c);
}

/* One that nobody disturbs: must not notice anything. */
static void steady(const char *to, rn_atomic_int64 *stop)
{
    rn_conn *c;
    REQUIRE(net_dial("tcp", to, &c) == 0);
    for (uint64_t i = 0, got = 0; !rn_atomic_load(stop); i++) {
        CHECK_EQ(net_write(c, &i, sizeof i), sizeof i);
        CHECK_EQ(net_read_full(c, &got, sizeof got), 0);
        CHECK_EQ(got, i);
    }
    net_free(c);
}

static void resets(const char *to, int from)
{
    for (int i = 0; i < 60; i++)
        reset_at(to, (from + i) % 20);
}

TEST(peers_that_reset_at_every_point)
{
    char to[RN_ADDR_TEXT];
    rn_atomic_int64 stop = {0};
    rn_waitgroup server = {0}, clients = {0}, neighbour = {0};
    int before = open_descriptors();
    rn_listener *l = listening(to);
    wg_go(&server, serve, l, &server);
    wg_go(&neighbour, steady, to, &stop);
    for (int i = 0; i < 8; i++)
        wg_go(&clients, resets, to, i * 7);
    wg_wait(&clients);
    rn_atomic_store(&stop, 1);
    wg_wait(&neighbour);
    net_listener_free(l);
    wg_wait(&server);
    CHECK_EQ(rn_num_descriptors(), 0);
    CHECK_EQ(open_descriptors(), before);
}

/* ---- close against use ----------------------------------------------------------------------------- */

static void use(rn_conn *c, int how)
{
    char buf[64] = "";
    ssize_t n = 1;
    while (n > 0 || n == RN_ETIMEOUT)
        switch (how % 4) {
        case 0:
            n = net_read(c, buf, sizeof buf);
            break;
        case 1:
            n = net_write(c, buf, sizeof buf);
            break;
        case 2:
            net_set_deadline(c, rn_now() + (rn_duration)(how * 1000));
            n = net_fd(c);
            rn_yield();
            break;
        default:
            n = net_try_read(c, buf, sizeof buf);
            if (n == RN_EAGAIN)
                n = 1;
            rn_yield();
        }
}

static void close_amid_use(int seed)
{
    rn_conn *a, *b;
    rn_waitgroup wg = {0};
    REQUIRE(net_pair(&a, &b) == 0);
    for (int i = 0; i < 8; i++)
        wg_go(&wg, use, i % 2 ? a : b, i + seed);
    for (int i = 0; i < seed % 5; i++)
        rn_yield();
    net_close(seed % 2 ? a : b);
    net_close(seed % 2 ? b : a);
    wg_wait(&wg);
    net_free(a);
    net_free(b);
}

static void many_closes(int seed)
{
    for (int i = 0; i < 100; i++)
        close_amid_use(seed + i);
}

TEST(closes_amid_use_with_descriptors_reused_at_once)
{
    rn_waitgroup wg = {0};
    int before = open_descriptors();
    for (int i = 0; i < 8; i++)
        wg_go(&wg, many_closes, i * 1000);
    wg_wait(&wg);
    CHECK_EQ(rn_num_descriptors(), 0);
    CHECK_EQ(open_descriptors(), before);
}

/* A late event must not wake, nor data reach, the next connection that has the number. */
static void no_stray_wakeups(void)
{
    for (int i = 0; i < 300; i++) {
        rn_conn *a, *b;
        char byte = 0;
        REQUIRE(net_pair(&a, &b) == 0);
        net_set_read_deadline(a, rn_now() + RN_HOUR);
        go(echo, b);
        CHECK_EQ(net_write(a, &(char){(char)i}, 1), 1);
        CHECK_EQ(net_read(a, &byte, 1), 1);
        CHECK_EQ(byte, (char)i);
        net_free(a);
    }
}

TEST(numbers_are_reused_and_nobody_notices)
{
    rn_waitgroup wg = {0};
    for (int i = 0; i < 6; i++)
        wg_go(&wg, no_stray_wakeups);
    wg_wait(&wg);
    while (rn_num_descriptors() > 0) /* the echoes are on their way out */
        rn_yield();
}

/* ---- accept and close ------------------------------------------------------------------------------ */

static void accept_all(rn_listener *l, rn_atomic_int64 *got)
{
    for (rn_conn *c; net_accept(l, &c) == 0;) {
        rn_atomic_add(got, 1);
        net_free(c);
    }
}

static void dial_often(const char *to, int n, rn_atomic_int64 *made)
{
    rn_conn *c;
    for (int i = 0; i < n; i++)
        if (net_dial("tcp", to, &c) == 0) {
            rn_atomic_add(made, 1);
            net_set_linger(c, 0); /* no port stays in TIME_WAIT */
            net_free(c);
        }
}

TEST(many_accept_and_the_listener_closes)
{
    for (int round = 0; round < 10; round++) {
        char to[RN_ADDR_TEXT];
        rn_atomic_int64 got = {0}, made = {0};
        rn_waitgroup accepters = {0}, dialers = {0};
        rn_listener *l = listening(to);
        for (int i = 0; i < 5; i++)
            wg_go(&accepters, accept_all, l, &got);
        for (int i = 0; i < 5; i++)
            wg_go(&dialers, dial_often, to, 20, &made);
        if (round % 2)
            wg_wait(&dialers);
        net_listener_close(l);
        wg_wait(&accepters);
        wg_wait(&dialers);
        CHECK(rn_atomic_load(&got) <= rn_atomic_load(&made) + 100);
        net_listener_free(l);
        CHECK_EQ(rn_num_descriptors(), 0);
    }
}
