/* For tests that see to it that nothing is left: no descriptor, no goroutine. */
#ifndef TESTS_QUIET_H
#define TESTS_QUIET_H

#include <dirent.h>
#include <runnel.h>
#include <runnel/test.h>
#include <string.h>
#include <unistd.h>

/* But for those of /proc, of which the runtime itself may have one open for a moment, and that by which it puts goroutines
 * away, which comes when there are many, and stays. */
static inline int open_descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    REQUIRE(d != NULL);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char to[64] = "";
        ssize_t length = readlinkat(dirfd(d), e->d_name, to, sizeof to - 1);
        n += length >= 0 && strcmp(to, "anon_inode:[userfaultfd]") != 0 && strncmp(to, "/proc/", 6) != 0;
    }
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
