/* What reports need of an operating system beyond os.h: the other threads held still, a copy of the
 * process to look through at leisure, and what is mapped where.
 *
 * One caller at a time.  While the world is stopped the caller must not allocate, lock or call what does:
 * a thread that was stopped may hold any lock, malloc's too.  The same holds in the copy, for ever. */
#ifndef RN_OS_WORLD_H
#define RN_OS_WORLD_H

#include "os/os.h"
#include <stdbool.h>

enum { RN_OS_REGS = 480 }; /* words: integer and vector registers of one thread */

/* A thread that was stopped, as it was then. */
struct rn_os_stopped {
    int tid;
    rn_atomic(uint32_t) state; /* world.c's */
    uintptr_t sp;
    uintptr_t tp;             /* the thread pointer: thread-local data is around it */
    uintptr_t alt_lo, alt_hi; /* the stack for signals, while it handles one there; else 0 */
    uintptr_t altstack;       /* rn_os_altstack() there */
    size_t n;                 /* words of regs in use */
    size_t kept;              /* so many of them come first, and may be those of who called what it is in */
    uintptr_t regs[RN_OS_REGS];
};

/* Stops every other thread of the process, those in system calls too (which go on afterwards; what is never
 * restarted, such as poll, returns EINTR).  Returns how many were stored; -ETIMEDOUT when one did not answer
 * within a second because it blocks all signals, or within ten for another reason, -ENOSPC when there are more than room; nothing is stopped then. */
int rn_os_world_stop(struct rn_os_stopped *threads, int room);
void rn_os_world_go(void);

/* Runs f(arg) in a copy of this process that has this thread alone, and lets the stopped world go on as soon as the
 * copy is made.  The copy's exit sends no signal and is not seen by wait().  0 when f returned true in it; -EIO when
 * not, -ETIMEDOUT when it took longer than limit.  What f stores in memory of rn_os_map_shared comes back. */
/* `touched`, if it is not NULL, is asked in the copy whether a fault at addr has been mended. */
int rn_os_snapshot(bool (*f)(void *arg), void *arg, bool (*touched)(void *addr), rn_duration limit);
void *rn_os_map_shared(size_t bytes);

/* Something mapped, readable and writable. */
struct rn_os_mapping {
    uintptr_t start, end;
    bool file; /* an object's data, or a mapped file */
    bool bss;  /* the zeroed rest of an object's data */
    bool shared;
    bool heap;    /* the program break */
    bool stack;   /* of the first thread */
    bool sealed;  /* may only be read: a program has filled it and then taken the right to write */
    bool guarded; /* right below is what nobody may touch: so begins a thread's stack */
};
/* Calls f for each, in order of address; 0 or a negative errno.  Allocates nothing. */
int rn_os_mappings(void (*f)(const struct rn_os_mapping *m, void *arg), void *arg);

/* Reads of memory that may not be there, in the copy only: f(from, to, arg) is called page by page, and a fault
 * skips the rest of the page.  Pages that were never written are left out. */
void rn_os_pages(uintptr_t start, uintptr_t end, void (*f)(uintptr_t from, uintptr_t to, void *arg), void *arg);
/* f(arg), or false when it faulted; in the copy only. */
bool rn_os_try(bool (*f)(void *arg), void *arg);

/* Calls f on some thread, in a signal handler, at each SIGUSR2, if nobody handles or ignores it. */
int rn_os_request_install(void (*f)(void));
void rn_os_request_uninstall(void);
/* Its bit, while its handler is ours. */
uint64_t rn_os_request_signal(void);

#endif
