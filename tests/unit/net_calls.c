/* Every call of runnel/net.h, over every kind of socket. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct both {
    rn_listener *l;
    rn_conn *client, *server;
};

static const char *address_of(rn_listener *l, char *text)
{
    rn_addr a;
    net_listener_addr(l, &a);
    return addr_format(&a, text);
}

static struct both connected(const char *network, const char *address)
{
    struct both b;
    char text[RN_ADDR_TEXT];
    REQUIRE(net_listen(network, address, &b.l) == 0);
    REQUIRE(net_dial(network, address_of(b.l, text), &b.client) == 0);
    REQUIRE(net_accept(b.l, &b.server) == 0);
    return b;
}

static struct both tcp(void)
{
    return connected("tcp", "127.0.0.1:0");
}

static void release(struct both *b)
{
    net_free(b->client);
    net_free(b->server);
    net_listener_free(b->l);
    CHECK_EQ(rn_num_descriptors(), 0);
}

static const char *scratch(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "/tmp/runnel-%d-%s", (int)getpid(), name);
    return path;
}

/* ---- addresses ---------------------------------------------------------------------------------- */

TEST(both_ends_know_both_addresses)
{
    struct both b = tcp();
    rn_addr a, c;
    net_local_addr(b.client, &a);
    net_remote_addr(b.server, &c);
    CHECK(a.family == RN_ADDR_IP4 && a.port != 0 && addr_equal(&a, &c));
    net_remote_addr(b.client, &a);
    net_listener_addr(b.l, &c);
    CHECK(addr_equal(&a, &c));
    net_close(b.client);
    net_local_addr(b.client, &a);
    CHECK_EQ(a.family, RN_ADDR_NONE);
    CHECK_EQ(net_fd(b.client), RN_ECLOSED);
    CHECK(net_fd(b.server) >= 0);
    release(&b);
}

/* As a program that takes the place of another one: the socket is open in both. */
static void taken_over(const char *network, const char *address, const char *path)
{
    rn_listener *old, *l;
    rn_conn *client, *server;
    rn_addr a, b;
    char text[RN_ADDR_TEXT], byte = 0;
    REQUIRE(net_listen(network, address, &old) == 0);
    int fd = dup(net_listener_fd(old));
    net_listener_addr(old, &a);
    CHECK_EQ(net_listener_from_fd(fd, &l), 0);
    net_listener_addr(l, &b);
    CHECK(addr_equal(&a, &b));
    for (int i = 0; i < 2; i++) {
        REQUIRE(net_dial(network, addr_format(&a, text), &client) == 0);
        REQUIRE(net_accept(l, &server) == 0);
        CHECK_EQ(net_write(client, "x", 1), 1);
        CHECK_EQ(net_read(server, &byte, 1), 1);
        net_free(client);
        net_free(server);
        if (!path)
            net_listener_close(old);
    }
    net_listener_set_deadline(l, rn_now());
    CHECK_EQ(net_accept(l, &server), RN_ETIMEOUT);
    CHECK_EQ(net_listener_close(l), 0);
    CHECK_EQ(net_accept(l, &server), RN_ECLOSED);
    CHECK(!path || access(path, F_OK) == 0);
    net_listener_free(l);
    net_listener_free(old);
    CHECK_EQ(rn_num_descriptors(), 0);
}

TEST(a_listening_socket_is_taken_over)
{
    rn_listener *l;
    rn_conn *one, *other;
    taken_over("tcp", "127.0.0.1:0", NULL);
    taken_over("unix", scratch("taken"), scratch("taken"));
    CHECK_EQ(net_listener_from_fd(-1, &l), -EBADF);
    REQUIRE(net_pair(&one, &other) == 0);
    CHECK_EQ(net_listener_from_fd(net_fd(one), &l), RN_EINVAL);
    net_free(one);
    net_free(other);
}

TEST(who_has_reset_a_connection_is_known)
{
    struct both b = tcp();
    rn_addr a, c;
    char byte;
    net_local_addr(b.client, &a);
    CHECK_EQ(net_set_linger(b.client, 0), 0);
    net_close(b.client);
    CHECK_EQ(net_read(b.server, &byte, 1), -ECONNRESET);
    net_remote_addr(b.server, &c);
    CHECK(addr_equal(&a, &c));
    net_close(b.server);
    net_remote_addr(b.server, &c);
    CHECK(addr_equal(&a, &c));
    release(&b);
    b = connected("unix", scratch("nobody")); /* takes a record that an address was in */
    net_close(b.server);
    net_remote_addr(b.server, &c);
    CHECK_EQ(c.family, RN_ADDR_NONE);
    release(&b);
}

static void speak(const char *network, const char *address)
{
    struct both b = connected(network, address);
    char got[8] = "";
    CHECK_EQ(net_write(b.client, "ping", 4), 4);
    CHECK_EQ(net_read(b.server, got, sizeof got), 4);
    CHECK_STR(got, "ping");
    release(&b);
}

TEST(ipv6)
{
    rn_listener *l;
    if (net_listen("tcp6", "[::1]:0", &l) != 0)
        rn_test_skip("no IPv6 here");
    net_listener_free(l);
    speak("tcp", "[::1]:0");
    speak("tcp6", ":0");
}

TEST(no_host_means_both_families)
{
    rn_listener *l;
    rn_conn *c;
    rn_addr a;
    char to[64];
    REQUIRE(net_listen("tcp", ":0", &l) == 0);
    net_listener_addr(l, &a);
    snprintf(to, sizeof to, "127.0.0.1:%d", a.port);
    CHECK_EQ(net_dial("tcp4", to, &c), 0);
    net_free(c);
    snprintf(to, sizeof to, ":%d", a.port);
    CHECK_EQ(net_dial("tcp", to, &c), 0);
    net_free(c);
    snprintf(to, sizeof to, "localhost:%d", a.port);
    CHECK_EQ(net_dial("tcp", to, &c), 0);
    net_free(c);
    net_listener_free(l);
    CHECK_EQ(rn_num_descriptors(), 0);
}

TEST(unix_paths_come_and_go)
{
    const char *path = scratch("sock");
    rn_listener *l;
    struct stat st;
    speak("unix", path);
    CHECK(stat(path, &st) != 0);
    REQUIRE(net_listen("unix", path, &l) == 0);
    rn_listener *again;
    CHECK_EQ(net_listen("unix", path, &again), -EADDRINUSE);
    net_listener_free(l);
    REQUIRE(net_listen_with(&(rn_listen_options){.keep_path = true, .mode = 0600}, "unix", path, &l) == 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    net_listener_free(l);
    CHECK(stat(path, &st) == 0);
    unlink(path);
    rn_conn *c;
    CHECK_EQ(net_dial("unix", path, &c), -ENOENT);
}

TEST(misuse_is_told)
{
    rn_conn *c;
    rn_listener *l;
    CHECK_EQ(net_dial("tpc", "127.0.0.1:1", &c), RN_EINVAL);
    CHECK_EQ(net_dial("tcp", "127.0.0.1", &c), RN_EINVAL);
    CHECK_EQ(net_dial("tcp6", "127.0.0.1:1", &c), RN_ENOHOST);
    CHECK_EQ(net_dial("tcp", "127.0.0.1:no-such-service", &c), RN_ESERVICE);
    CHECK_EQ(net_dial("tcp", "127.0.0.1:99999", &c), RN_ESERVICE);
    CHECK_EQ(net_listen("udp", "127.0.0.1:0", &l), RN_EINVAL);
    CHECK_EQ(net_listen_packet("tcp", "127.0.0.1:0", &c), RN_EINVAL);
    CHECK_EQ(net_listen("tcp", "192.0.2.1:0", &l), -EADDRNOTAVAIL);
    net_free(NULL);
    net_listener_free(NULL);
    CHECK_EQ(rn_num_descriptors(), 0);
}

static void check_no_port(const char *port)
{
    char text[64];
    rn_conn *c;
    rn_listener *l;
    snprintf(text, sizeof text, "127.0.0.1:%s", port);
    CHECK_EQ(net_dial("tcp", text, &c), RN_ESERVICE);
    CHECK_EQ(net_listen("tcp", text, &l), RN_ESERVICE);
    CHECK_EQ(net_lookup_port("tcp", port), RN_ESERVICE);
}

TEST(a_port_is_digits_or_a_name)
{
    static const char *const before[] = {" ", "\t", "\n", "+", "-", "0x"};
    static const char *const none[] = {" ", "+", "-", "80 ", "0x50", "65536", "4294967376", "99999999999999999999"};
    struct both b = tcp();
    rn_addr at;
    net_listener_addr(b.l, &at);
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        char port[32];
        snprintf(port, sizeof port, "%s%d", before[i], at.port);
        check_no_port(port);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        check_no_port(none[i]);
    CHECK_EQ(net_lookup_port("tcp", "00080"), 80);
    CHECK_EQ(net_lookup_port("tcp", ""), 0);
    CHECK_EQ(net_lookup_port("tcp", "http"), 80);
    release(&b);
}

TEST(a_refused_connection_says_so)
{
    struct both b = tcp();
    char text[RN_ADDR_TEXT];
    rn_conn *c;
    address_of(b.l, text);
    net_listener_close(b.l);
    CHECK_EQ(net_dial("tcp", text, &c), -ECONNREFUSED);
    CHECK_EQ(net_accept(b.l, &c), RN_ECLOSED);
    release(&b);
}

TEST(a_port_can_be_shared_when_asked)
{
    rn_listener *a, *b;
    char text[RN_ADDR_TEXT];
    rn_listen_options shared = {.reuse_port = true, .backlog = 5};
    REQUIRE(net_listen_with(&shared, "tcp", "127.0.0.1:0", &a) == 0);
    CHECK_EQ(net_listen("tcp", address_of(a, text), &b), -EADDRINUSE);
    CHECK_EQ(net_listen_with(&shared, "tcp", text, &b), 0);
    net_listener_free(a);
    net_listener_free(b);
}

/* ---- reading and writing ------------------------------------------------------------------------- */

static void write_all(rn_conn *c, const char *data, size_t n)
{
    CHECK_EQ(net_write(c, data, n), n);
    CHECK_EQ(net_close_write(c), 0);
}

enum { BIG = 3 << 20 };

static char *noise(void)
{
    char *data = malloc(BIG);
    uint32_t x = 1;
    for (size_t i = 0; i < BIG; i++)
        data[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    return data;
}

/* More than any buffer holds, so that both sides wait often. */
static void transfer(struct both b)
{
    char *data = noise(), *got = malloc(BIG);
    rn_waitgroup wg = {0};
    wg_go(&wg, write_all, b.client, data, BIG);
    CHECK_EQ(net_read_full(b.server, got, BIG), 0);
    CHECK(memcmp(data, got, BIG) == 0);
    CHECK_EQ(net_read(b.server, got, 1), 0);
    CHECK_EQ(net_read_full(b.server, got, 1), RN_EEOF);
    wg_wait(&wg);
    free(data);
    free(got);
    release(&b);
}

TEST(much_data_by_tcp)
{
    transfer(tcp());
}

TEST(much_data_by_unix)
{
    transfer(connected("unix", "@runnel-net-calls"));
}

static void write_pieces(rn_conn *c, struct iovec *iov, int n)
{
    CHECK_EQ(net_writev(c, iov, n), BIG);
    CHECK_EQ(net_close_write(c), 0);
}

TEST(pieces)
{
    enum { PIECES = 300 };
    struct both b = tcp();
    struct iovec iov[PIECES] = {{0}};
    char *data = noise(), *got = malloc(BIG);
    size_t at = 0;
    for (int i = 0; i < PIECES; i++) { /* uneven ones, some empty */
        size_t n = i == PIECES - 1 ? BIG - at : i % 7 == 0 ? 0 : (size_t)(i * 71 % 20000);
        iov[i] = (struct iovec){data + at, n};
        at += n;
    }
    rn_waitgroup wg = {0};
    wg_go(&wg, write_pieces, b.client, iov, PIECES);
    size_t have = 0;
    for (ssize_t n = 1; n > 0; have += n > 0 ? (size_t)n : 0) {
        struct iovec in[2] = {{got + have, (BIG - have) / 3},
                              {got + have + (BIG - have) / 3, BIG - have - (BIG - have) / 3}};
        n = have < BIG ? net_readv(b.server, in, 2) : 0;
        CHECK(n >= 0);
    }
    CHECK_EQ(have, BIG);
    CHECK(memcmp(data, got, BIG) == 0);
    wg_wait(&wg);
    CHECK_EQ(net_writev(b.server, iov, 0), 0);
    free(data);
    free(got);
    release(&b);
}

static void send_whole_file(rn_conn *c, int file)
{
    CHECK_EQ(net_sendfile(c, file, 1000, BIG), BIG - 1000); /* the file ends before */
    CHECK_EQ(net_close_write(c), 0);
}

TEST(files_are_sent)
{
    struct both b = tcp();
    char *data = noise(), *got = malloc(BIG);
    int file = memfd_create("file", MFD_CLOEXEC);
    REQUIRE(write(file, data, BIG) == BIG);
    rn_waitgroup wg = {0};
    wg_go(&wg, send_whole_file, b.client, file);
    CHECK_EQ(net_read_full(b.server, got, BIG - 1000), 0);
    CHECK(memcmp(data + 1000, got, BIG - 1000) == 0);
    CHECK_EQ(net_read(b.server, got, 1), 0);
    wg_wait(&wg);
    net_close_read(b.server);
    net_close(b.server);
    while (net_sendfile(b.client, file, 0, 1000) >= 0) /* the first may still be taken; SIGPIPE would kill */
        rn_yield();
    close(file);
    free(data);
    free(got);
    release(&b);
}

TEST(what_can_not_be_done_now_is_told)
{
    struct both b = tcp();
    static char chunk[1 << 16];
    char byte;
    ssize_t n;
    CHECK_EQ(net_try_read(b.client, &byte, 1), RN_EAGAIN);
    while ((n = net_try_write(b.client, chunk, sizeof chunk)) > 0)
        continue;
    CHECK_EQ(n, RN_EAGAIN);
    net_set_write_deadline(b.client, rn_now() + RN_MILLISECOND);
    CHECK_EQ(net_write(b.client, chunk, sizeof chunk), RN_ETIMEOUT);
    CHECK(net_try_read(b.server, &byte, 1) == 1);
    release(&b);
}

/* Of a stream, no bytes are there at once; a packet is taken, and cut off. */
TEST(reads_of_no_bytes)
{
    rn_conn *a, *b;
    rn_addr at;
    char byte, text[RN_ADDR_TEXT];
    struct iovec none[2] = {{&byte, 0}, {&byte, 0}};
    struct both t = tcp();
    REQUIRE(net_pair(&a, &b) == 0);
    CHECK_EQ(net_read(a, &byte, 0), 0);
    CHECK_EQ(net_readv(a, none, 2), 0);
    CHECK_EQ(net_readv(a, none, 0), 0);
    CHECK_EQ(net_read(t.client, &byte, 0), 0);
    CHECK_EQ(net_readv(t.client, none, 2), 0);
    CHECK_EQ(net_try_read(t.client, &byte, 0), 0); /* (It was RN_EAGAIN.) */
    net_close(t.client);
    CHECK_EQ(net_try_read(t.client, &byte, 0), RN_ECLOSED);
    CHECK_EQ(net_read(t.client, &byte, 0), RN_ECLOSED);
    CHECK_EQ(net_readv(t.client, none, 2), RN_ECLOSED);
    net_free(a);
    net_free(b);
    release(&t);
    REQUIRE(net_listen_packet("udp", "127.0.0.1:0", &a) == 0);
    net_local_addr(a, &at);
    REQUIRE(net_dial("udp", addr_format(&at, text), &b) == 0);
    CHECK_EQ(net_write(b, "12", 2), 2);
    CHECK_EQ(net_write(b, "3", 1), 1);
    CHECK_EQ(net_read(a, &byte, 0), 0);
    CHECK_EQ(net_read(a, &byte, 1), 1);
    CHECK_EQ(byte, '3');
    net_free(a);
    net_free(b);
}

TEST(a_peer_that_is_gone_is_an_error_and_no_signal)
{
    struct both b = tcp();
    char byte;
    CHECK_EQ(net_set_linger(b.server, 0), 0);
    net_close(b.server);
    CHECK_EQ(net_read(b.client, &byte, 1), -ECONNRESET);
    CHECK_EQ(net_write(b.client, "x", 1), -EPIPE);
    CHECK_EQ(net_writev(b.client, &(struct iovec){&byte, 1}, 1), -EPIPE);
    release(&b);
}

TEST(options)
{
    struct both b = tcp();
    CHECK_EQ(net_set_nodelay(b.client, false), 0);
    CHECK_EQ(net_set_nodelay(b.client, true), 0);
    CHECK_EQ(net_set_keepalive(b.client, 30 * RN_SECOND, 5 * RN_SECOND, 3), 0);
    CHECK_EQ(net_set_keepalive(b.client, 0, 0, 0), 0);
    CHECK_EQ(net_set_linger(b.client, RN_SECOND), 0);
    CHECK_EQ(net_set_linger(b.client, -1), 0);
    CHECK_EQ(net_set_buffers(b.client, 10000, 10000), 0);
    net_close(b.client);
    CHECK_EQ(net_set_nodelay(b.client, true), RN_ECLOSED);
    release(&b);
}

/* (One of 136 years and five seconds was five seconds long, and the longest of all was an overflow.) */
TEST(the_longest_durations_stay_long)
{
    struct both b = tcp();
    const rn_duration longest[] = {(1LL << 32) * RN_SECOND + 4 * RN_SECOND + 1, INT64_MAX};
    for (int i = 0; i < 2; i++) {
        struct linger l;
        socklen_t len = sizeof l;
        CHECK_EQ(net_set_linger(b.client, longest[i]), 0);
        REQUIRE(getsockopt(net_fd(b.client), SOL_SOCKET, SO_LINGER, &l, &len) == 0);
        CHECK_EQ(l.l_linger, INT_MAX);
        CHECK_EQ(net_set_keepalive(b.client, longest[i], RN_SECOND, 3), -EINVAL); /* more than the kernel takes */
        CHECK_EQ(net_set_keepalive(b.client, RN_SECOND, longest[i], 3), -EINVAL);
    }
    CHECK_EQ(net_set_linger(b.client, -1), 0);
    release(&b);
}

TEST(half_a_connection_goes_on)
{
    struct both b = tcp();
    char byte;
    CHECK_EQ(net_close_write(b.client), 0);
    CHECK_EQ(net_read(b.server, &byte, 1), 0);
    CHECK_EQ(net_write(b.server, "x", 1), 1);
    CHECK_EQ(net_read(b.client, &byte, 1), 1);
    CHECK_EQ(net_write(b.client, "x", 1), -EPIPE);
    CHECK_EQ(net_close_read(b.client), 0);
    CHECK_EQ(net_read(b.client, &byte, 1), 0);
    release(&b);
}

TEST(a_pair_and_a_taken_over_descriptor)
{
    rn_conn *a, *b, *c;
    char byte = 0;
    REQUIRE(net_pair(&a, &b) == 0);
    CHECK_EQ(net_write(a, "y", 1), 1);
    CHECK_EQ(net_read(b, &byte, 1), 1);
    CHECK_EQ(byte, 'y');
    int copy = dup(net_fd(a));
    CHECK_EQ(net_from_fd(copy, &c), 0);
    CHECK_EQ(net_write(c, "z", 1), 1);
    CHECK_EQ(net_read(b, &byte, 1), 1);
    CHECK_EQ(byte, 'z');
    CHECK_EQ(net_from_fd(-1, &c), -EBADF);
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(net_from_fd(file, &c), -ENOTSOCK);
    close(file);
    net_free(a);
    net_free(b);
    net_free(c);
    CHECK_EQ(rn_num_descriptors(), 0);
}

/* ---- packets -------------------------------------------------------------------------------------- */

static void packets(const char *network, const char *at, const char *from_at)
{
    rn_conn *a, *b;
    rn_addr to, back, own;
    char got[64] = "";
    REQUIRE(net_listen_packet(network, at, &a) == 0);
    REQUIRE(net_listen_packet(network, from_at, &b) == 0);
    net_local_addr(a, &to);
    net_local_addr(b, &own);
    CHECK_EQ(net_write_to(b, "one", 3, &to), 3);
    CHECK_EQ(net_write_to(b, "", 0, &to), 0);
    CHECK_EQ(net_write_to(b, "three", 5, &to), 5);
    CHECK_EQ(net_read_from(a, got, sizeof got, &back), 3);
    CHECK_STR(got, "one");
    CHECK(addr_equal(&back, &own));
    CHECK_EQ(net_read_from(a, got, sizeof got, NULL), 0);
    CHECK_EQ(net_read_from(a, got, 2, &back), 2); /* cut */
    net_set_read_deadline(a, rn_now() + RN_MILLISECOND);
    CHECK_EQ(net_read_from(a, got, sizeof got, &back), RN_ETIMEOUT);
    net_free(a);
    net_free(b);
    CHECK_EQ(rn_num_descriptors(), 0);
}

/* The C library's, for the library too. */
static rn_atomic_int options_asked;
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict n)
{
    rn_atomic_add(&options_asked, 1);
    return (int)syscall(SYS_getsockopt, fd, level, name, value, n);
}

/* A server's answer is one call. */
TEST(a_packet_asks_for_no_option)
{
    rn_conn *c;
    rn_addr at;
    char got[8];
    REQUIRE(net_listen_packet("udp", "127.0.0.1:0", &c) == 0);
    net_local_addr(c, &at);
    int before = rn_atomic_load(&options_asked);
    CHECK_EQ(net_write_to(c, "x", 1, &at), 1);
    CHECK_EQ(net_read_from(c, got, sizeof got, &at), 1);
    CHECK_EQ(rn_atomic_load(&options_asked), before);
    int type = 0;
    CHECK_EQ(getsockopt(net_fd(c), SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}), 0);
    CHECK_EQ(rn_atomic_load(&options_asked), before + 1); /* it is counted */
    net_free(c);
}

TEST(packets_by_udp)
{
    packets("udp", "127.0.0.1:0", "127.0.0.1:0");
    packets("udp4", "127.0.0.1:0", "127.0.0.1:0");
    rn_conn *a, *b;
    rn_addr to;
    char text[RN_ADDR_TEXT], got[8];
    REQUIRE(net_listen_packet("udp", ":0", &a) == 0); /* both families: IPv4 is sent to as IPv4 */
    REQUIRE(net_listen_packet("udp", "127.0.0.1:0", &b) == 0);
    net_local_addr(b, &to);
    CHECK_EQ(net_write_to(a, "x", 1, &to), 1);
    CHECK_EQ(net_read(b, got, sizeof got), 1);
    net_free(a);
    REQUIRE(net_dial("udp", addr_format(&to, text), &a) == 0); /* connected */
    CHECK_EQ(net_write(a, "yy", 2), 2);
    CHECK_EQ(net_read(b, got, sizeof got), 2);
    static char huge[70000];
    CHECK_EQ(net_write(a, huge, sizeof huge), -EMSGSIZE);
    net_free(a);
    net_free(b);
}

/* Its text says that it is one of IPv4; the socket that is to answer did not know it (-EAFNOSUPPORT). */
TEST(an_address_of_ipv4_that_a_socket_of_both_tells)
{
    rn_conn *both, *a, *b;
    rn_addr at, from;
    char got[8];
    REQUIRE(net_listen_packet("udp", ":0", &both) == 0);
    REQUIRE(net_listen_packet("udp4", "127.0.0.1:0", &a) == 0 && net_listen_packet("udp4", "127.0.0.1:0", &b) == 0);
    net_local_addr(both, &from);
    REQUIRE(addr_parse("127.0.0.1:0", &at) == 0);
    at.port = from.port;
    CHECK_EQ(net_write_to(a, "x", 1, &at), 1);
    CHECK_EQ(net_read_from(both, got, sizeof got, &from), 1);
    CHECK_EQ(net_write_to(b, "y", 1, &from), 1);
    CHECK_EQ(net_write_to(both, "z", 1, &from), 1);
    CHECK(net_read(a, got, sizeof got) == 1 && got[0] == 'y');
    CHECK(net_read(a, got, sizeof got) == 1 && got[0] == 'z');
    net_free(both);
    net_free(a);
    net_free(b);
}

TEST(packets_to_all)
{
    rn_conn *c;
    rn_addr at, from;
    char text[8];
    REQUIRE(net_listen_packet("udp4", "0.0.0.0:0", &c) == 0);
    net_local_addr(c, &at);
    memset(at.ip, 255, 4);
    at.ip[0] = 127; /* of the loopback's net */
    CHECK_EQ(net_write_to(c, "all", 3, &at), 3);
    net_set_deadline(c, rn_now() + 20 * RN_SECOND);
    CHECK_EQ(net_read_from(c, text, sizeof text, &from), 3);
    net_free(c);
}

TEST(packets_by_unix)
{
    char other[100];
    snprintf(other, sizeof other, "%s", scratch("gram1"));
    packets("unixgram", other, scratch("gram2"));
    CHECK(access(other, F_OK) != 0 && access(scratch("gram2"), F_OK) != 0);
    packets("unixgram", "@runnel-gram1", "@runnel-gram2");
    packets("unixgram", "@", "@");
}

TEST(a_free_abstract_name)
{
    char text[RN_ADDR_TEXT];
    rn_addr at, peer;
    rn_listener *l;
    rn_conn *c;
    REQUIRE(net_listen("unix", "@", &l) == 0);
    net_listener_addr(l, &at);
    CHECK(at.family == RN_ADDR_UNIX && at.path_len > 1 && addr_format(&at, text)[0] == '@');
    REQUIRE(net_dial("unix", text, &c) == 0);
    net_remote_addr(c, &peer);
    CHECK(addr_equal(&peer, &at));
    net_free(c);
    net_listener_free(l);
    CHECK_EQ(net_dial("unix", "@", &c), RN_EINVAL);
    CHECK_EQ(net_listen("tcp", "@", &l), RN_EINVAL);
}

/* ---- names ---------------------------------------------------------------------------------------- */

TEST(names_and_services)
{
    rn_addr a[8];
    CHECK_EQ(net_lookup("tcp", "127.0.0.1", a, 8), 1);
    CHECK(a[0].family == RN_ADDR_IP4 && a[0].ip[0] == 127);
    CHECK_EQ(net_lookup("tcp", "::1", a, 8), 1);
    CHECK_EQ(net_lookup("tcp6", "127.0.0.1", a, 8), RN_ENOHOST);
    CHECK(net_lookup("tcp", "localhost", a, 8) >= 1);
    CHECK(net_lookup("tcp4", "localhost", a, 8) >= 1);
    CHECK_EQ(a[0].family, RN_ADDR_IP4);
    CHECK_EQ(net_lookup("tcp", "", a, 8), RN_ENOHOST);
    CHECK_EQ(net_lookup("unix", "localhost", a, 8), RN_EINVAL);
    CHECK_EQ(net_lookup_port("tcp", "80"), 80);
    CHECK_EQ(net_lookup_port("tcp", "70000"), RN_ESERVICE);
    CHECK_EQ(net_lookup_port("tcp", "-1"), RN_ESERVICE);
    rn_context *ctx = ctx_with_cancel(NULL);
    ctx_cancel(ctx);
    CHECK_EQ(net_lookup_ctx(ctx, "tcp", "localhost", a, 8), RN_ECANCELED);
}

/* ---- any descriptor --------------------------------------------------------------------------------- */

static void wait_and_count(int fd, rn_atomic_int64 *woken)
{
    CHECK_EQ(fd_wait(fd, RN_FD_READ, 0), RN_FD_READ);
    rn_atomic_add(woken, 1);
}

TEST(any_descriptor_can_be_waited_for)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK_EQ(fd_wait(fd, RN_FD_WRITE, 0), RN_FD_WRITE);
    CHECK_EQ(fd_wait(fd, RN_FD_READ, rn_now() + RN_MILLISECOND), RN_ETIMEOUT);
    CHECK_EQ(fd_wait(fd, RN_FD_READ | RN_FD_WRITE, 0), RN_FD_WRITE);
    rn_atomic_int64 woken = {0};
    rn_waitgroup wg = {0};
    for (int i = 0; i < 10; i++)
        wg_go(&wg, wait_and_count, fd, &woken);
    rn_sleep(RN_MILLISECOND);
    CHECK_EQ(rn_atomic_load(&woken), 0);
    CHECK_EQ(write(fd, &(uint64_t){1}, 8), 8);
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&woken), 10);
    CHECK_EQ(fd_wait(-1, RN_FD_READ, 0), -EBADF);
    CHECK_EQ(fd_wait(fd, 0, 0), RN_EINVAL);
    close(fd);
    CHECK_EQ(fd_wait(fd, RN_FD_READ, 0), -EBADF);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(fd_wait(file, RN_FD_READ, 0), RN_FD_READ);
    close(file);
    CHECK_EQ(rn_num_descriptors(), 0);
}

TEST(a_connections_descriptor_can_be_waited_for_too)
{
    struct both b = tcp();
    char byte;
    rn_waitgroup wg = {0};
    rn_atomic_int64 woken = {0};
    CHECK_EQ(net_write(b.server, "x", 1), 1);
    CHECK_EQ(net_read(b.client, &byte, 1), 1);
    net_set_read_deadline(b.client, rn_now() + RN_MILLISECOND);
    CHECK_EQ(net_read(b.client, &byte, 1), RN_ETIMEOUT); /* the poller knows it now */
    net_set_read_deadline(b.client, 0);
    for (int i = 0; i < 3; i++)
        wg_go(&wg, wait_and_count, net_fd(b.client), &woken);
    rn_sleep(RN_MILLISECOND);
    CHECK_EQ(net_write(b.server, "y", 1), 1);
    wg_wait(&wg);
    CHECK_EQ(net_read(b.client, &byte, 1), 1);
    CHECK_EQ(byte, 'y');
    release(&b);
}
