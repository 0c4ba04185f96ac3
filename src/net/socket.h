/* Sockets as the rest of src/net sees them: addresses in the kernel's form, and how a socket is made. */
#ifndef RN_NET_SOCKET_H
#define RN_NET_SOCKET_H

#include "net/fd.h"
#include <sys/socket.h>

/* What a network's name says. */
struct rn__network {
    int type;   /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
    uint8_t ip; /* 0: either; 4, 6 */
    bool is_unix;
};
/* 0, or RN_EINVAL for a name that is none. */
int rn__network_parse(const char *name, struct rn__network *out);

/* A kernel's address; returns its length. */
socklen_t rn__addr_to_kernel(const rn_addr *a, struct sockaddr_storage *to);
void rn__addr_from_kernel(const struct sockaddr_storage *from, socklen_t len, rn_addr *to);

/* A unix address from any path, relative ones too.  0 or RN_EINVAL. */
int rn__addr_path(const char *path, rn_addr *out);

/* The addresses that `text` means on a network, in order of preference, at most max; how many, or an
 * error.  passive: for listening, where no host means every address (v6 first when there is any). */
int rn__resolve(rn_context *ctx, const struct rn__network *net, const char *text, bool passive, rn_addr *out, int max);
/* Whether `text` has a host's name, so that it may mean many addresses; otherwise it means two at most. */
bool rn__is_name(const struct rn__network *net, const char *text);

/* A non-blocking socket of a's family that is not passed on to other programs; or the negative errno. */
int rn__socket_open(const struct rn__network *net, const rn_addr *a);
/* The record of a connected socket; takes it over, also when it fails. */
int rn__conn_make(int fd, const struct rn__network *net, rn_conn **out);
void rn__socket_remove_path(int fd);
/* poll(2) for one descriptor: which of RN_FD_READ and RN_FD_WRITE are ready, 0 after `ms`, or an error.  What
 * is no descriptor is -EBADF. */
int rn__socket_poll(int fd, int events, int ms);

#endif
