/* runnel/net.h: TCP, UDP and Unix sockets in blocking style: only the goroutine waits.
 *
 *     static void serve(rn_conn *c)
 *     {
 *         char buf[4096];
 *         defer(net_free, c);
 *         for (ssize_t n; (n = net_read(c, buf, sizeof buf)) > 0;)
 *             if (net_write(c, buf, (size_t)n) < 0)
 *                 return;
 *     }
 *
 *     rn_listener *l;
 *     int err = net_listen("tcp", ":7777", &l);
 *     …
 *     for (rn_conn *c; net_accept(l, &c) == 0;)
 *         go(serve, c);
 *
 * Networks: "tcp", "tcp4", "tcp6", "unix" (a stream), "unixpacket" (sequenced packets); for packets
 * "udp", "udp4", "udp6", "unixgram".  Addresses: "host:port", ":port" (every address of this machine),
 * "[v6%zone]:port", port 0 for any free one, a port by the name of its service ("localhost:http");
 * for unix "/path" or "@abstract name", and to listen "@" for any free abstract name.
 *
 * Errors are negative: RN_E…, or the negative of an errno value (-ECONNREFUSED, -EADDRINUSE …);
 * rn_strerror has the words.  No call here raises SIGPIPE.
 *
 * Life.  Every connection and listener is closed once and freed once.  net_close wakes all who wait in
 * a call on it, who return RN_ECLOSED, as does every later call; the descriptor itself is given back
 * when the last of them has returned, so no call ever meets a descriptor that is another's by now.
 * net_free closes when that was not done, and gives the memory back: nobody may use it afterwards
 * (calls that are under way return RN_ECLOSED as above).  Both may be called from anywhere and do not
 * block.
 *
 * Reading and writing at once is fine, and so are several readers or several writers: each direction
 * serves one at a time, so that what one net_write sends is not mixed with another's.
 *
 * Waiting.  Each call that waits can be ended by the connection's deadline, which is set separately and
 * applies to all calls (RN_ETIMEOUT); by net_close (RN_ECLOSED); and, in the _ctx forms, by a context
 * (RN_ECANCELED, RN_ETIMEOUT).  A NULL context is the background.
 *
 * Callers: goroutines and plain threads, which then wait as threads; not signal handlers.
 * Happens before: what happened before net_close happens before a call on it returns RN_ECLOSED.  What a
 * peer in the same program does before it writes is ordered only as far as the kernel orders it; use
 * a channel for what must be.
 * (Go's package net.)
 */
#ifndef RUNNEL_NET_H
#define RUNNEL_NET_H

#include <runnel/addr.h>
#include <runnel/base.h>
#include <runnel/context_type.h>
#include <sys/types.h>
#include <sys/uio.h>

RN_EXTERN_C_BEGIN

typedef struct rn_conn rn_conn;
typedef struct rn_listener rn_listener;

/* ---- listening ------------------------------------------------------------------------------ */

typedef struct rn_listen_options {
    bool reuse_port; /* SO_REUSEPORT: several listeners share a port, each has its own queue */
    bool v6_only;    /* "tcp" with an IPv6 address: no IPv4 through it */
    bool keep_path;  /* "unix": leave the path there when the listener is closed */
    int backlog;     /* connections that wait to be accepted; 0: as many as the system allows */
    uint32_t mode;   /* "unix": permissions of the path, as 0660; 0: as the umask says */
} rn_listen_options;

/* Listens.  *out is the caller's to free.  With a TCP network and no host, IPv6 and IPv4 both.  A path of a
 * unix socket must not exist; it is removed when the listener is closed.  A host's name is looked up,
 * which may wait; of its addresses the first of IPv4 is taken, or the first. */
RN_PUBLIC int rn_net_listen(const char *network, const char *address, rn_listener **out) RN_MUST_USE;
RN_PUBLIC int rn_net_listen_with(const rn_listen_options *options, const char *network, const char *address,
                                 rn_listener **out) RN_MUST_USE;
/* Takes over a socket that listens already: from systemd's socket activation, or inherited from the program that this
 * one replaces (rn_command.fds).  From now on it belongs to the listener and is non-blocking; the path of a unix socket
 * is not removed when it is closed.  On failure it stays the caller's: RN_EINVAL if it does not listen, or a negative
 * errno.  (Go's net.FileListener.) */
RN_PUBLIC int rn_net_listener_from_fd(int fd, rn_listener **out) RN_MUST_USE;
/* Waits for a connection.  *out is the caller's to free.  While the process has no descriptors left
 * (EMFILE, ENFILE) it waits, 5 ms at first and up to 1 s, and tries again; a connection that was reset
 * before it could be accepted is passed over. */
RN_PUBLIC int rn_net_accept(rn_listener *l, rn_conn **out) RN_MUST_USE;
RN_PUBLIC int rn_net_accept_ctx(rn_context *ctx, rn_listener *l, rn_conn **out) RN_MUST_USE;
/* An accept that has not got a connection by `when` returns RN_ETIMEOUT; see rn_net_set_deadline. */
RN_PUBLIC void rn_net_listener_set_deadline(rn_listener *l, rn_time when);
RN_PUBLIC void rn_net_listener_addr(rn_listener *l, rn_addr *out); /* RN_ADDR_NONE once it is closed */
RN_PUBLIC int rn_net_listener_fd(rn_listener *l);                  /* as rn_net_fd */
RN_PUBLIC int rn_net_listener_close(rn_listener *l);               /* 0, or RN_ECLOSED the second time */
RN_PUBLIC void rn_net_listener_free(rn_listener *l);               /* NULL: does nothing */

/* ---- connecting ----------------------------------------------------------------------------- */

/* Connects.  *out is the caller's to free.  A name with several addresses is tried as RFC 8305 says
 * ("happy eyeballs"): IPv6 and IPv4 in turn, the next one after 250 ms or when one has failed; the
 * first to answer wins, the others are closed.  The error is the first address's.
 * RN_ENOHOST: no such host; RN_ESERVICE: no such port. */
RN_PUBLIC int rn_net_dial(const char *network, const char *address, rn_conn **out) RN_MUST_USE;
RN_PUBLIC int rn_net_dial_ctx(rn_context *ctx, const char *network, const char *address, rn_conn **out) RN_MUST_USE;

/* Two connected unix stream sockets, as socketpair makes. */
RN_PUBLIC int rn_net_pair(rn_conn **a, rn_conn **b) RN_MUST_USE;
/* Takes over an open socket, which from now on belongs to the connection and is set to non-blocking.
 * On failure it stays the caller's. */
RN_PUBLIC int rn_net_from_fd(int fd, rn_conn **out) RN_MUST_USE;

/* ---- reading and writing ---------------------------------------------------------------------- */

/* Waits until something can be read, then reads at most n bytes.  Returns how many; 0 at the end of the
 * stream (or when n is 0, of a stream at once; of packets it waits for one and drops it); or an error.  The bytes of
 * buf beyond are undefined. */
RN_PUBLIC ssize_t rn_net_read(rn_conn *c, void *buf, size_t n);
RN_PUBLIC ssize_t rn_net_read_ctx(rn_context *ctx, rn_conn *c, void *buf, size_t n);
/* Reads into n pieces, the first one first. */
RN_PUBLIC ssize_t rn_net_readv(rn_conn *c, const struct iovec *iov, int n);
RN_PUBLIC ssize_t rn_net_readv_ctx(rn_context *ctx, rn_conn *c, const struct iovec *iov, int n);
/* Reads exactly n bytes: 0; RN_EEOF when the stream ends before the first; -EPIPE when it ends after
 * some; or another error. */
RN_PUBLIC int rn_net_read_full(rn_conn *c, void *buf, size_t n);
RN_PUBLIC int rn_net_read_full_ctx(rn_context *ctx, rn_conn *c, void *buf, size_t n);

/* Writes all n bytes, waiting as often as need be.  Returns n, or an error; then some may have been sent.
 * A peer that has gone is -EPIPE or -ECONNRESET. */
RN_PUBLIC ssize_t rn_net_write(rn_conn *c, const void *buf, size_t n);
RN_PUBLIC ssize_t rn_net_write_ctx(rn_context *ctx, rn_conn *c, const void *buf, size_t n);
/* Writes all of n pieces; returns how many bytes. */
RN_PUBLIC ssize_t rn_net_writev(rn_conn *c, const struct iovec *iov, int n);
RN_PUBLIC ssize_t rn_net_writev_ctx(rn_context *ctx, rn_conn *c, const struct iovec *iov, int n);
/* Sends n bytes of a file, from offset, without copying them through the program.  Returns how many: fewer
 * than n only when the file ends before (so with SIZE_MAX it is sent to its end); or an error.  The file's own position does not change.
 * Reading the file may block the thread, not the other goroutines. */
RN_PUBLIC ssize_t rn_net_sendfile(rn_conn *c, int file, int64_t offset, size_t n);
RN_PUBLIC ssize_t rn_net_sendfile_ctx(rn_context *ctx, rn_conn *c, int file, int64_t offset, size_t n);
/* Passes on to `to` what comes from `from`, as it comes, until that ends: 0, or an error of either.  *bytes (may be NULL)
 * is how many bytes have been written, also after an error.  Closes neither: what the end of the one means for the
 * other is for the caller to say, mostly by net_close_write(to).  Deadlines are those of from's reads and of to's
 * writes; that `to` has broken shows at the next write.  What was read and could not be written is lost.  While it
 * waits to read it holds no buffer, otherwise one of 32 KiB.  Others may write to `to` in between, and copy the other way.
 * RN_ENOMEM: no memory for the buffer.  From what a reader has begun to read: rn_reader_copy.  (Go's io.Copy.) */
RN_PUBLIC int rn_net_copy(rn_conn *to, rn_conn *from, uint64_t *bytes);
RN_PUBLIC int rn_net_copy_ctx(rn_context *ctx, rn_conn *to, rn_conn *from, uint64_t *bytes);
/* Waits until there is something to read, the end or an error included, and reads nothing: 0, or an error.  This way
 * no buffer is needed meanwhile.  Rarely it returns 0 too early, so that a read still has to wait. */
RN_PUBLIC int rn_net_wait_read(rn_conn *c);
RN_PUBLIC int rn_net_wait_read_ctx(rn_context *ctx, rn_conn *c);
/* What can be read, or written, without waiting: how many bytes, otherwise as net_read and net_write; RN_EAGAIN when nothing
 * can. */
RN_PUBLIC ssize_t rn_net_try_read(rn_conn *c, void *buf, size_t n);
RN_PUBLIC ssize_t rn_net_try_write(rn_conn *c, const void *buf, size_t n);

/* ---- the end ------------------------------------------------------------------------------------ */

RN_PUBLIC int rn_net_close(rn_conn *c); /* 0, or RN_ECLOSED the second time */
/* Half of it: 0; RN_ECLOSED; -ENOTCONN if the peer has reset it; -ENOTSOCK for a pipe, whose two ends are connections of their
 * own. */
RN_PUBLIC int rn_net_close_read(rn_conn *c);  /* later reads give 0 (end of stream) */
RN_PUBLIC int rn_net_close_write(rn_conn *c); /* the peer reads the end of the stream; reading goes on */
RN_PUBLIC void rn_net_free(rn_conn *c);       /* NULL: does nothing */

/* ---- deadlines and options ------------------------------------------------------------------------ */

/* A call that is not done by `when` (rn_now's clock) returns RN_ETIMEOUT, and so do all after it, until
 * another deadline is set: 0 means none.  A moment that has passed ends calls at once.  Takes effect
 * for calls that wait already.  Costs a few stores: fit to be set for every request. */
RN_PUBLIC void rn_net_set_deadline(rn_conn *c, rn_time when);
RN_PUBLIC void rn_net_set_read_deadline(rn_conn *c, rn_time when);
RN_PUBLIC void rn_net_set_write_deadline(rn_conn *c, rn_time when);

/* These four return 0, RN_ECLOSED, or the negative of an errno value.
 *
 * TCP_NODELAY: true, as it is from the start, sends small writes at once. */
RN_PUBLIC int rn_net_set_nodelay(rn_conn *c, bool on);
/* Probes an idle peer after `idle`, every `interval`, and gives up after `count` unanswered ones.
 * From the start 15 s, 15 s, 9.  idle <= 0 switches it off. */
RN_PUBLIC int rn_net_set_keepalive(rn_conn *c, rn_duration idle, rn_duration interval, int count);
/* What net_close does with data that was not sent yet: d < 0, as from the start: it is sent in the
 * background; 0: it is thrown away, and the peer sees a reset; more: as SO_LINGER, in whole seconds. */
RN_PUBLIC int rn_net_set_linger(rn_conn *c, rn_duration d);
RN_PUBLIC int rn_net_set_buffers(rn_conn *c, int read_bytes, int write_bytes); /* 0: leave as it is */

/* The addresses of both ends; RN_ADDR_NONE if there is none, or c is closed, or the peer has reset it.  The
 * peer's address of an accepted TCP connection, however, is known until net_free. */
RN_PUBLIC void rn_net_local_addr(rn_conn *c, rn_addr *out);
RN_PUBLIC void rn_net_remote_addr(rn_conn *c, rn_addr *out);
/* The descriptor, which stays the connection's: for options that have no function here.  RN_ECLOSED once
 * it is closed. */
RN_PUBLIC int rn_net_fd(rn_conn *c);

/* ---- packets ------------------------------------------------------------------------------------ */

/* A socket for packets at an address: "udp", "udp4", "udp6", "unixgram".  net_dial with these networks gives
 * one that is connected: net_read and net_write then send and receive one packet each. */
RN_PUBLIC int rn_net_listen_packet(const char *network, const char *address, rn_conn **out) RN_MUST_USE;
/* Waits for a packet: its length (cut to n; what is beyond is lost), its sender in *from (may be
 * NULL); or an error.  An empty packet is 0 bytes. */
RN_PUBLIC ssize_t rn_net_read_from(rn_conn *c, void *buf, size_t n, rn_addr *from);
RN_PUBLIC ssize_t rn_net_read_from_ctx(rn_context *ctx, rn_conn *c, void *buf, size_t n, rn_addr *from);
/* Sends one packet, to a broadcast address, too.  n, or an error (-EMSGSIZE: too large). */
RN_PUBLIC ssize_t rn_net_write_to(rn_conn *c, const void *buf, size_t n, const rn_addr *to);
RN_PUBLIC ssize_t rn_net_write_to_ctx(rn_context *ctx, rn_conn *c, const void *buf, size_t n, const rn_addr *to);

/* ---- names -------------------------------------------------------------------------------------- */

/* The addresses of a host, for a network as above, in the order in which to try them: at most `max`, and 32 (of a
 * longer list at least one of each family), are stored in `out`, and their number is returned (> 0); or RN_ENOHOST,
 * RN_EDNS (the name server did not answer; worth another try), RN_ENOMEM, or the context's error, at once: what the
 * name server says later is dropped.  Numeric addresses never ask anybody.  Uses the system's resolver (getaddrinfo),
 * handed off so that no processor waits; at most 64 of goroutines at a time, others queue. */
RN_PUBLIC int rn_net_lookup(const char *network, const char *host, rn_addr *out, int max) RN_MUST_USE;
RN_PUBLIC int rn_net_lookup_ctx(rn_context *ctx, const char *network, const char *host, rn_addr *out, int max)
    RN_MUST_USE;
/* A port by number (digits alone; "" is 0) or by the name of its service, which begins with a letter; negative: RN_ESERVICE. */
RN_PUBLIC int rn_net_lookup_port(const char *network, const char *service) RN_MUST_USE;

/* ---- any descriptor ------------------------------------------------------------------------------- */

enum { RN_FD_READ = 1, RN_FD_WRITE = 2 };
/* Waits until fd (a socket, pipe, eventfd …; the caller's) can be read or written as `events` asks, or is
 * in error; returns which of them (> 0), or RN_ETIMEOUT at `deadline` (rn_now's clock; 0: none), the
 * context's error, or -EBADF and the like.  What can't be waited for, such as a file, is always ready.
 * fd must stay open meanwhile.  Several may wait for one descriptor: all are woken. */
RN_PUBLIC int rn_fd_wait(int fd, int events, rn_time deadline);
RN_PUBLIC int rn_fd_wait_ctx(rn_context *ctx, int fd, int events, rn_time deadline);

/* Connections, listeners and waits on descriptors that exist now: for leak checks. */
RN_PUBLIC size_t rn_num_descriptors(void);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define net_listen rn_net_listen
#define net_listen_with rn_net_listen_with
#define net_accept rn_net_accept
#define net_accept_ctx rn_net_accept_ctx
#define net_listener_from_fd rn_net_listener_from_fd
#define net_listener_set_deadline rn_net_listener_set_deadline
#define net_listener_addr rn_net_listener_addr
#define net_listener_fd rn_net_listener_fd
#define net_listener_close rn_net_listener_close
#define net_listener_free rn_net_listener_free
#define net_dial rn_net_dial
#define net_dial_ctx rn_net_dial_ctx
#define net_pair rn_net_pair
#define net_from_fd rn_net_from_fd
#define net_read rn_net_read
#define net_read_ctx rn_net_read_ctx
#define net_readv rn_net_readv
#define net_readv_ctx rn_net_readv_ctx
#define net_read_full rn_net_read_full
#define net_read_full_ctx rn_net_read_full_ctx
#define net_write rn_net_write
#define net_write_ctx rn_net_write_ctx
#define net_writev rn_net_writev
#define net_writev_ctx rn_net_writev_ctx
#define net_copy rn_net_copy
#define net_copy_ctx rn_net_copy_ctx
#define net_sendfile rn_net_sendfile
#define net_sendfile_ctx rn_net_sendfile_ctx
#define net_wait_read rn_net_wait_read
#define net_wait_read_ctx rn_net_wait_read_ctx
#define net_try_read rn_net_try_read
#define net_try_write rn_net_try_write
#define net_close rn_net_close
#define net_close_read rn_net_close_read
#define net_close_write rn_net_close_write
#define net_free rn_net_free
#define net_set_deadline rn_net_set_deadline
#define net_set_read_deadline rn_net_set_read_deadline
#define net_set_write_deadline rn_net_set_write_deadline
#define net_set_nodelay rn_net_set_nodelay
#define net_set_keepalive rn_net_set_keepalive
#define net_set_linger rn_net_set_linger
#define net_set_buffers rn_net_set_buffers
#define net_local_addr rn_net_local_addr
#define net_remote_addr rn_net_remote_addr
#define net_fd rn_net_fd
#define net_listen_packet rn_net_listen_packet
#define net_read_from rn_net_read_from
#define net_read_from_ctx rn_net_read_from_ctx
#define net_write_to rn_net_write_to
#define net_write_to_ctx rn_net_write_to_ctx
#define net_lookup rn_net_lookup
#define net_lookup_ctx rn_net_lookup_ctx
#define net_lookup_port rn_net_lookup_port
#define fd_wait rn_fd_wait
#define fd_wait_ctx rn_fd_wait_ctx
#endif

#endif
