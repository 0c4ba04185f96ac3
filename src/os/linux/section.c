/* Restartable sections: rseq(2), which the C library registers each thread for (glibc 2.35), and the membarrier that makes
 * those begin again that are in one (Linux 5.10).
 *
 * There are none with other C libraries, where the library was told to leave rseq to the program
 * (GLIBC_TUNABLES=glibc.pthread.rseq=0), under valgrind and in qemu's user mode: then no thread has any.
 *
 * Not in builds for ThreadSanitizer, which would not see the order that these give.
 */
#define _GNU_SOURCE 1
#include "os/linux/internal.h"
#include "os/os.h"
#include <runnel/own.h>

enum { EXPEDITED = 1 << 7 }; /* linux/membarrier.h, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ */

/* The C library's: where a thread's record is from its thread pointer, and how long; 0: it has registered none. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

/* linux/rseq.h, as old headers lack it. */
struct record {
    uint32_t cpu_start;
    int32_t cpu; /* negative: this thread is not registered */
    void *section;
};

static bool restarts; /* written before there are workers, and the next too */
ptrdiff_t rn__section_at;

/* Not when a section is wanted for the first time: the kernel may need 10 ms for this once there are threads. */
void rn__os_section_init(void)
{
#ifndef RN_TSAN
    restarts = &__rseq_size && &__rseq_offset && __rseq_size && rn__os_membarrier_begin(EXPEDITED);
    if (restarts)
        rn__section_at = __rseq_offset + (ptrdiff_t)offsetof(struct record, section);
#endif
}

bool rn_os_has_sections(void)
{
    if (!restarts)
        return false;
    const struct record *r = (const struct record *)((char *)__builtin_thread_pointer() + __rseq_offset);
    return r->cpu >= 0;
}

void rn_os_fence_restart(void)
{
    /* pairs with the sections of runnel/own.h: the kernel restarts each that is under way, and executes a full fence on
     * its thread.  Without it two might hold what one owns. */
    rn__os_membarrier_sure(EXPEDITED);
}
