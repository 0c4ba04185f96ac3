/* Processors and memory: sample trees of cgroup files, and the affinity mask. */
#define _GNU_SOURCE 1
#include "os/linux/internal.h"
#include "os/os.h"
#include <ftw.h>
#include <limits.h>
#include <runnel/test.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[64];

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s, (void)type, (void)f;
    return remove(path);
}

static void remove_tree(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void new_tree(void)
{
    snprintf(root, sizeof root, "/tmp/runnel-cgroup-XXXXXX");
    REQUIRE(mkdtemp(root) != NULL);
}

/* Writes a file of the tree, and the directories above it. */
static void file(const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *f = fopen(full, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* What `limit` processors are cut down to, after which the tree is gone. */
static int cut_to(int limit)
{
    int n = rn__os_cgroup_processors(root, limit);
    remove_tree();
    return n;
}

#define V2_MOUNT "30 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

TEST_PLAIN(without_files_there_is_no_limit)
{
    new_tree();
    CHECK_EQ(cut_to(64), 64);
}

TEST_PLAIN(version_2_takes_the_least_up_the_tree_rounded_up)
{
    new_tree();
    file("/proc/self/cgroup", "0::/user.slice/a/b\n");
    file("/proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n" V2_MOUNT);
    file("/sys/fs/cgroup/user.slice/a/b/cpu.max", "max 100000\n");
    file("/sys/fs/cgroup/user.slice/a/cpu.max", "250000 100000\n");
    file("/sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n");
    CHECK_EQ(cut_to(64), 3);
}

TEST_PLAIN(a_quota_above_the_limit_does_not_raise_it)
{
    new_tree();
    file("/proc/self/cgroup", "0::/a\n");
    file("/proc/self/mountinfo", V2_MOUNT);
    file("/sys/fs/cgroup/a/cpu.max", "1600000 100000\n");
    CHECK_EQ(cut_to(4), 4);
}

TEST_PLAIN(a_tiny_quota_is_one_processor)
{
    new_tree();
    file("/proc/self/cgroup", "0::/a\n");
    file("/proc/self/mountinfo", V2_MOUNT);
    file("/sys/fs/cgroup/a/cpu.max", "1000 100000\n");
    CHECK_EQ(cut_to(4), 1);
}

TEST_PLAIN(in_a_container_the_mounts_top_counts)
{
    new_tree();
    file("/proc/self/cgroup", "0::/\n");
    file("/proc/self/mountinfo", V2_MOUNT);
    file("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    CHECK_EQ(cut_to(64), 2);
}

static int64_t memory_cut_to(int64_t limit)
{
    int64_t n = rn__os_cgroup_memory(root, limit);
    remove_tree();
    return n;
}

TEST_PLAIN(memory_of_version_2_takes_the_least_up_the_tree)
{
    new_tree();
    file("/proc/self/cgroup", "0::/user.slice/a/b\n");
    file("/proc/self/mountinfo", V2_MOUNT);
    file("/sys/fs/cgroup/user.slice/a/b/memory.max", "max\n");
    file("/sys/fs/cgroup/user.slice/a/memory.max", "6000000000\n");
    file("/sys/fs/cgroup/user.slice/memory.max", "8000000000\n");
    CHECK_EQ(memory_cut_to(16000000000), 6000000000);
}

TEST_PLAIN(memory_of_version_1)
{
    new_tree();
    file("/proc/self/cgroup", "4:memory:/a\n1:cpu:/b\n");
    file("/proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "500000000\n");
    file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK_EQ(memory_cut_to(16000000000), 500000000);
    new_tree();
    CHECK_EQ(memory_cut_to(16000000000), 16000000000);
    CHECK(rn_os_memory() > 0);
}

TEST_PLAIN(a_mount_of_a_part_of_the_tree)
{
    new_tree();
    file("/proc/self/cgroup", "0::/docker/abc/inner\n");
    file("/proc/self/mountinfo", "30 20 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    file("/sys/fs/cgroup/inner/cpu.max", "500000 100000\n");
    file("/sys/fs/cgroup/cpu.max", "600000 100000\n");
    CHECK_EQ(cut_to(64), 5);
}

TEST_PLAIN(a_group_that_the_mount_does_not_show)
{
    new_tree();
    file("/proc/self/cgroup", "0::/../other\n");
    file("/proc/self/mountinfo", V2_MOUNT);
    file("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    CHECK_EQ(cut_to(64), 2);
    new_tree();
    file("/proc/self/cgroup", "0::/docker/abcdef\n");
    file("/proc/self/mountinfo", "30 20 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    file("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    file("/sys/fs/cgroup/def/cpu.max", "100000 100000\n");
    CHECK_EQ(cut_to(64), 2);
}

TEST_PLAIN(version_1_and_a_mount_point_with_a_blank)
{
    new_tree();
    file("/proc/self/cgroup", "12:cpuset:/x\n4:cpu,cpuacct:/a\n1:name=systemd:/y\n0::/z\n");
    file("/proc/self/mountinfo", "31 20 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
                                 "32 20 0:28 / /sys/fs/my\\040cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n");
    file("/sys/fs/my cpu/a/cpu.cfs_quota_us", "350000\n");
    file("/sys/fs/my cpu/a/cpu.cfs_period_us", "100000\n");
    file("/sys/fs/my cpu/cpu.cfs_quota_us", "-1\n");
    file("/sys/fs/my cpu/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(cut_to(64), 4);
}

TEST_PLAIN(nonsense_in_the_files_is_no_limit)
{
    new_tree();
    file("/proc/self/cgroup", "\n::\n0\n0:\n0::/a\nrubbish");
    file("/proc/self/mountinfo", "\n - \n - cgroup2\n" V2_MOUNT " - cgroup2 x y\n");
    file("/sys/fs/cgroup/a/cpu.max", "-5 0\n");
    file("/sys/fs/cgroup/cpu.max", "");
    CHECK_EQ(cut_to(8), 8);
    new_tree();
    file("/proc/self/cgroup", "0::/a\n");
    file("/proc/self/mountinfo", V2_MOUNT);
    file("/sys/fs/cgroup/a/cpu.max", "99999999999999 1\n");
    CHECK_EQ(cut_to(8), 8);
}

TEST_PLAIN(the_affinity_mask_counts)
{
    cpu_set_t all, one;
    rn_os_init();
    int before = rn_os_processors();
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    CHECK(before >= 1 && before <= CPU_COUNT(&all));
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK_EQ(rn_os_processors(), 1);
    sched_setaffinity(0, sizeof all, &all);
    CHECK_EQ(rn_os_processors(), before);
}
