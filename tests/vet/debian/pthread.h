/* For run.sh: programs that are written for POSIX threads, read as if they were written for runnel, so that the
 * rules have real code to look at. */
#ifndef VET_PTHREAD_H
#define VET_PTHREAD_H
#define RN_NO_SHORT_NAMES
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <pthread.h>
#include <runnel.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>

#undef PTHREAD_MUTEX_INITIALIZER
#undef PTHREAD_COND_INITIALIZER
#undef PTHREAD_RWLOCK_INITIALIZER
#define PTHREAD_MUTEX_INITIALIZER \
    {                             \
        0                         \
    }
#define PTHREAD_COND_INITIALIZER \
    {                            \
        0                        \
    }
#define PTHREAD_RWLOCK_INITIALIZER \
    {                              \
        0                          \
    }
#define pthread_mutex_t rn_mutex
#define pthread_cond_t rn_cond
#define pthread_rwlock_t rn_rwmutex
#define pthread_mutex_init(m, a) ((void)(m), (void)(a), 0)
#define pthread_mutex_destroy(m) (rn_mutex_destroy(m), 0)
#define pthread_mutex_lock(m) (rn_mutex_lock(m), 0)
#define pthread_mutex_trylock(m) (rn_mutex_try_lock(m) ? 0 : EBUSY)
#define pthread_mutex_unlock(m) (rn_mutex_unlock(m), 0)
#define pthread_cond_init(c, a) ((void)(c), (void)(a), 0)
#define pthread_cond_destroy(c) (rn_cond_destroy(c), 0)
#define pthread_cond_wait(c, m) (rn_cond_wait((c), (m)), 0)
#define pthread_cond_timedwait(c, m, t) ((void)(t), rn_cond_wait((c), (m)), 0)
#define pthread_cond_signal(c) (rn_cond_signal(c), 0)
#define pthread_cond_broadcast(c) (rn_cond_broadcast(c), 0)
#define pthread_rwlock_init(m, a) ((void)(m), (void)(a), 0)
#define pthread_rwlock_destroy(m) (rn_rwmutex_destroy(m), 0)
#define pthread_rwlock_rdlock(m) (rn_rwmutex_rlock(m), 0)
#define pthread_rwlock_wrlock(m) (rn_rwmutex_lock(m), 0)
#define pthread_rwlock_tryrdlock(m) (rn_rwmutex_try_rlock(m) ? 0 : EBUSY)
#define pthread_rwlock_trywrlock(m) (rn_rwmutex_try_lock(m) ? 0 : EBUSY)
#define pthread_rwlock_unlock(m) (rn_rwmutex_unlock(m), 0)
#define pthread_create(t, a, f, p) ((void)(t), (void)(a), rn_go_with((.stack = 8 << 20), f, p))

#endif
