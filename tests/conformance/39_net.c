/* SEMANTICS 39, for the network: a goroutine that waits for a descriptor holds the deadlock report back; a closed
 * listener, and descriptors for which nobody waits, do not. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static rn_listener *listening(void)
{
    rn_listener *l;
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &l) == 0);
    return l;
}

static void accept_forever(rn_listener *l)
{
    rn_conn *c;
    while (net_accept(l, &c) == 0)
        net_free(c);
}

/* A thread would hold the report back by itself; a child can connect without being one. */
static void connect_from_a_child(rn_listener *l)
{
    rn_addr a;
    char text[RN_ADDR_TEXT], line[RN_ADDR_TEXT + 64];
    net_listener_addr(l, &a);
    snprintf(line, sizeof line, "(sleep 0.3; exec 3<>/dev/tcp/127.0.0.1/%d) &", a.port);
    addr_format(&a, text);
    CHECK_EQ(execl("/bin/bash", "bash", "-c", line, (char *)NULL), 0);
}

TEST(a_blocked_accept_is_no_deadlock)
{
    rn_listener *l = listening();
    rn_conn *c;
    if (access("/bin/bash", X_OK) != 0)
        rn_test_skip("no bash");
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        connect_from_a_child(l);
        _exit(1);
    }
    CHECK_EQ(net_accept(l, &c), 0);
    net_free(c);
    net_listener_free(l);
}

TEST_DIES(an_open_listener_that_nobody_waits_for, 2, "all goroutines are asleep - deadlock!")
{
    chan(int) c = chan_make(int, 0);
    listening();
    chan_recv(c);
}

TEST_DIES(a_closed_listener, 2, "all goroutines are asleep - deadlock!")
{
    chan(int) c = chan_make(int, 0);
    rn_listener *l = listening();
    go(accept_forever, l);
    rn_sleep(RN_MILLISECOND);
    net_listener_close(l);
    chan_recv(c);
}

TEST_DIES(a_deadline_that_nobody_waits_for, 2, "all goroutines are asleep - deadlock!")
{
    rn_conn *a, *b;
    char byte;
    chan(int) c = chan_make(int, 0);
    REQUIRE(net_pair(&a, &b) == 0);
    net_set_read_deadline(a, rn_now() + RN_MILLISECOND);
    CHECK_EQ(net_read(a, &byte, 1), RN_ETIMEOUT);
    net_set_read_deadline(a, rn_now() + RN_HOUR); /* for nobody */
    chan_recv(c);
}

TEST_DIES(the_listing_says_io_wait, 2, "[IO wait")
{
    rn_listener *l = listening();
    go(accept_forever, l);
    rn_sleep(RN_MILLISECOND);
    rn_panic("enough");
}
