/* Pitfall: two goroutines take two locks in opposite orders; each holds what the other waits for. */
#include <runnel.h>

static void take_both(rn_mutex *first, rn_mutex *second, rn_waitgroup *have_one)
{
    mutex_lock(first);
    wg_done(have_one);
    wg_wait(have_one); /* now each has one */
    mutex_lock(second);
    mutex_unlock(second);
    mutex_unlock(first);
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_mutex a = RN_MUTEX_INIT, b = RN_MUTEX_INIT;
    rn_waitgroup have_one = RN_WAITGROUP_INIT, wg = RN_WAITGROUP_INIT;
    wg_add(&have_one, 2);
    wg_go(&wg, take_both, &a, &b, &have_one);
    wg_go(&wg, take_both, &b, &a, &have_one);
    wg_wait(&wg);
    return 0;
}
