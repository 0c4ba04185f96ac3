/* What io_uring would be worth to a server: the same TCP echo by one thread and no runnel, in two ways:
 *
 *     epoll    edge-triggered, each descriptor registered once; recv, send, and an epoll_wait for a batch of events
 *     uring    multishot accept and recv into a ring of provided buffers; a batch of sends and the wait are one system call
 *
 * Usage: echo_raw WAY PORT; loaded by ../net/echo_client.c; it ends with SIGTERM and then prints the processor time it took
 * (see run_echo).
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BUFFER = 4096, BUFFERS = 1024, GROUP = 1, ENTRIES = 1024 };

static volatile sig_atomic_t over;

static void end(int signo)
{
    (void)signo;
    over = 1;
}

static void need(int ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static int listen_at(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    need(bind(fd, (void *)&a, sizeof a) == 0 && listen(fd, 1024) == 0, "listen");
    return fd;
}

static void without_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* ---- epoll ---- */

static void echo_one(int fd)
{
    char buffer[BUFFER];
    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0)
        need(send(fd, buffer, (size_t)n, MSG_NOSIGNAL) == n, "send");
    else if (n == 0 || errno != EAGAIN)
        close(fd);
}

static void by_epoll(int listener)
{
    struct epoll_event events[128], e = {.events = EPOLLIN, .data.fd = listener};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    while (!over) {
        int n = epoll_wait(epoll, events, 128, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != listener) {
                echo_one(events[i].data.fd);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            without_delay(fd);
            e = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
        }
    }
}

/* ---- io_uring ---- */

enum { ACCEPT, RECV, SEND };

static struct {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask, queued;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    struct io_uring_buf_ring *ring;
    char *buffers;
    uint16_t ring_tail;
} u;

static uint64_t tag(int what, int fd, unsigned buffer)
{
    return (uint64_t)what << 48 | (uint64_t)buffer << 32 | (uint32_t)fd;
}

static struct io_uring_sqe *next_entry(void)
{
    unsigned tail = *u.sq_tail, i = tail & *u.sq_mask;
    u.sq_array[i] = i;
    memset(&u.sqes[i], 0, sizeof u.sqes[i]);
    __atomic_store_n(u.sq_tail, tail + 1, __ATOMIC_RELEASE);
    u.queued++;
    return &u.sqes[i];
}

static void give_buffer(unsigned i)
{
    struct io_uring_buf *b = &u.ring->bufs[u.ring_tail & (BUFFERS - 1)];
    b->addr = (uintptr_t)(u.buffers + (size_t)i * BUFFER);
    b->len = BUFFER;
    b->bid = (uint16_t)i;
    __atomic_store_n(&u.ring->tail, ++u.ring_tail, __ATOMIC_RELEASE);
}

static void open_ring(void)
{
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                .cq_entries = 8 * ENTRIES};
    u.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
    need(u.fd >= 0, "io_uring_setup");
    size_t sq = p.sq_off.array + p.sq_entries * sizeof(unsigned),
           cq = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    char *at =
        mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u.fd, IORING_OFF_SQ_RING);
    u.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                  u.fd, IORING_OFF_SQES);
    u.sq_tail = (void *)(at + p.sq_off.tail);
    u.sq_mask = (void *)(at + p.sq_off.ring_mask);
    u.sq_array = (void *)(at + p.sq_off.array);
    u.cq_head = (void *)(at + p.cq_off.head);
    u.cq_tail = (void *)(at + p.cq_off.tail);
    u.cq_mask = (void *)(at + p.cq_off.ring_mask);
    u.cqes = (void *)(at + p.cq_off.cqes);
    u.ring =
        mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    u.buffers = malloc((size_t)BUFFERS * BUFFER);
    struct io_uring_buf_reg r = {.ring_addr = (uintptr_t)u.ring, .ring_entries = BUFFERS, .bgid = GROUP};
    need(syscall(SYS_io_uring_register, u.fd, IORING_REGISTER_PBUF_RING, &r, 1) == 0, "provided buffers");
    for (unsigned i = 0; i < BUFFERS; i++)
        give_buffer(i);
}

static void start_recv(int fd)
{
    struct io_uring_sqe *e = next_entry();
    e->opcode = IORING_OP_RECV;
    e->fd = fd;
    e->ioprio = IORING_RECV_MULTISHOT;
    e->flags = IOSQE_BUFFER_SELECT;
    e->buf_group = GROUP;
    e->user_data = tag(RECV, fd, 0);
}

static void start_send(int fd, unsigned buffer, unsigned n)
{
    struct io_uring_sqe *e = next_entry();
    e->opcode = IORING_OP_SEND;
    e->fd = fd;
    e->addr = (uintptr_t)(u.buffers + (size_t)buffer * BUFFER);
    e->len = n;
    e->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
    e->user_data = tag(SEND, fd, buffer);
}

static void complete(const struct io_uring_cqe *c)
{
    int what = (int)(c->user_data >> 48), fd = (int)(uint32_t)c->user_data;
    if (what == SEND) {
        give_buffer((unsigned)(c->user_data >> 32) & 0xffff);
    } else if (what == ACCEPT) {
        need(c->res >= 0, "accept");
        without_delay(c->res);
        start_recv(c->res);
    } else if (c->res > 0) {
        start_send(fd, c->flags >> IORING_CQE_BUFFER_SHIFT, (unsigned)c->res);
        if (!(c->flags & IORING_CQE_F_MORE))
            start_recv(fd);
    } else if (c->res == -ENOBUFS) {
        start_recv(fd);
    } else {
        close(fd);
    }
}

static void by_uring(int listener)
{
    open_ring();
    struct io_uring_sqe *e = next_entry();
    e->opcode = IORING_OP_ACCEPT;
    e->fd = listener;
    e->ioprio = IORING_ACCEPT_MULTISHOT;
    e->user_data = tag(ACCEPT, listener, 0);
    while (!over) {
        unsigned queued = u.queued, head = *u.cq_head;
        u.queued = 0;
        syscall(SYS_io_uring_enter, u.fd, queued, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        while (head != __atomic_load_n(u.cq_tail, __ATOMIC_ACQUIRE)) {
            complete(&u.cqes[head & *u.cq_mask]);
            __atomic_store_n(u.cq_head, ++head, __ATOMIC_RELEASE);
        }
    }
}

int main(int argc, char **argv)
{
    need(argc == 3, "usage: echo_raw epoll|uring PORT");
    struct sigaction a = {.sa_handler = end};
    struct rusage r;
    sigaction(SIGTERM, &a, NULL);
    int listener = listen_at(atoi(argv[2]));
    if (strcmp(argv[1], "uring") == 0)
        by_uring(listener);
    else
        by_epoll(listener);
    getrusage(RUSAGE_SELF, &r);
    printf("CPU %.3f\n",
           (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6);
    return 0;
}
