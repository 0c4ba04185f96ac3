/* runnel/sync.h: everything that goroutines can share without a channel; one header per type.
 *
 * All objects are valid when all-zero, lie in the program's memory, and must not be copied once
 * used.  Each blocking call has a _ctx form that a context ends.
 */
#ifndef RUNNEL_SYNC_H
#define RUNNEL_SYNC_H

#include <runnel/atomic.h>
#include <runnel/cond.h>
#include <runnel/flight.h>
#include <runnel/group.h>
#include <runnel/map.h>
#include <runnel/mutex.h>
#include <runnel/once.h>
#include <runnel/pool.h>
#include <runnel/rwmutex.h>
#include <runnel/semaphore.h>
#include <runnel/waitgroup.h>

#endif
