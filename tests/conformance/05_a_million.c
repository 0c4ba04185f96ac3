/* SEMANTICS 5: a million live goroutines work with the machine's default limits, at most 4.4 KiB
 * each before hibernation, page tables included. */
#include <runnel.h>
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long kib(const char *key)
{
    char line[256];
    long v = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            v = atol(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return v;
}

static rn_atomic_int64 woken;

static void waits(chan_recv_only(rn_unit) c)
{
    chan_recv(c);
    rn_atomic_add(&woken, 1);
}

TEST(a_million)
{
#ifdef RN_RACE
    enum { SMALL = 30000 }; /* the detector takes two mappings for each, of which the system allows 65530 */
#else
    enum { SMALL = 100000 };
#endif
    const char *full = getenv("RUNNEL_STRESS");
    long n = full && atol(full) > 0 ? 1000000 : SMALL;
    chan(rn_unit) c = chan_make(rn_unit, 0);
    long before = kib("VmRSS") + kib("VmPTE");
    for (long i = 0; i < n; i++)
        go(waits, c);
    rn_yield();
    while (kib("Threads") > 0 && rn_num_goroutines() < (size_t)n + 1)
        rn_yield();
    CHECK_EQ(rn_num_goroutines(), n + 1);
    double each = (double)(kib("VmRSS") + kib("VmPTE") - before) * 1024 / (double)n;
    printf("# %ld goroutines, %.0f bytes each\n", n, each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__has_feature)
    CHECK(each < 4.4 * 1024);
#endif
    chan_close(c);
    while (rn_atomic_load(&woken) < n)
        rn_yield();
    while (rn_num_goroutines() > 1)
        rn_yield();
    chan_free(c);
}
