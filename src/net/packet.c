/* Packets with addresses: UDP and unix datagrams. */
#define _GNU_SOURCE 1
#include "base/race.h"
#include "net/socket.h"
#include <errno.h>
#include <string.h>

static __attribute__((noinline)) ssize_t receive_once(int fd, void *buf, size_t n, struct sockaddr_storage *from,
                                                      socklen_t *len)
{
    ssize_t got;
    rn__hib_hold(buf, n);
    do {
        *len = sizeof *from;
        got = recvfrom(fd, buf, n, 0, (struct sockaddr *)from, len);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t rn_net_read_from_ctx(rn_context *ctx, rn_conn *c, void *buf, size_t n, rn_addr *from)
{
    RN_RACE_CALLED();
    struct rn__fd *f = &c->fd;
    struct sockaddr_storage at;
    socklen_t len = 0;
    ssize_t got;
    int err = rn__fd_begin(f, RN_SIDE_READ, ctx);
    if (err)
        return err;
    do
        got = receive_once(f->fd, buf, n, &at, &len);
    while ((got == -EAGAIN || got == -EWOULDBLOCK) && (err = rn__fd_wait(f, RN_SIDE_READ, ctx)) == 0);
    rn__fd_end(f, RN_SIDE_READ);
    if (err)
        return err;
    if (got >= 0 && from)
        rn__addr_from_kernel(&at, len, from);
    return got;
}

ssize_t rn_net_read_from(rn_conn *c, void *buf, size_t n, rn_addr *from)
{
    RN_RACE_CALLED();
    return rn_net_read_from_ctx(NULL, c, buf, n, from);
}

static __attribute__((noinline)) ssize_t send_once(int fd, const void *buf, size_t n, const struct sockaddr_storage *to,
                                                   socklen_t len)
{
    ssize_t sent;
    rn__hib_hold(buf, n);
    do
        sent = sendto(fd, buf, n, MSG_NOSIGNAL, (const struct sockaddr *)to, len);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* An address of IPv4 in the form in which a socket of IPv6 tells it (::ffff:192.0.2.1), as one of IPv4: Linux sends to
 * that through a socket of IPv6 as well, but to the other form not through one of IPv4. */
static rn_addr unwrapped(const rn_addr *a)
{
    static const uint8_t wrap[12] = {[10] = 0xff, [11] = 0xff};
    rn_addr v4 = {.family = RN_ADDR_IP4, .port = a->port};
    if (a->family != RN_ADDR_IP6 || memcmp(a->ip, wrap, sizeof wrap) != 0)
        return *a;
    memcpy(v4.ip, a->ip + sizeof wrap, 4);
    return v4;
}

ssize_t rn_net_write_to_ctx(rn_context *ctx, rn_conn *c, const void *buf, size_t n, const rn_addr *to)
{
    RN_RACE_CALLED();
    struct rn__fd *f = &c->fd;
    struct sockaddr_storage at;
    ssize_t sent;
    int err = rn__fd_begin(f, RN_SIDE_WRITE, ctx);
    if (err)
        return err;
    rn_addr a = unwrapped(to);
    socklen_t len = rn__addr_to_kernel(&a, &at);
    do
        sent = send_once(f->fd, buf, n, &at, len);
    while ((sent == -EAGAIN || sent == -EWOULDBLOCK) && (err = rn__fd_wait(f, RN_SIDE_WRITE, ctx)) == 0);
    rn__fd_end(f, RN_SIDE_WRITE);
    return err ? err : sent;
}

ssize_t rn_net_write_to(rn_conn *c, const void *buf, size_t n, const rn_addr *to)
{
    RN_RACE_CALLED();
    return rn_net_write_to_ctx(NULL, c, buf, n, to);
}
