/* Descriptors that goroutines wait for: the record behind every connection, listener and pipe.
 *
 *     struct rn__fd *f = rn__fd_make(fd, RN_FD_SOCKET);            // takes fd over
 *     int err = rn__fd_begin(f, RN_SIDE_READ, ctx);                // our turn to read; the record stays
 *     if (err) return err;
 *     while ((n = recv(f->fd, …)) < 0 && errno == EAGAIN)
 *         if ((err = rn__fd_wait(f, RN_SIDE_READ, ctx)) != 0) break;
 *     rn__fd_end(f, RN_SIDE_READ);                                 // may be what really closes fd
 *
 * What always holds:
 *  - f->fd is open, and the same, from rn__fd_begin (or rn__fd_hold) to rn__fd_end (rn__fd_drop):
 *    rn__fd_close only marks the record and wakes the waiting; the last user closes the descriptor.
 *  - Between begin and end of a side nobody else is between them on that side.  Where somebody waits for the turn and nobody has it,
 *    one who waited is on the way (`called`), and takes it or leaves it to whoever was quicker, who calls at the end.
 *  - Records live in memory that is never given back, and have a generation, which changes with every
 *    descriptor: an event that the kernel reported before a close can't reach the next user.
 *  - A side's `ready` tells that the kernel reported readiness which nobody has consumed.  It is set only by
 *    the poller and cleared only by whose turn begins, or who would wait; both then try the call (or leave
 *    `drained` false, so that the next does), and all under the lock; so no edge is lost: it comes before
 *    the try, which then succeeds, or after, and finds `ready` or wakes the waiter.
 *
 * Who may run at the same time: everything but rn__fd_free with what comes after it.
 *
 * Lock: f->lock, rank POLL, for a few loads and stores; never across a system call.  Timers rank
 * below, so a side's timer is started with no lock held, and only by the goroutine whose turn it is.
 */
#ifndef RN_NET_FD_H
#define RN_NET_FD_H

#include "chan/wait.h"
#include "sched/sched.h"
#include <netinet/in.h>
#include <runnel/net.h>

enum { RN_SIDE_READ, RN_SIDE_WRITE };
enum rn__fd_flags {
    RN_FD_SOCKET = 1,    /* recv and send, not read and write */
    RN_FD_STREAM = 2,    /* TCP: a short read has emptied the socket */
    RN_FD_LISTENER = 4,  /* accepts; a unix one removes its path */
    RN_FD_KEEP_PATH = 8, /* … or not */
    RN_FD_BORROWED = 16, /* the descriptor is not closed with the record */
    RN_FD_FOREIGN =
        32,          /* may be open under other numbers as well: then a close alone does not take it from the poller */
    RN_FD_FILE = 64, /* a regular file, directory or block device: never waited for */
    RN_FD_SYNCED = 128, /* … whose writes wait for the disk */
};

/* Why a waiter on a descriptor was woken: its `index`. */
enum { RN_WOKEN_READY, RN_WOKEN_CLOSED, RN_WOKEN_EXPIRED, RN_WOKEN_AGAIN };

struct rn__fd_side {
    struct rn_list waiters;      /* for readiness; guarded by lock */
    struct rn_list turn;         /* for the one who uses this side; guarded by lock */
    rn_atomic(int64_t) deadline; /* 0: none; written under lock */
    rn_time armed;               /* when the timer fires, 0: it is idle; guarded by lock */
    rn_atomic(bool) ready;       /* written under lock */
    bool busy, by_thread;        /* somebody's turn; a plain thread's; guarded by lock */
    bool called, owed; /* one that waited for the turn was woken to take it; the first came too late; guarded by lock */
    bool drained;      /* READ: the last read has emptied the socket; whose turn it is */
    struct rn_timer_entry timer; /* touched by whose turn it is; fires under lock */
};

struct rn__fd {
    rn_lock lock;
    int fd;                         /* changes only while nobody uses the record */
    uint32_t index;                 /* among all records; never changes */
    uint32_t generation;            /* guarded by lock */
    uint32_t users, thread_users;   /* begun and not ended, by goroutines and by plain threads; guarded by lock */
    rn_atomic(uint32_t) registered; /* with which run's poller; 0: none; written under lock */
    rn_atomic(bool) closed;         /* written under lock */
    rn_atomic(bool) hangup;         /* no read may be left out: see rn__fd_end_read; written under lock */
    uint8_t flags;                  /* enum rn__fd_flags; constant while open */
    bool finishing, finished;       /* fd is being closed, has been closed; guarded by lock */
    bool freed;                     /* rn__fd_free was called; guarded by lock */
    struct rn__fd_side side[2];
    struct sockaddr_in6
        peer; /* of an accepted TCP connection, IPv4 too, where it fits; else of family 0; constant while open */
    uint32_t sharers;         /* wait.c's */
    struct rn__fd *next_free; /* among the unused; in use: wait.c's */
};

/* A connection and a listener are a record each, under names of their own. */
struct rn_conn {
    struct rn__fd fd;
};
struct rn_listener {
    struct rn__fd fd;
};

/* A record that takes the open, non-blocking descriptor over.  NULL: no memory; fd stays the caller's. */
struct rn__fd *rn__fd_make(int fd, unsigned flags);
/* Marks f closed and wakes who waits; 0, or RN_ECLOSED when it was. */
int rn__fd_close(struct rn__fd *f);
/* Closes if need be and gives the record back once nobody uses it; freeing twice panics. */
void rn__fd_free(struct rn__fd *f);

/* Waits for its turn on a side.  0; RN_ECLOSED; RN_ETIMEOUT (the side's deadline, or ctx's); RN_ECANCELED. */
int rn__fd_begin(struct rn__fd *f, int side, rn_context *ctx);
void rn__fd_end(struct rn__fd *f, int side);
/* rn__fd_set_deadline and then rn__fd_begin. */
int rn__fd_begin_by(struct rn__fd *f, int side, rn_time deadline);
/* The same without a turn, for calls that don't wait: keeps f->fd open.  0 or RN_ECLOSED. */
int rn__fd_hold(struct rn__fd *f);
void rn__fd_drop(struct rn__fd *f);

/* Between begin and end, after the call would have blocked: waits until it is worth another try (0),
 * or RN_ECLOSED, RN_ETIMEOUT, RN_ECANCELED, or what the poller says of this descriptor.  A wake-up may
 * be spurious. */
int rn__fd_wait(struct rn__fd *f, int side, rn_context *ctx);
/* The same, at most until `until` (INT64_MAX: for ever), for its own RN_ETIMEOUT. */
int rn__fd_wait_until(struct rn__fd *f, int side, rn_context *ctx, rn_time until);

/* Waiting for several descriptors, or a descriptor among other things: w (g, claim set) joins the
 * waiters of a side.  0: it waits, and is woken as any waiter, w->index telling why; 1: the side is ready,
 * so look; or an error; then it did not join.  The record is held by the caller (rn__fd_hold). */
int rn__fd_join(struct rn__fd *f, int side, struct rn_waiter *w);
/* Takes it out again if it is still there, and says whether it was; needed unless it was woken. */
bool rn__fd_leave(struct rn__fd *f, int side, struct rn_waiter *w);

/* The record that all who wait for a descriptor of the caller's share, with one more sharer; NULL: no memory.
 * And one less. */
struct rn__fd *rn__fd_share(int fd);
void rn__fd_unshare(struct rn__fd *f);

/* when: 0 none; past: calls end at once. */
void rn__fd_set_deadline(struct rn__fd *f, int side, rn_time when);
/* Whose turn it is: the side's deadline has passed. */
static inline bool rn__fd_expired(struct rn__fd *f, int side)
{
    rn_time when = rn_load_relaxed(&f->side[side].deadline); /* relaxed: a number; a late look is a late call */
    return __builtin_expect(when != 0, 0) && rn__has_passed(when);
}

/* Whose turn it is to read: nothing has come since the last read emptied the socket, so a call would say
 * EAGAIN; wait at once. */
static inline bool rn__fd_is_drained(struct rn__fd *f)
{
    /* relaxed, both: rn__fd_wait looks again under the lock. */
    return f->side[RN_SIDE_READ].drained && !rn_load_relaxed(&f->side[RN_SIDE_READ].ready) &&
           !rn_load_relaxed(&f->hangup);
}
/* As rn__fd_end, after a read of `got` bytes (or -EAGAIN) into room for `room` as the last call: if that has
 * emptied the socket, the next read waits first.  (After a short read of TCP the kernel reports whatever
 * comes next as a new edge; but for an end of the stream, or urgent data, that it reported together with
 * what was read: then `hangup` is set.) */
void rn__fd_end_read(struct rn__fd *f, ssize_t got, size_t room);

/* As rn_net_try_read, but after a read that emptied the socket, and while the poller has reported nothing since,
 * without a system call: what came a moment ago may be seen only by the next wait.  For a goroutine that would wait
 * next, and while nobody else reads. */
RN_INNER ssize_t rn__net_read_early(rn_conn *c, void *buf, size_t n);

/* A read in pieces, for who takes a buffer only when something has come: the turn to read, with this deadline for it
 * and what follows; the wait; the read.  A turn that was begun is ended by rn__net_turn_read or _end.  0 or an error. */
RN_INNER int rn__net_turn(rn_conn *c, rn_time deadline);
RN_INNER int rn__net_turn_wait(rn_conn *c);
RN_INNER ssize_t rn__net_turn_read(rn_conn *c, void *buf, size_t n);
RN_INNER void rn__net_turn_end(rn_conn *c);
/* rn_net_set_write_deadline and then rn_net_write. */
/* As rn_net_write_ctx: 0 or an error; *done is how many bytes were written, also before an error. */
RN_INNER int rn__net_write_counted(rn_context *ctx, rn_conn *c, const void *buf, size_t n, size_t *done);
RN_INNER ssize_t rn__net_write_by(rn_conn *c, const void *buf, size_t n, rn_time deadline);

/* Whether bytes, or the end of the stream, have come that nobody has read yet; also while another waits for them.  False for one
 * that was closed. */
RN_INNER bool rn__net_has_come(rn_conn *c);

/* A connection that is there already, whatever the listener's deadline; or -EAGAIN, or another error. */
RN_INNER int rn__net_accept_now(rn_listener *l, rn_conn **out);
/* As rn_net_accept; before each pause for want of descriptors, or of the kernel's memory, it calls tell with the error. */
struct rn__accept_news {
    void (*tell)(void *arg, int err);
    void *arg;
};
RN_INNER int rn__net_accept_telling(rn_listener *l, const struct rn__accept_news *news, rn_conn **out);

/* ---- records (records.c) -------------------------------------------------------------------------- */

struct rn__fd *rn__fd_record(void);       /* unused, with all but lock, index and generation zero; NULL: no memory */
void rn__fd_record_put(struct rn__fd *f); /* back to the unused */
struct rn__fd *rn__fd_at(uint32_t index); /* NULL if there never was one */
uint32_t rn__fd_records(void);            /* indices below it exist */

#endif
