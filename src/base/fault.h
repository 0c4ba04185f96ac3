/* Fault injection: in builds with RN_FAULT every request for memory, address space or a thread
 * asks rn__fault_hit first, which counts it and tells the chosen one to fail.
 *
 * The environment variable RUNNEL_FAULT_NTH arms it from the start: "7" makes the seventh request
 * fail, "7+" the seventh and all after it.  Tests arm it with rn__fault_arm.  In other builds the
 * hook is the constant false and the compiler drops it.
 */
#ifndef RN_BASE_FAULT_H
#define RN_BASE_FAULT_H

#include "base/inner.h"
#include <stdbool.h>
#include <stdint.h>

#ifdef RN_FAULT
/* Counts one request; true when it must fail.  Any thread.  (Exported for the HTTP library.) */
__attribute__((visibility("default"))) bool rn__fault_hit(void);
/* Forgets the count and makes the nth request from now on fail, and with `onwards` all after it as
 * well; nth 0: none. */
void rn__fault_arm(uint64_t nth, bool onwards);
/* Requests since the last rn__fault_arm. */
uint64_t rn__fault_count(void);
#else
static inline bool rn__fault_hit(void)
{
    return false;
}
#endif

#endif
