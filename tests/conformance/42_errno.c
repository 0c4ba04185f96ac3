/* SEMANTICS 42: errno, read directly after the call that set it, is that call's: also in a function that waited
 * before, on another thread. */
#include <errno.h>
#include <runnel.h>
#include <runnel/test.h>
#include <fcntl.h>
#include <unistd.h>

static rn_atomic_int64 wrong;

/* (Straight on: it is here that compilers take the address of the first errno for that of the second.) */
static void fails_twice(int want)
{
    (void)close(-1);
    int first = errno;
    rn_sleep(20 * RN_MICROSECOND);
    (void)(want == EBADF ? close(-1) : open("/nowhere", O_RDONLY));
    int second = errno;
    if (first != EBADF || second != want)
        rn_atomic_add(&wrong, 1);
}

static void fails_often(int want, rn_waitgroup *wg)
{
    for (int i = 0; i < 2000; i++)
        fails_twice(want);
    wg_done(wg);
}

TEST(errno_is_that_of_the_last_call)
{
    rn_set_procs(4);
    rn_waitgroup wg = {0};
    wg_add(&wg, 16);
    for (int i = 0; i < 8; i++) {
        go(fails_often, EBADF, &wg);
        go(fails_often, ENOENT, &wg);
    }
    wg_wait(&wg);
    CHECK_EQ(rn_atomic_load(&wrong), 0);
}

TEST(errno_can_be_set)
{
    errno = ERANGE;
    int *e = &errno;
    CHECK_EQ(*e, ERANGE);
    *e = 0;
    CHECK_EQ(errno, 0);
}
