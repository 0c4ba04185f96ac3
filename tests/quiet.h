/* For tests that see to it that nothing is left: no descriptor, no goroutine. */
#ifndef TESTS_QUIET_H
#define TESTS_QUIET_H

#include <dirent.h>
#include <runnel.h>
#include <runnel/test.h>

/* The runtime itself may have one of /proc open for a moment: more than there are, never less. */
static inline int open_descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    REQUIRE(d != NULL);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* What disposes of a call or a process ends a moment after those who waited for it. */
static inline void await_quiet(void)
{
    while (rn_num_goroutines() > 1)
        rn_sleep(RN_MILLISECOND);
}

#endif
