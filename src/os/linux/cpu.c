/* How many processors this process may use, and how much memory: the affinity mask and what the machine has, bounded
 * by the quotas of its cgroups.
 *
 * A quota on any group above counts too, so the walk goes from the process's own group up to the
 * root of the mount.  In a container the path in /proc/self/cgroup may name groups that the mount
 * does not show; then only the mount's top is read.
 */
#define _GNU_SOURCE 1
#include "os/linux/internal.h"
#include "os/os.h"
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 1024 }; /* bytes of a path that are looked at; a longer one finds no files */

/* Where one hierarchy is mounted, and our group in it. */
struct hierarchy {
    char group[LONGEST]; /* from /proc/self/cgroup */
    char shown[LONGEST]; /* the group that the mount shows as its top */
    char mount[LONGEST];
    bool found, v1;
    const char *controller; /* of version 1 */
};

/* Is `name` one of the words of the comma-separated list? */
static bool in_list(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == 0))
            return true;
    return false;
}

/* Copies a path of mountinfo, in which blanks are written \040. */
static void copy_unescaped(char *to, size_t size, const char *from)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++) {
        unsigned code;
        if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
            to[n++] = (char)code;
            from += 3;
        } else {
            to[n++] = *from;
        }
    }
    to[n] = 0;
}

/* ---- the group --------------------------------------------------------------------------- */

/* A line of /proc/self/cgroup: "0::/a/b" (version 2) or "4:cpu,cpuacct:/a/b". */
static void read_group_line(char *line, struct hierarchy *v1, struct hierarchy *v2)
{
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return;
    *path++ = 0;
    controllers++;
    if (*controllers == 0)
        snprintf(v2->group, sizeof v2->group, "%s", path);
    else if (in_list(controllers, v1->controller))
        snprintf(v1->group, sizeof v1->group, "%s", path);
}

/* A line of mountinfo: "id parent dev root mountpoint options … - type source superoptions". */
static void read_mount_line(char *line, struct hierarchy *v1, struct hierarchy *v2)
{
    char root[LONGEST], mount[LONGEST], type[32], options[1024];
    char *second = strstr(line, " - ");
    if (!second || sscanf(second, " - %31s %*s %1023s", type, options) != 2)
        return;
    struct hierarchy *h = strcmp(type, "cgroup2") == 0 ? v2 : strcmp(type, "cgroup") == 0 ? v1 : NULL;
    if (!h || h->found || (h == v1 && !in_list(options, v1->controller)))
        return;
    if (sscanf(line, "%*s %*s %*s %1023s %1023s", root, mount) != 2)
        return;
    copy_unescaped(h->shown, sizeof h->shown, root);
    copy_unescaped(h->mount, sizeof h->mount, mount);
    h->found = true;
}

static void each_line(const char *root, const char *path, void (*f)(char *, struct hierarchy *, struct hierarchy *),
                      struct hierarchy *v1, struct hierarchy *v2)
{
    char full[2 * LONGEST];
    snprintf(full, sizeof full, "%s%s", root, path);
    FILE *file = fopen(full, "re");
    if (!file)
        return;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0)
        f(line, v1, v2);
    free(line);
    fclose(file);
}

/* ---- the quotas -------------------------------------------------------------------------- */

/* The first words of a file, or false. */
static bool read_words(const char *dir, const char *name, char *text, int size)
{
    char path[4 * LONGEST + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool ok = fgets(text, size, file) != NULL;
    fclose(file);
    return ok;
}

/* Processors that the quota of this one directory allows, rounded up; INT_MAX when it has none. */
static int64_t processors_of(const char *dir, bool v1)
{
    long long quota = 0, period = 0;
    char text[64];
    if (v1) {
        if (read_words(dir, "cpu.cfs_quota_us", text, sizeof text))
            quota = atoll(text);
        if (read_words(dir, "cpu.cfs_period_us", text, sizeof text))
            period = atoll(text);
    } else if (read_words(dir, "cpu.max", text, sizeof text)) {
        if (sscanf(text, "%lld %lld", &quota, &period) != 2) /* "max 100000" */
            return INT_MAX;
    }
    if (quota <= 0 || period <= 0 || quota / period >= INT_MAX)
        return INT_MAX;
    return quota / period + (quota % period != 0);
}

/* Bytes that this one directory allows; INT64_MAX when it says nothing. */
static int64_t memory_of(const char *dir, bool v1)
{
    char text[64];
    long long most;
    if (!read_words(dir, v1 ? "memory.limit_in_bytes" : "memory.max", text, sizeof text) ||
        sscanf(text, "%lld", &most) != 1 || most <= 0) /* "max" */
        return INT64_MAX;
    return most;
}

/* The part of the group's path below what the mount shows: "" when it is the top, or the mount does not show it. */
static const char *below(const struct hierarchy *h)
{
    size_t n = strcmp(h->shown, "/") == 0 ? 0 : strlen(h->shown);
    if (strstr(h->group, "/..") || strncmp(h->group, h->shown, n) != 0 || h->group[n] != '/')
        return "";
    return h->group[n + 1] ? h->group + n : "";
}

static int64_t limit_by(const char *root, const struct hierarchy *h, int64_t (*limit_of)(const char *, bool),
                        int64_t limit)
{
    char dir[4 * LONGEST];
    if (!h->found)
        return limit;
    int top = snprintf(dir, sizeof dir, "%s%s", root, h->mount);
    snprintf(dir + top, sizeof dir - (size_t)top, "%s", below(h));
    for (;;) {
        int64_t here = limit_of(dir, h->v1);
        if (here < limit)
            limit = here;
        char *slash = strrchr(dir + top, '/');
        if (!slash)
            return limit;
        *slash = 0;
    }
}

static int64_t least_limit(const char *root, const char *controller, int64_t (*limit_of)(const char *, bool),
                           int64_t limit)
{
    struct hierarchy v1 = {.v1 = true, .controller = controller}, v2 = {.v1 = false};
    each_line(root, "/proc/self/cgroup", read_group_line, &v1, &v2);
    each_line(root, "/proc/self/mountinfo", read_mount_line, &v1, &v2);
    limit = limit_by(root, &v2, limit_of, limit_by(root, &v1, limit_of, limit));
    return limit > 1 ? limit : 1;
}

int rn__os_cgroup_processors(const char *root, int limit)
{
    return (int)least_limit(root, "cpu", processors_of, limit);
}

int64_t rn__os_cgroup_memory(const char *root, int64_t limit)
{
    return least_limit(root, "memory", memory_of, limit);
}

int64_t rn_os_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    return rn__os_cgroup_memory("", pages > 0 ? (int64_t)pages * (int64_t)rn_os_page : INT64_MAX);
}

/* ---- affinity ---------------------------------------------------------------------------- */

static int affinity(void)
{
    enum { MOST = 1 << 20 };
    for (int n = 1024; n <= MOST; n *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)n);
        if (!set)
            return 1;
        int err = sched_getaffinity(0, CPU_ALLOC_SIZE((size_t)n), set) ? errno : 0;
        int count = err ? 1 : CPU_COUNT_S(CPU_ALLOC_SIZE((size_t)n), set);
        CPU_FREE(set);
        if (err != EINVAL) /* EINVAL: the machine has more processors than the set */
            return count;
    }
    return 1;
}

int rn_os_processors(void)
{
    return rn__os_cgroup_processors("", affinity());
}
