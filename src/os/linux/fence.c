/* Start-up of the port, and the heavy side of the asymmetric fence.
 *
 * With membarrier(PRIVATE_EXPEDITED) the kernel interrupts every processor that runs a thread of
 * this process, which costs the caller some microseconds and the others a few hundred nanoseconds;
 * the light side (rn_fence_light) is then a compiler barrier.  Where the kernel has none of it,
 * rn__fence_asymmetric stays false: the light side is a full fence, and the heavy side needs to be
 * one for its own thread only.  Under ThreadSanitizer it stays false as well, because TSan does not
 * see membarrier but does see the fences' stand-in.
 */
#define _GNU_SOURCE 1
#include "os/linux/internal.h"
#include "os/os.h"
#include <unistd.h>

enum { EXPEDITED = 1 << 3 }; /* linux/membarrier.h, MEMBARRIER_CMD_PRIVATE_… */

bool rn__fence_asymmetric;
size_t rn_os_page = 4096;
#if defined(RN_TSAN) || defined(RN_RACE) /* the library is not instrumented in a race build, but its users may be */
rn_atomic(uint32_t) rn__tsan_fence_word;
#endif

_Noreturn void rn__os_membarrier_lost(void)
{
    static const char text[] =
        "fatal error: membarrier is forbidden while it is in use, by a seccomp filter it seems: allow it\n";
    rn_os_write_stderr(text, sizeof text - 1);
    rn_os_exit(2);
}

static void init_once(void)
{
    rn_os_page = (size_t)sysconf(_SC_PAGESIZE);
#ifndef RN_TSAN
    rn__fence_asymmetric = rn__os_membarrier_begin(EXPEDITED);
#endif
    rn__os_section_init();
    rn__os_stack_init();
    rn__os_clock_init();
}

void rn_os_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

void rn_os_fence_heavy(void)
{
    if (!rn__fence_asymmetric) {
        /* pairs with the full fence that rn_fence_light is then. */
        rn_fence_seq_cst();
        return;
    }
    /* pairs with the compiler barrier of rn_fence_light: the kernel turns it into a full fence on
     * every thread. */
    rn__os_membarrier_sure(EXPEDITED);
}
