/* Locks copied or freed while in use: a panic in debug builds (RN_DEBUG). */
#include "sync_inside.h"

#ifdef RN_DEBUG
TEST(a_copied_mutex)
{
    rn_mutex a = RN_MUTEX_INIT;
    mutex_lock(&a);
    rn_mutex b = a;
    EXPECT_PANIC("sync: mutex was copied after its first use", mutex_unlock(&b));
    mutex_unlock(&a);
}

TEST(a_mutex_destroyed_while_locked_and_used_afterwards)
{
    rn_mutex a = RN_MUTEX_INIT;
    mutex_lock(&a);
    EXPECT_PANIC("sync: mutex destroyed while in use", mutex_destroy(&a));
    mutex_unlock(&a);
    mutex_destroy(&a);
    EXPECT_PANIC("sync: use of a destroyed mutex", mutex_lock(&a));
}

TEST(the_others)
{
    rn_rwmutex rw = RN_RWMUTEX_INIT;
    rwmutex_rlock(&rw);
    EXPECT_PANIC("sync: rwmutex destroyed while in use", rwmutex_destroy(&rw));
    rn_rwmutex rw2 = rw;
    EXPECT_PANIC("sync: rwmutex was copied after its first use", rwmutex_rlock(&rw2));

    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_add(&wg, 1);
    EXPECT_PANIC("sync: waitgroup destroyed while in use", wg_destroy(&wg));
    rn_waitgroup wg2 = wg;
    EXPECT_PANIC("sync: waitgroup was copied after its first use", wg_done(&wg2));

    rn_semaphore s = RN_SEMAPHORE_INIT(2);
    CHECK(sem_try_acquire(&s, 1));
    EXPECT_PANIC("sync: semaphore destroyed while in use", rn_sem_destroy(&s));
    rn_semaphore s2 = s;
    EXPECT_PANIC("sync: semaphore was copied after its first use", sem_release(&s2, 1));

    rn_cond c = RN_COND_INIT;
    cond_signal(&c);
    rn_cond c2 = c;
    EXPECT_PANIC("sync: cond was copied after its first use", cond_signal(&c2));
}
#endif

TEST(destroy_of_what_nobody_uses)
{
    rn_mutex m = RN_MUTEX_INIT;
    rn_rwmutex rw = RN_RWMUTEX_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_semaphore s = RN_SEMAPHORE_INIT(2);
    rn_cond c = RN_COND_INIT;
    mutex_destroy(&m);
    rwmutex_destroy(&rw);
    wg_destroy(&wg);
    rn_sem_destroy(&s);
    cond_destroy(&c);
}
