/* For tests of what qemu's user mode does not do: it plays vfork by fork, so that a failed exec is not seen by the
 * parent; it keeps a few signals for itself; its own threads and heap are part of every snapshot. */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <runnel/test.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The kernel knows an emulated process by the emulator's name. */
static inline bool emulated(void)
{
    char name[6] = "";
    FILE *f = fopen("/proc/self/comm", "re");
    if (!f)
        return false;
    size_t n = fread(name, 1, 5, f);
    fclose(f);
    return n == 5 && strcmp(name, "qemu-") == 0;
}

static inline void skip_when_emulated(void)
{
    if (emulated())
        rn_test_skip("not under qemu");
}

#endif
