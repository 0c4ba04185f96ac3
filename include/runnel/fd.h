/* runnel/fd.h: any descriptor as a case of a select, and pipes.
 *
 *     switch (chan_select(on_fd(fd, RN_FD_READ), on_recv(jobs, &job), on_done(ctx))) {
 *     case 0: n = read(fd, buf, sizeof buf); …      // it would not block
 *
 *     rn_conn *r, *w;
 *     int err = rn_pipe(&r, &w);
 *     go(produce, w);                                // net_write(w, …); net_free(w);
 *     while ((n = net_read(r, buf, sizeof buf)) > 0) …
 *
 * rn_fd_wait of runnel/net.h waits for one descriptor alone.
 */
#ifndef RUNNEL_FD_H
#define RUNNEL_FD_H

#include <runnel/net.h>
#include <runnel/select.h>

RN_EXTERN_C_BEGIN

/* on_fd(fd, events): the case is ready when fd can be read (RN_FD_READ) or written (RN_FD_WRITE), as asked.  This is
 * level-triggered: what poll(2) says at the time of the select.  An end of the stream, an error and a descriptor that
 * is not open count as ready, since a call on it would not block.  Nothing is read or written.  fd stays the caller's:
 * any descriptor (socket, pipe, eventfd, timerfd, inotify, terminal), blocking or not; regular files are always ready.
 * It must stay open while anybody waits.  Several goroutines may wait for one descriptor: all are woken, and those who
 * then find nothing left wait again, or block in their own call.  fd < 0 is never ready.
 *
 * Checking costs one system call for each such case, and waiting some more; if there are no descriptors left, the
 * select checks every 10 ms instead.  On a plain thread while no rn_run is under way it panics if it would have to
 * wait. */
#define rn_on_fd(fd, events) rn_on_fd_ready(fd, events, NULL)
/* clang-format off */
/* The same, and stores in *got, an int, what it was ready for, or -EBADF. */
#define rn_on_fd_ready(fd, events, got)                                                          \
    (struct rn_case)                                                                             \
    {                                                                                            \
        RN_CASE_OUTSIDE, (void *)(uintptr_t)&rn__fd_case, __extension__({ int *rn_got_ = (got); rn_got_; }), \
            NULL, rn__fd_case_of((fd), (events))                                                 \
    }
/* clang-format on */
struct rn_case_ops;
RN_PUBLIC extern const struct rn_case_ops rn__fd_case;
static inline rn_duration rn__fd_case_of(int fd, int events)
{
    return (rn_duration)(((uint64_t)(uint32_t)events << 32) | (uint32_t)fd);
}

/* A pipe: what is written to *w can be read from *r.  Both are connections as in runnel/net.h, with deadlines,
 * contexts, close and free; a write into a pipe without a reader is -EPIPE, and no SIGPIPE is raised.  A write of
 * more than there is room for waits, in parts.  Neither end is passed on to child processes.  0, or a
 * negative errno (-EMFILE), or RN_ENOMEM.  From goroutines and plain threads; does not block. */
RN_PUBLIC int rn_pipe(rn_conn **r, rn_conn **w) RN_MUST_USE;
/* An open descriptor as a connection, which takes it over: a pipe, terminal, socket, character device.  It
 * is made non-blocking, also for others who have it open (a terminal, a pipe that was inherited).  On
 * failure it stays the caller's: -EPERM for what can't be waited for (regular files: runnel/file.h),
 * RN_ENOMEM, or another negative errno. */
RN_PUBLIC int rn_conn_of_fd(int fd, rn_conn **out) RN_MUST_USE;

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define on_fd(fd, events) rn_on_fd(fd, events)
#define on_fd_ready(fd, events, got) rn_on_fd_ready(fd, events, got)
#endif

#endif
