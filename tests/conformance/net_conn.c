/* What every kind of connection must do alike, after Go's x/net/nettest: two ends of a pipe of bytes, used from many
 * goroutines in every order, with deadlines and closes in between. */
#include <errno.h>
#include <runnel.h>
#include <runnel/fd.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <stdlib.h>
#include <string.h>

struct ends {
    rn_conn *a, *b;
};

static struct ends by_listener(const char *network, const char *address)
{
    rn_listener *l;
    rn_addr at;
    char text[RN_ADDR_TEXT];
    struct ends e;
    REQUIRE(net_listen(network, address, &l) == 0);
    net_listener_addr(l, &at);
    REQUIRE(net_dial(network, addr_format(&at, text), &e.a) == 0);
    REQUIRE(net_accept(l, &e.b) == 0);
    net_listener_free(l);
    return e;
}

static struct ends tcp(void)
{
    return by_listener("tcp", "127.0.0.1:0");
}

static struct ends local(void)
{
    struct ends e;
    REQUIRE(net_pair(&e.a, &e.b) == 0);
    return e;
}

static void stop(struct ends *e)
{
    net_free(e->a);
    net_free(e->b);
    CHECK_EQ(rn_num_descriptors(), 0);
}

static void for_each_kind(void (*test)(struct ends *))
{
    struct ends (*const kinds[])(void) = {tcp, local};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct ends e = kinds[i]();
        test(&e);
        stop(&e);
    }
}

#define CONN_TEST(name)                      \
    static void name##_with(struct ends *e); \
    TEST(name)                               \
    {                                        \
        for_each_kind(name##_with);          \
    }                                        \
    static void name##_with(struct ends *e)

static rn_time long_ago(void)
{
    return rn_now() - RN_HOUR;
}

static const rn_duration SOON = 3 * RN_MILLISECOND;

/* ---- data ---------------------------------------------------------------------------------------- */

enum { BLOB = 1 << 20, BEGIN = 4096 };

/* Writes in chunks of sizes that change. */
static void write_blob(rn_conn *c, const char *blob)
{
    size_t at = 0;
    for (uint32_t i = 1; at < BLOB; i++) {
        size_t n = i * 7919 % 65536 + 1;
        n = n < BLOB - at ? n : BLOB - at;
        REQUIRE(net_write(c, blob + at, n) == (ssize_t)n);
        at += n;
    }
    CHECK_EQ(net_close_write(c), 0);
}

static void copy_back(rn_conn *c)
{
    char buf[BEGIN];
    ssize_t n;
    while ((n = net_read(c, buf, sizeof buf)) > 0)
        REQUIRE(net_write(c, buf, (size_t)n) == n);
    CHECK_EQ(n, 0);
    CHECK_EQ(net_close_write(c), 0);
}

CONN_TEST(what_is_written_comes_back_the_same)
{
    char *blob = malloc(BLOB), *got = malloc(BLOB + 1);
    rn_waitgroup wg = {0};
    for (size_t i = 0; i < BLOB; i++)
        blob[i] = (char)(i * 31 + i / 251);
    wg_go(&wg, write_blob, e->a, blob);
    wg_go(&wg, copy_back, e->b);
    size_t have = 0;
    for (ssize_t n; (n = net_read(e->a, got + have, BLOB + 1 - have)) > 0;)
        have += (size_t)n;
    CHECK_EQ(have, BLOB);
    CHECK(memcmp(blob, got, BLOB) == 0);
    wg_wait(&wg);
    free(blob);
    free(got);
}

enum { RECORD = 3000, RECORDS = 40, WRITERS = 8 };

static void write_records(rn_conn *c, int who)
{
    char record[RECORD];
    memset(record, 'a' + who, sizeof record);
    for (int i = 0; i < RECORDS; i++)
        CHECK_EQ(net_write(c, record, sizeof record), RECORD);
}

CONN_TEST(what_one_write_sends_is_not_mixed)
{
    rn_waitgroup wg = {0};
    char record[RECORD];
    int seen[WRITERS] = {0};
    net_set_buffers(e->a, 4096, 4096); /* so that writes wait in the middle */
    for (int i = 0; i < WRITERS; i++)
        wg_go(&wg, write_records, e->a, i);
    for (int i = 0; i < WRITERS * RECORDS; i++) {
        REQUIRE(net_read_full(e->b, record, sizeof record) == 0);
        int who = record[0] - 'a';
        REQUIRE(who >= 0 && who < WRITERS);
        seen[who]++;
        for (int j = 1; j < RECORD; j++)
            if (record[j] != record[0]) {
                FAIL("records are mixed");
                break;
            }
    }
    wg_wait(&wg);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQ(seen[i], RECORDS);
}

static void read_some(rn_conn *c, rn_atomic_int64 *sum)
{
    char buf[1000];
    for (ssize_t n; (n = net_read(c, buf, sizeof buf)) > 0;)
        rn_atomic_add(sum, n);
}

CONN_TEST(several_readers_share_what_comes)
{
    rn_waitgroup wg = {0};
    rn_atomic_int64 sum = {0};
    for (int i = 0; i < 8; i++)
        wg_go(&wg, read_some, e->b, &sum);
    for (int i = 0; i < WRITERS; i++)
        write_records(e->a, i);
    CHECK_EQ(net_close_write(e->a), 0);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&sum), (long)WRITERS * RECORDS * RECORD);
}

/* ---- deadlines and closes ------------------------------------------------------------------------ */

CONN_TEST(ping_pong_in_both_directions)
{
    uint64_t n = 0;
    rn_waitgroup wg = {0};
    wg_go(&wg, copy_back, e->b);
    for (uint64_t i = 1; i <= 500; i++) {
        REQUIRE(net_write(e->a, &i, sizeof i) == sizeof i);
        REQUIRE(net_read_full(e->a, &n, sizeof n) == 0 && n == i);
    }
    net_close_write(e->a);
    wg_wait(&wg);
}

static void read_with_deadlines(rn_conn *c)
{
    char buf[1024];
    for (int i = 0; i < 10; i++) {
        net_set_read_deadline(c, rn_now() + RN_MILLISECOND);
        for (ssize_t n = 1; n > 0;)
            if ((n = net_read(c, buf, sizeof buf)) < 0)
                CHECK_EQ(n, RN_ETIMEOUT);
    }
}

static void write_until_closed(rn_conn *c)
{
    char buf[1024] = "";
    ssize_t n;
    while ((n = net_write(c, buf, sizeof buf)) > 0 || n == RN_ETIMEOUT) {
        rn_yield();
        if (n == RN_ETIMEOUT)
            net_set_write_deadline(c, rn_now() + RN_MILLISECOND);
    }
    CHECK(n == -EPIPE || n == -ECONNRESET || n == RN_ECLOSED);
}

CONN_TEST(reads_race_with_deadlines)
{
    rn_waitgroup readers = {0}, writer = {0};
    wg_go(&writer, write_until_closed, e->b);
    for (int i = 0; i < 10; i++)
        wg_go(&readers, read_with_deadlines, e->a);
    wg_wait(&readers);
    net_close(e->a);
    wg_wait(&writer);
}

static void write_with_deadlines(rn_conn *c)
{
    char buf[1024] = "";
    for (int i = 0; i < 10; i++) {
        net_set_write_deadline(c, rn_now() + RN_MILLISECOND);
        for (ssize_t n = 1; n > 0;)
            if ((n = net_write(c, buf, sizeof buf)) < 0)
                CHECK_EQ(n, RN_ETIMEOUT);
    }
}

static void read_until_closed(rn_conn *c)
{
    char buf[512];
    ssize_t n;
    while ((n = net_read(c, buf, sizeof buf)) > 0)
        rn_yield();
    CHECK(n == 0 || n == -ECONNRESET || n == RN_ECLOSED);
}

CONN_TEST(writes_race_with_deadlines)
{
    rn_waitgroup writers = {0}, reader = {0};
    wg_go(&reader, read_until_closed, e->b);
    for (int i = 0; i < 10; i++)
        wg_go(&writers, write_with_deadlines, e->a);
    wg_wait(&writers);
    net_close(e->a);
    wg_wait(&reader);
}

static void echo_until_closed(rn_conn *c)
{
    char buf[BEGIN];
    for (ssize_t n; (n = net_read(c, buf, sizeof buf)) > 0;)
        if (net_write(c, buf, (size_t)n) < 0)
            break;
}

/* Timed out, and later works again as if nothing had happened. */
static void resync(rn_conn *c)
{
    char byte = 0;
    net_set_deadline(c, 0);
    CHECK_EQ(net_write(c, "!", 1), 1);
    while (byte != '!') /* what an earlier write got through comes first */
        REQUIRE(net_read(c, &byte, 1) == 1);
}

CONN_TEST(past_present_and_future_time_outs)
{
    char byte;
    rn_waitgroup wg = {0};
    wg_go(&wg, echo_until_closed, e->b);
    net_set_deadline(e->a, long_ago());
    CHECK_EQ(net_write(e->a, "x", 1), RN_ETIMEOUT);
    CHECK_EQ(net_read(e->a, &byte, 1), RN_ETIMEOUT);
    resync(e->a);
    net_set_read_deadline(e->a, rn_now() + SOON);
    CHECK_EQ(net_read(e->a, &byte, 1), RN_ETIMEOUT);
    CHECK_EQ(net_write(e->a, "x", 1), 1); /* the other direction has none */
    resync(e->a);
    net_close(e->a);
    wg_wait(&wg);
}

static void set_deadline_soon(rn_conn *c, rn_time when)
{
    rn_sleep(RN_MILLISECOND);
    net_set_deadline(c, when);
}

static void fill(rn_conn *c)
{
    static const char chunk[1 << 16];
    ssize_t n;
    while ((n = net_write(c, chunk, sizeof chunk)) > 0)
        continue;
    CHECK_EQ(n, RN_ETIMEOUT);
}

CONN_TEST(a_present_time_out_ends_both_directions)
{
    char byte;
    rn_waitgroup wg = {0};
    wg_go(&wg, set_deadline_soon, e->a, long_ago());
    wg_go(&wg, fill, e->a);
    CHECK_EQ(net_read(e->a, &byte, 1), RN_ETIMEOUT);
    wg_wait(&wg);
}

static void close_soon(rn_conn *c)
{
    rn_sleep(RN_MILLISECOND);
    CHECK_EQ(net_close(c), 0);
}

CONN_TEST(a_close_ends_reads_of_both_ends)
{
    char byte;
    rn_waitgroup wg = {0};
    wg_go(&wg, close_soon, e->a);
    wg_go(&wg, read_until_closed, e->b);
    CHECK_EQ(net_read(e->a, &byte, 1), RN_ECLOSED);
    wg_wait(&wg);
}

CONN_TEST(a_close_ends_writes_of_both_ends)
{
    rn_waitgroup wg = {0};
    wg_go(&wg, close_soon, e->a);
    wg_go(&wg, write_until_closed, e->b);
    write_until_closed(e->a);
    wg_wait(&wg);
}

/* ---- everything at once --------------------------------------------------------------------------- */

static void use(rn_conn *c, int what)
{
    char buf[1024] = "";
    rn_addr a;
    for (int i = 0; i < 20; i++)
        switch (what % 7) {
        case 0:
            net_read(c, buf, sizeof buf);
            break;
        case 1:
            net_write(c, buf, sizeof buf);
            break;
        case 2:
            net_set_deadline(c, rn_now() + 10 * RN_MILLISECOND);
            break;
        case 3:
            net_set_read_deadline(c, rn_now() + 10 * RN_MILLISECOND);
            break;
        case 4:
            net_set_write_deadline(c, rn_now() + 10 * RN_MILLISECOND);
            break;
        case 5:
            net_local_addr(c, &a);
            break;
        default:
            net_remote_addr(c, &a);
        }
}

CONN_TEST(every_call_at_the_same_time)
{
    rn_waitgroup calls = {0}, other = {0};
    wg_go(&other, echo_until_closed, e->b);
    net_set_deadline(e->a, rn_now() + 10 * RN_MILLISECOND);
    for (int i = 0; i < 70; i++)
        wg_go(&calls, use, e->a, i);
    wg_wait(&calls);
    net_close(e->a);
    wg_wait(&other);
}

CONN_TEST(closing_amid_every_call)
{
    rn_waitgroup calls = {0};
    for (int i = 0; i < 70; i++) {
        wg_go(&calls, use, i % 2 ? e->a : e->b, i);
        if (i == 40)
            net_set_deadline(e->b, rn_now() + 10 * RN_MILLISECOND);
    }
    rn_yield();
    net_close(e->a);
    wg_wait(&calls);
}
