/* What the Linux port's files share with each other and with their tests. */
#ifndef RN_OS_LINUX_INTERNAL_H
#define RN_OS_LINUX_INTERNAL_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A function of libc's, past the race detector's of that name.  What it does about a call is not always wanted, and it writes each one
 * down: for that a thread has a megabyte, and then it takes what goroutines that have ended have left, whose races it can't report
 * any more. */
#ifdef RN_RACE
#include <dlfcn.h>
#define RN__OS_LIBC(f)                                                                        \
    __extension__({                                                                           \
        static rn_atomic(__typeof__(&f)) real_;                                               \
        __typeof__(&f) known_ = rn_load_relaxed(&real_); /* relaxed, both: always the same */ \
        if (!known_) {                                                                        \
            void *found_ = dlsym(RTLD_NEXT, #f);                                              \
            known_ = found_ ? (__typeof__(&f))found_ : &f;                                    \
            rn_store_relaxed(&real_, known_);                                                 \
        }                                                                                     \
        known_;                                                                               \
    })
#else
#define RN__OS_LIBC(f) (f)
#endif

/* A function that may be called while this thread is in the middle of ThreadSanitizer's runtime. */
#define NOT_WATCHED __attribute__((no_sanitize("thread")))

/* open for reading, read and close, past libc: while threads are stopped, what a sanitizer's runtime does in libc's
 * functions may wait for one of them. */
static inline int rn__os_open(int dir, const char *path)
{
    return (int)syscall(SYS_openat, dir, path, O_RDONLY | O_CLOEXEC);
}

static inline ssize_t rn__os_read(int fd, void *bytes, size_t n)
{
    return syscall(SYS_read, fd, bytes, n);
}

static inline void rn__os_close(int fd)
{
    syscall(SYS_close, fd);
}

void __asan_init(void) __attribute__((weak));
void __msan_init(void) __attribute__((weak));
void __tsan_init(void) __attribute__((weak));
/* Whether a sanitizer's runtime is in the program, which has functions of its own in place of libc's: they look at the
 * caller's buffer. */
static inline bool rn__os_is_watched(void)
{
    return __asan_init || __msan_init || __tsan_init;
}

/* A signal without one does what its value says, whatever the flags beside it: the kernel lets SA_SIGINFO stand there. */
static inline bool rn__os_has_handler(const struct sigaction *a)
{
    return a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN;
}

struct epoll_event;
/* epoll_wait(2); direct.c. */
int rn__os_epoll_wait(int fd, struct epoll_event *events, int most, int ms);

/* membarrier(2) by a command MEMBARRIER_CMD_PRIVATE_EXPEDITED…, for which a process registers by the bit above. */
static inline bool rn__os_membarrier(int expedited)
{
    return syscall(SYS_membarrier, expedited, 0, 0) == 0;
}

/* Registers; false: the kernel has no such command. */
static inline bool rn__os_membarrier_begin(int expedited)
{
    return rn__os_membarrier(expedited << 1) && rn__os_membarrier(expedited);
}

/* Ends the program, and says that membarrier can't be had any more; fence.c. */
_Noreturn void rn__os_membarrier_lost(void);

/* Must succeed after begin has: a process that was forked registers anew.  To go on without it would corrupt what it guards. */
static inline void rn__os_membarrier_sure(int expedited)
{
    if (!rn__os_membarrier(expedited) && !rn__os_membarrier_begin(expedited))
        rn__os_membarrier_lost();
}

/* By rn_os_init: whether the processor's counter may stand in for the clock; see clock.c. */
void rn__os_clock_init(void);
/* The same: registers for the membarrier that restarts sections; section.c. */
void rn__os_section_init(void);
/* The same: whether code may run on stacks, as the headers of the program and its libraries say; it is so for threads' then. */
void rn__os_stack_init(void);
extern int rn__os_stack_access; /* PROT_… of stacks */

/* How many processors the cgroups of this process allow: `limit`, or fewer when a quota on the way
 * from its group up to the mount says so; at least 1.  `root` is put before every path that is
 * read: "" for the real system, a directory with a sample tree in tests. */
int rn__os_cgroup_processors(const char *root, int limit);
/* The same for bytes of memory. */
int64_t rn__os_cgroup_memory(const char *root, int64_t limit);

/* rn_os_poll_wake for signal handlers: false when the poller has been closed, as a child may that was forked and is about to
 * exec; that must not end it. */
bool rn__os_poll_try_wake(void);
/* For tests: as if the kernel had no pidfds. */
extern bool rn__os_no_pidfd;
/* For tests: as if userfaultfd were forbidden. */
extern bool rn__os_no_userfaultfd;

/* Whether this is the handler for faults and SIGQUIT of fault.c. */
bool rn__os_is_fault_handler(const struct sigaction *a);
/* Whether it is installed now, for SIGSEGV and for SIGBUS. */
bool rn__os_faults_are_ours(void);
/* Whether some thread of this process that runs the program's code blocks the signal just now. */
bool rn__os_any_thread_blocks(int signo);
/* Whether this is the handler for SIGUSR2 of world.c. */
bool rn__os_is_request_handler(const struct sigaction *a);
/* Is the thread of this directory entry of /proc/self/task (open as dir) one that runs the program's code?  The
 * kernel's workers and a sanitizer's thread are not.  Allocates nothing. */
bool rn__os_thread_matters(int dir, const char *tid);

#endif
