/* For the library's own mutexes: what a function named _locked says first.  See os/lock.h for those that are no rn_mutex. */
#ifndef RN_SYNC_MUTEX_H
#define RN_SYNC_MUTEX_H

#include "base/inner.h"
#include <runnel/mutex.h>

#if defined(RN_DEBUG) && !defined(RN_MODEL)
/* Somebody holds m: whom it belongs to a mutex does not know. */
RN_INNER void rn__mutex_assert_held(rn_mutex *m);
#else
#define rn__mutex_assert_held(m) ((void)(m))
#endif

#endif
