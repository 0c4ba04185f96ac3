/* What an operating system must supply.  This file is the whole contract of a port; src/os/linux/
 * is the one that exists.  Only src/os and src/arch know an operating system or a processor.
 *
 * Nothing here knows what a goroutine is.  Functions return 0 or a negative errno unless they say
 * otherwise.
 */
#ifndef RN_OS_OS_H
#define RN_OS_OS_H

#include "base/inner.h"
#include "base/atomic.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

/* ---- start ------------------------------------------------------------------------------- */

/* Finds out what the kernel offers (membarrier, guard pages, page size) and registers for
 * membarrier and restartable sections.  Idempotent; called before anything else here. */
void rn_os_init(void);

/* ---- memory ------------------------------------------------------------------------------ */

extern size_t rn_os_page; /* bytes in a page */

/* Reserves `bytes` of zeroed, lazily committed, readable and writable memory, aligned to `align`
 * (a power of two >= the page).  NULL when the system has none.  Never counted against overcommit
 * (MAP_NORESERVE), no huge pages. */
void *rn_os_map(size_t bytes, size_t align);
/* The same for stacks, whole pages: code may run there if the program says in its headers that it wants that.  gcc puts some
 * there for a nested function whose address is taken. */
void *rn_os_map_stack(size_t bytes);
void rn_os_unmap(void *p, size_t bytes);
/* What was mapped, and not touched yet, may be given huge pages after all. */
void rn_os_huge(void *p, size_t bytes);
/* Gives the pages back to the system; they read as zero afterwards. */
void rn_os_discard(void *p, size_t bytes);
struct rn_os_range {
    void *p;
    size_t bytes;
};
/* The same for n ranges, 1024 at most, with guards in them, which stay.  It fails where memory is locked. */
int rn_os_discard_guarded(const struct rn_os_range *ranges, uint32_t n);
/* Bytes that this process may use: what the machine has, and every memory.max (cgroup 2) or memory.limit_in_bytes
 * (cgroup 1) up the tree. */
int64_t rn_os_memory(void);

enum rn_guard { RN_GUARD_MADVISE, RN_GUARD_MPROTECT, RN_GUARD_NONE };
/* Makes one page trap.  Uses MADV_GUARD_INSTALL, which costs no mapping; on kernels before 6.13
 * mprotect, which makes two of one.  Where may_split is false, or the limit of mappings is reached, nothing: then a warning is
 * printed to stderr once, and RN_GUARD_NONE returned. */
enum rn_guard rn_os_guard(void *page, bool may_split);
/* How many mappings a process may have. */
int64_t rn_os_mappings_most(void);

/* ---- pages put away ---------------------------------------------------------------------- */

/* Pages of private memory can be given back to the system while their contents are kept elsewhere, so that
 * any touch of them traps (SIGSEGV at that address, or EFAULT from a system call) until they are brought back. */

/* Whether the kernel can do this; opens a descriptor of its own, which end closes, when nothing is away. */
bool rn_os_away_begin(void);
void rn_os_away_end(void);
/* Whether a touch would be heard of just now: the handler for faults is ours, and no thread blocks SIGSEGV. */
bool rn_os_away_safe(void);
/* Makes bringing back pages of this mapping faster. */
void rn_os_away_range(void *p, size_t bytes);
/* From here to unfreeze: writes to the range trap; after discard, by whose end its contents are gone, reads too. */
int rn_os_away_freeze(void *p, size_t bytes);
int rn_os_away_discard(void *p, size_t bytes);
void rn_os_away_unfreeze(void *p, size_t bytes);
/* Whole pages that were discarded, in a frozen range: any touch of them traps, until rn_os_away_restore. */
int rn_os_away_trap(void *page, size_t bytes);
/* Brings back pages, filled with the `bytes` at `from` (which need not be aligned): nobody sees them half done.  Also pages
 * that were discarded only, in a frozen range.
 * Async-signal-safe.  Ends the process when there is no memory. */
void rn_os_away_restore(void *page, size_t bytes, const void *from);
/* Whether this process is a copy, by fork or rn_os_snapshot, of the one that called rn_os_away_begin. */
bool rn_os_is_copy(void);

/* ---- threads ----------------------------------------------------------------------------- */

/* Starts a joinable thread with all signals as the caller's, named `name` (15 characters at most).
 * Its stack is the system's default size but at least 256 KiB. */
int rn_os_thread_start(pthread_t *t, void *(*f)(void *), void *arg, const char *name);
/* The same where ThreadSanitizer watches, for a caller that holds its signals: those that it had before, which rn_os_signals_hold
 * returned, are the thread's. */
int rn_os_thread_start_held(pthread_t *t, void *(*f)(void *), void *arg, const char *name, uint64_t held);
/* How late the kernel may wake this thread from a timed wait, to save power: Linux allows itself 50 µs.
 * Returns what it was, -1 if it can't be set. */
int64_t rn_os_timer_slack(int64_t ns);
int rn_os_thread_id(void); /* gettid */
/* CPU time that a live thread has used, in ns; -1 if it can't be told. */
int64_t rn_os_thread_cpu(pthread_t t);
/* Whether a thread of this process waits in the kernel, rather than for its turn on a processor.  True where
 * it can't be told.  Costs some microseconds. */
bool rn_os_thread_is_blocked(int tid);
/* How often the kernel has let another thread run in the caller's place. */
int64_t rn_os_thread_preempted(void);
/* Keeps the program's signal handlers from this thread, but for those that a fault calls: what it is at must be over before
 * one of them runs here.  Returns what is to be given to release. */
uint64_t rn_os_signals_hold(void);
void rn_os_signals_release(uint64_t held);
/* A thread's first step where ThreadSanitizer watches: it would lose a signal that came in its first blocking call. */
void rn_os_signals_expect(void);
RN_INNER void rn_os_yield(void); /* sched_yield */
void rn_os_nap(rn_duration d);   /* sleeps this thread for about d */

/* Blocks while *word == seen, at most until `deadline` on rn_os_now's clock (INT64_MAX: forever).
 * 0 when woken, spuriously or because *word differed; -ETIMEDOUT. */
int rn_os_futex_wait(rn_atomic(uint32_t) * word, uint32_t seen, rn_time deadline);
/* Wakes at most n waiters. */
void rn_os_futex_wake(rn_atomic(uint32_t) * word, int n);

/* Whether there is a program with this path.  Also before main and before rn_os_init. */
bool rn_os_has_program(const char *path);

/* Every thread of this process that runs executes a full fence before this returns.  Pairs with
 * rn_fence_light (base/atomic.h). */
void rn_os_fence_heavy(void);

/* Whether this thread may have restartable sections (runnel/own.h).  It has none on older kernels, with some C libraries, or
 * where it was not registered for them.  Always the same for a thread. */
bool rn_os_has_sections(void);
/* Every thread of this process that is in such a section goes on behind it, as if it had failed, before this returns; and
 * each that runs executes a full fence.  Only where a thread has sections. */
void rn_os_fence_restart(void);

/* Processors that this process may use: the affinity mask, and every cpu.max (cgroup 2) or
 * cpu.cfs_quota_us (cgroup 1) up the tree, a quota of 2.5 processors counting as 3; >= 1. */
int rn_os_processors(void);

/* Threads of this process that are neither in `own` (thread ids) nor the kernel's workers
 * (io_uring) nor a sanitizer's: threads that could still wake somebody.  -1 if unknown. */
int rn_os_other_threads(const int *own, int n);
/* True when a signal has a handler that user code installed (fault signals, and those in the
 * `ours` mask, bit s-1 for signal s, do not count). */
bool rn_os_signal_handlers(uint64_t ours);
extern const uint64_t rn_os_quit_signal; /* the bit of the signal that asks for the listing of goroutines */

/* ---- time and chance --------------------------------------------------------------------- */

rn_time rn_os_now(void);  /* CLOCK_MONOTONIC in ns, never 0 */
rn_time rn_os_tick(void); /* the same at the kernel's last tick, for an eighth of the cost */
struct rn_bound;
/* Not before rn_os_now, and RN_BOUND_LATE after it at the most; cheaper for a thread that often asks.  For deadlines.  b
 * is its own; see os/bound.h. */
RN_INNER rn_time rn_os_now_bound(struct rn_bound *b);
void rn_os_entropy(void *to, size_t bytes); /* random bytes from the kernel; never fails */

/* ---- poller ------------------------------------------------------------------------------ */

/* One poller for the process.  Exactly one thread waits at a time. */
int rn_os_poll_open(void); /* idempotent */
void rn_os_poll_close(void);
/* Registers fd, edge-triggered, both directions, with `tag` (not 0). */
RN_INNER int rn_os_poll_add(int fd, uint64_t tag);
RN_INNER int rn_os_poll_del(int fd);
/* Errors and hang-ups set the first two.  HANGUP: the other side will send no more, or there is urgent
 * data: a read that gets less than it asked for may not have got all. */
enum { RN_POLL_READ = 1, RN_POLL_WRITE = 2, RN_POLL_HANGUP = 4 };
struct rn_os_event {
    uint64_t tag;
    uint32_t ready;
};
/* Waits until an event, rn_os_poll_wake or the deadline; returns how many events were stored. */
int rn_os_poll_wait(struct rn_os_event *events, int max, rn_time deadline);
/* Which of `ask` (RN_POLL_…) fd is ready for now, poller or not. */
RN_INNER uint32_t rn_os_poll_now(int fd, uint32_t ask);
void rn_os_poll_wake(void); /* makes the current or the next poll_wait return; from any thread */

/* ---- descriptors ------------------------------------------------------------------------- */

/* Opens /dev/null as those of 0, 1 and 2 that are closed, lest what is opened next is taken for standard input, output or error. */
void rn_os_open_std(void);
/* A second number for the open file, >= `least`, closed on exec; or a negative errno. */
int rn_os_dup(int fd, int least);
/* The same for a child process: a pipe that is non-blocking is opened anew, and blocks. */
int rn_os_dup_blocking(int fd, int least);
/* Both ends of a pipe, non-blocking, closed on exec. */
int rn_os_pipe(int fds[2]);
/* Reads up to n bytes at `offset` (-1: where the file stands) if that needs no wait for the disk: how many,
 * 0 at the end, -EAGAIN when it does or when that can't be told, or another negative errno. */
ssize_t rn_os_read_now(int fd, void *buf, size_t n, int64_t offset);

/* ---- child processes --------------------------------------------------------------------- */

struct rn_os_spawn {
    char *const *argv; /* argv[0] is looked for in PATH unless it has a slash */
    char *const *env;
    const char *dir; /* NULL: the same */
    const int *fds;  /* what the child's descriptors 0, 1 … are; all are >= fds_n; the rest as exec leaves it */
    int fds_n;
    bool new_group, new_session;
};
/* Starts a process with no signal blocked, ignored or handled.  Blocks until the exec has succeeded or failed
 * (its errno is returned).  *pidfd becomes a descriptor that is readable once the process has
 * ended, or -1 where the kernel has none. */
int rn_os_spawn(const struct rn_os_spawn *s, int *pid, int *pidfd);

struct rn_os_exit {
    int status; /* as wait(2) has it */
    rn_duration user, system;
    int64_t max_rss; /* bytes */
};
/* Takes the ended child from the kernel: 0; -EAGAIN when it still runs (never with `block`, which
 * waits for it); or another negative errno. */
int rn_os_reap(int pid, bool block, struct rn_os_exit *how);
/* Waits until the child has ended, and leaves it there for rn_os_reap. */
int rn_os_await(int pid);
/* Sends a signal; by pidfd, if it is not -1, so that nobody else can be hit.  group: to the process group. */
int rn_os_kill(int pid, int pidfd, int signo, bool group);

/* ---- signals that the program wants to hear of --------------------------------------------- */

/* From now on the signal is noted, and the poller woken; a handler that was there before is called as
 * well.  -EINVAL for fault signals and those that can't be caught.  One caller at a time, all three. */
int rn_os_signal_catch(int signo);
int rn_os_signal_ignore(int signo);
/* What was there before the first of these, unless somebody else has changed it since. */
void rn_os_signal_release(int signo);
bool rn_os_signal_is_ignored(int signo);
bool rn_os_signal_can_be_caught(int signo);
/* Whether one has come that was not taken yet; and takes them: bit s-1 for signal s. */
bool rn_os_signals_pending(void);
uint64_t rn_os_signals_take(void);

/* ---- reading and writing ------------------------------------------------------------------- */

/* recv(2), send(2), sendmsg(2): errno says why -1. */
struct msghdr;
ssize_t rn_os_recv(int fd, void *buf, size_t n, int flags);
ssize_t rn_os_send(int fd, const void *buf, size_t n, int flags);
ssize_t rn_os_sendmsg(int fd, const struct msghdr *m, int flags);
/* Sends bytes of a file to a socket or pipe, some of n at least if there are any; how many, 0 at the file's end. */
int64_t rn_os_sendfile(int to, int from, int64_t offset, size_t n);
/* write(2).  Neither raises SIGPIPE. */
int64_t rn_os_write_quiet(int to, const void *buf, size_t n);
/* For a library whose writes to a socket that the peer has closed raise SIGPIPE.  Between the two calls, on
 * one thread, this thread's SIGPIPE is held back, and then dropped.  release takes what hold returned; 0: does nothing. */
RN_INNER int rn_os_pipe_signal_hold(void);
RN_INNER void rn_os_pipe_signal_release(int held);

/* ---- last words -------------------------------------------------------------------------- */

/* write(2) to stderr, whole, async-signal-safe. */
void rn_os_write_stderr(const char *text, size_t n);
/* Ends the process at once, with no handlers run. */
_Noreturn void rn_os_exit(int status);
/* Installs handlers on an alternate stack: on_fault(address, ucontext, signo) for SIGSEGV, SIGBUS,
 * SIGFPE and SIGILL, on_quit(ucontext, signo) for SIGQUIT and SIGABRT; they return false to let the previous action have it.  A host
 * program's own handlers, installed before, are kept and called for what is not ours. */
int rn_os_faults_install(bool (*on_fault)(void *addr, void *uc, int signo), bool (*on_quit)(void *uc, int signo));
void rn_os_faults_uninstall(void);
/* While installed: whether nobody but us handles this fault signal, so that false from on_fault means the end. */
bool rn_os_fault_is_default(int signo);
/* Every thread that runs goroutines calls these around its life: the alternate signal stack. */
enum { RN_OS_ALTSTACK = 64 * 1024 }; /* bytes */
int rn_os_altstack_set(void);
void rn_os_altstack_drop(void);
/* Where this thread's begins, if it was made there; else 0. */
uintptr_t rn_os_altstack(void);

#endif
