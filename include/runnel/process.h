/* runnel/process.h: child processes: start, feed, read, wait, end.
 *
 *     const char *const argv[] = {"sort", "-n", NULL};
 *     rn_process *p;
 *     int err = process_start(&(rn_command){.argv = argv, .in = RN_STDIO_PIPE, .out = RN_STDIO_PIPE}, &p);
 *     if (err) return err;                                   // -ENOENT: no such program
 *     net_write(process_in(p), text, n);
 *     net_close(process_in(p));
 *     while ((n = net_read(process_out(p), buf, sizeof buf)) > 0) …
 *     rn_exit how;
 *     process_wait(p, &how);                                 // how.code == 0: success
 *     process_free(p);
 *
 *     rn_output o;                                           // all of it at once
 *     err = process_output_ctx(ctx, &(rn_command){.argv = argv, .input = text, .input_size = n}, &o);
 *
 * A child gets standard input, output and error as the command says, and those other descriptors
 * that are not close-on-exec; none of the library's.  It starts with no signal blocked, ignored or
 * handled.  Every child is reaped when it ends, whether anybody
 * waits for it or not, so there are no zombies while rn_run is under way.  Other code of the program must not
 * reap them (waitpid(-1), SIGCHLD ignored): process_wait then returns -ECHILD.
 *
 * Errors are negative: RN_E…, or the negative of an errno value.  From goroutines, while rn_run is
 * under way; by many at once.  Only the calls that say so wait.  (Go's package os/exec.)
 */
#ifndef RUNNEL_PROCESS_H
#define RUNNEL_PROCESS_H

#include <runnel/chan.h>
#include <runnel/context_type.h>
#include <runnel/net.h>

RN_EXTERN_C_BEGIN

typedef struct rn_process rn_process;

/* What a standard descriptor of the child is. */
enum rn_stdio_kind {
    RN_STDIO_IS_INHERITED,
    RN_STDIO_IS_NULL,
    RN_STDIO_IS_PIPE,
    RN_STDIO_IS_FD,
    RN_STDIO_IS_FILE,
    RN_STDIO_IS_APPENDED,
    RN_STDIO_IS_STDOUT,
};
typedef struct rn_stdio {
    enum rn_stdio_kind kind;
    int fd;
    const char *path;
} rn_stdio;
#ifdef __cplusplus
#define RN__STDIO(...) (rn_stdio{__VA_ARGS__})
#else
#define RN__STDIO(...) ((rn_stdio){__VA_ARGS__})
#endif
#define RN_STDIO_INHERIT RN__STDIO(RN_STDIO_IS_INHERITED, -1, NULL) /* the program's own: what {0} means */
#define RN_STDIO_NULL RN__STDIO(RN_STDIO_IS_NULL, -1, NULL)         /* /dev/null */
#define RN_STDIO_PIPE RN__STDIO(RN_STDIO_IS_PIPE, -1, NULL)         /* process_in, process_out, process_err */
/* An open descriptor, which stays the caller's.  A pipe that is non-blocking, as rn_pipe's ends are,
 * is opened for the child once more: it finds it blocking. */
#define RN_STDIO_FD(fd) RN__STDIO(RN_STDIO_IS_FD, (fd), NULL)
#define RN_STDIO_FILE(path) RN__STDIO(RN_STDIO_IS_FILE, -1, (path))       /* read; or made, or emptied, and written */
#define RN_STDIO_APPEND(path) RN__STDIO(RN_STDIO_IS_APPENDED, -1, (path)) /* made if need be, and written at its end */
#define RN_STDIO_STDOUT RN__STDIO(RN_STDIO_IS_STDOUT, -1, NULL)           /* error alone: where output goes */

/* What to run.  Only argv must be set; all of it is read during process_start alone. */
typedef struct rn_command {
    const char *const *argv; /* ends with NULL; argv[0] is looked for in PATH unless it has a slash */
    const char *const *env;  /* "NAME=value" …, NULL; NULL: the program's own */
    const char *dir;         /* where it runs, from where a relative argv[0] with a slash counts; NULL: here */
    rn_stdio in, out, err;
    const int *fds; /* descriptors that it gets as 3, 4 …; they stay the caller's */
    int fds_n;
    bool new_group;    /* a process group of its own, and process_kill reaches all of it */
    bool new_session;  /* a session (and group) of its own, without a terminal */
    const void *input; /* process_run and process_output: what is written to its input, with in not set */
    size_t input_size; /* bytes */
    int cancel_signal; /* _ctx forms: what the end of the context sends; 0: SIGKILL */
    rn_duration grace; /* … after which SIGKILL follows; 0: never */
} rn_command;

/* How a process has ended. */
typedef struct rn_exit {
    int code;   /* its exit status; -1 when it was a signal */
    int signal; /* the signal that ended it, or 0 */
    bool core_dumped;
    rn_duration user, system; /* processor time that it and those it waited for have used */
    int64_t max_rss;          /* bytes of memory at most */
} rn_exit;

/* Starts a process; *out is the caller's to free.  0; or the error of the exec (-ENOENT, -EACCES …), of its
 * directory or its files, -EMFILE, RN_ENOMEM; RN_EINVAL for a command that makes no sense.  Blocks
 * this goroutine, and nobody else, until the exec is done. */
RN_PUBLIC int rn_process_start(const rn_command *command, rn_process **out) RN_MUST_USE;
/* The same; if ctx is done before the process has ended, the process is sent the command's cancel_signal, and after its
 * grace SIGKILL. */
RN_PUBLIC int rn_process_start_ctx(rn_context *ctx, const rn_command *command, rn_process **out) RN_MUST_USE;

/* Waits until the process has ended, and says how (`how` may be NULL).  Returns 0, or -ECHILD; or, if the end of the
 * context given to rn_process_start_ctx has sent the process a signal, that context's error, with *how filled in.
 * Several may wait, and more than once.  rn_process_wait_ctx gives up the wait, not the process, when ctx is done:
 * RN_ECANCELED or RN_ETIMEOUT, and *how is unchanged. */
RN_PUBLIC int rn_process_wait(rn_process *p, rn_exit *how);
RN_PUBLIC int rn_process_wait_ctx(rn_context *ctx, rn_process *p, rn_exit *how);
/* A channel that is closed once the process has ended: for select.  It lives as long as p. */
#define rn_process_done(p) ((rn_chan_recv_only(rn_unit))rn__process_done(p))
RN_PUBLIC void *rn__process_done(rn_process *p);

/* Sends a signal to the process, or to its group if it has one of its own.  0; -ESRCH once it has ended: a signal never
 * reaches another process that has got its number. */
RN_PUBLIC int rn_process_signal(rn_process *p, int signo);
RN_PUBLIC int rn_process_kill(rn_process *p); /* SIGKILL */
RN_PUBLIC int rn_process_pid(const rn_process *p);

/* Our ends of its pipes; NULL where the command did not ask for one.  They belong to p, and may be closed (net_close)
 * before p is freed.  Reading ends when the last process that has the other end open closes it, which may be a child of
 * the child. */
RN_PUBLIC rn_conn *rn_process_in(rn_process *p);
RN_PUBLIC rn_conn *rn_process_out(rn_process *p);
RN_PUBLIC rn_conn *rn_process_err(rn_process *p);

/* Closes the pipes and frees p, which nobody may use afterwards.  A process that still runs continues; its context, if
 * it has one, no longer ends it. */
RN_PUBLIC void rn_process_free(rn_process *p);

/* Starts, gives it the command's input if there is any, and waits.  0, whatever its exit status is: see *how (may be
 * NULL); else as start and wait.  in, out and err may not be pipes.  With ctx the process is
 * ended as by rn_process_start_ctx, and waited for. */
RN_PUBLIC int rn_process_run(const rn_command *command, rn_exit *how);
RN_PUBLIC int rn_process_run_ctx(rn_context *ctx, const rn_command *command, rn_exit *how);

/* What a process has written. */
typedef struct rn_output {
    char *out, *err;           /* with a 0 behind them */
    size_t out_size, err_size; /* bytes, without it */
    rn_exit how;
} rn_output;
/* As rn_process_run, keeping what it writes to its output and, when the command's err is RN_STDIO_PIPE, to its error;
 * with RN_STDIO_STDOUT both come into `out`, in their order.  On any result *o is to be given to rn_output_free.  When
 * ctx is done, cancel_signal and grace end the process (see rn_process_start_ctx); until then it is still read from,
 * and given its input, so that what it says last is there as well.  Output of its children after that is not waited
 * for.  If there is no memory for the output, or a pipe fails, the process is killed: RN_ENOMEM, or the error. */
RN_PUBLIC int rn_process_output(const rn_command *command, rn_output *o);
RN_PUBLIC int rn_process_output_ctx(rn_context *ctx, const rn_command *command, rn_output *o);
RN_PUBLIC void rn_output_free(rn_output *o);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define process_start rn_process_start
#define process_start_ctx rn_process_start_ctx
#define process_wait rn_process_wait
#define process_wait_ctx rn_process_wait_ctx
#define process_done rn_process_done
#define process_signal rn_process_signal
#define process_kill rn_process_kill
#define process_pid rn_process_pid
#define process_in rn_process_in
#define process_out rn_process_out
#define process_err rn_process_err
#define process_free rn_process_free
#define process_run rn_process_run
#define process_run_ctx rn_process_run_ctx
#define process_output rn_process_output
#define process_output_ctx rn_process_output_ctx
#define output_free rn_output_free
#endif

#endif
