/* System calls that a filter forbids: what can't be done without is named, and ends the program. */
#define _GNU_SOURCE 1
#include "../emulated.h"
#include "base/sanitizers.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <runnel.h>
#include <runnel/test.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RN_TSAN /* which uses no membarrier */
/* For all threads of this process, from now on; false: it has no such filters. */
static bool forbid(unsigned call)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof code[0], code};
    return !emulated() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

/* A program that locks itself in when it has begun.  (It was ended by SIGABRT, without a word.) */
TEST_DIES(membarrier_is_forbidden_when_it_is_in_use, 2, "fatal error: membarrier")
{
    if (!forbid(SYS_membarrier))
        rn_test_skip("no such filters here");
    rn_sleep(RN_MILLISECOND); /* whoever goes to sleep needs it */
}
#endif
