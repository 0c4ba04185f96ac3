/* Names, with a resolver of the test's own: what comes late, or when nobody waits for it any more. */
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64 }; /* as in src/net/lookup.c */

static rn_atomic_int asked, may_answer;

static struct addrinfo *ip4(void)
{
    struct answer {
        struct addrinfo info;
        struct sockaddr_in at;
    } *a = calloc(1, sizeof *a);
    REQUIRE(a != NULL);
    a->at.sin_family = AF_INET;
    a->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a->info = (struct addrinfo){
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *)(void *)&a->at, .ai_addrlen = sizeof a->at};
    return &a->info;
}

static struct addrinfo *ip6(struct addrinfo *next)
{
    struct answer {
        struct addrinfo info;
        struct sockaddr_in6 at;
    } *a = calloc(1, sizeof *a);
    REQUIRE(a != NULL);
    a->at.sin6_family = AF_INET6;
    a->at.sin6_addr = in6addr_loopback;
    a->info = (struct addrinfo){.ai_family = AF_INET6,
                                .ai_addr = (struct sockaddr *)(void *)&a->at,
                                .ai_addrlen = sizeof a->at,
                                .ai_next = next};
    return &a->info;
}

/* 127.0.0.1, once it may be told; of "both.example" ::1 before it, of "many.example" a hundred of them. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)service, (void)hints;
    rn_atomic_add(&asked, 1);
    while (!rn_atomic_load(&may_answer))
        usleep(1000);
    *out = strcmp(host, "both.example") == 0 ? ip6(ip4()) : ip4();
    if (strcmp(host, "many.example") == 0)
        for (int i = 0; i < 100; i++)
            *out = ip6(*out);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    for (struct addrinfo *next; list; list = next) {
        next = list->ai_next;
        free(list);
    }
}

static void ask(void)
{
    rn_addr a;
    CHECK_EQ(net_lookup("tcp", "slow.example", &a, 1), 1);
}

static void await_asked(int n)
{
    while (rn_atomic_load(&asked) < n)
        rn_sleep(RN_MILLISECOND);
}

/* ---- listening ---- */

TEST(a_name_of_both_families_is_listened_at_by_ip4)
{
    rn_addr at, a[2];
    rn_listener *l;
    rn_conn *c;
    rn_atomic_store(&may_answer, 1);
    CHECK_EQ(net_lookup("tcp", "both.example", a, 2), 2);
    CHECK_EQ(a[0].family, RN_ADDR_IP6);
    REQUIRE(net_listen("tcp", "both.example:0", &l) == 0);
    net_listener_addr(l, &at);
    CHECK_EQ(at.family, RN_ADDR_IP4);
    net_listener_free(l);
    REQUIRE(net_listen_packet("udp", "both.example:0", &c) == 0);
    net_local_addr(c, &at);
    CHECK_EQ(at.family, RN_ADDR_IP4);
    net_free(c);
}

/* ---- many ---- */

/* More of IPv6 than are kept: IPv4 is among them nevertheless, and is what answers. */
TEST(many_addresses_of_one_family_leave_room_for_the_other)
{
    enum { MANY = 200 };
    rn_addr at, a[MANY];
    char where[64];
    rn_listener *l;
    rn_conn *c = NULL;
    rn_atomic_store(&may_answer, 1);
    int n = net_lookup("tcp", "many.example", a, MANY);
    REQUIRE(n > 1);
    CHECK_EQ(a[0].family, RN_ADDR_IP6);
    CHECK_EQ(a[n - 1].family, RN_ADDR_IP4);
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &l) == 0);
    net_listener_addr(l, &at);
    snprintf(where, sizeof where, "many.example:%u", at.port);
    CHECK_EQ(net_dial("tcp", where, &c), 0);
    net_free(c);
    net_listener_free(l);
}

/* ---- given up ---- */

TEST(a_lookup_is_given_up_at_once)
{
    rn_addr a;
    rn_waitgroup wg = {0};
    for (int i = 0; i < AT_ONCE; i++)
        wg_go(&wg, ask);
    await_asked(AT_ONCE);
    rn_context *ctx = ctx_with_timeout(NULL, 5 * RN_MILLISECOND);
    CHECK_EQ(net_lookup_ctx(ctx, "tcp", "has.no.turn", &a, 1), RN_ETIMEOUT);
    ctx_cancel(ctx);
    CHECK_EQ(rn_atomic_load(&asked), AT_ONCE);
    rn_atomic_store(&may_answer, 1);
    wg_wait(&wg);
    rn_atomic_store(&may_answer, 0);
    ctx = ctx_with_timeout(NULL, 5 * RN_MILLISECOND);
    CHECK_EQ(net_lookup_ctx(ctx, "tcp", "is.under.way", &a, 1), RN_ETIMEOUT);
    ctx_cancel(ctx);
    rn_atomic_store(&may_answer, 1);
    ask();
    while (rn_num_goroutines() > 1)
        rn_sleep(RN_MILLISECOND);
}

/* ---- a run's end ---- */

/* The lookups are over when the run has ended, and theirs who asked are gone. */
static void leave_behind(void)
{
    rn_atomic_store(&may_answer, 0);
    rn_atomic_store(&asked, 0);
    for (int i = 0; i < AT_ONCE + 10; i++)
        go(ask);
    await_asked(AT_ONCE);
    rn_atomic_store(&may_answer, 1);
}

static void ask_with_patience(void)
{
    rn_addr a;
    rn_context *ctx = ctx_with_timeout(NULL, 20 * RN_SECOND);
    CHECK_EQ(net_lookup_ctx(ctx, "tcp", "next.example", &a, 1), 1);
    ctx_cancel(ctx);
}

TEST_PLAIN(what_a_run_leaves_behind_takes_no_turn_of_the_next)
{
    for (int i = 0; i < 3; i++) {
        rn_run(leave_behind);
        rn_run(ask_with_patience);
    }
}

static void *ask_as_a_thread(void *arg)
{
    ask();
    return arg;
}

static pthread_t threads[20];

/* Some have a turn then, and some wait for one. */
static void leave_threads_behind(void)
{
    rn_atomic_store(&may_answer, 0);
    rn_atomic_store(&asked, 0);
    for (int i = 0; i < 10; i++)
        REQUIRE(pthread_create(&threads[i], NULL, ask_as_a_thread, NULL) == 0);
    await_asked(10);
    for (int i = 0; i < AT_ONCE; i++)
        go(ask);
    await_asked(AT_ONCE);
    for (int i = 10; i < 20; i++)
        REQUIRE(pthread_create(&threads[i], NULL, ask_as_a_thread, NULL) == 0);
    rn_atomic_store(&may_answer, 1);
}

TEST_PLAIN(plain_threads_are_answered_though_the_run_ends)
{
    for (int i = 0; i < 10; i++) {
        rn_run(leave_threads_behind);
        for (int k = 0; k < 20; k++)
            pthread_join(threads[k], NULL);
    }
}
