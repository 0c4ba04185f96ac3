/* What the cache of compiled programs (cache.c) gives up, so that it stays bounded.
 *
 * Manifests and programs are entries; an entry's modification time is when it was last used.  Removed are entries that
 * were not used for a month, and, while all entries together take more than RUNNEL_CACHE_SIZE (else 2 GiB), those that
 * were used longest ago.  What was used within the last hour stays, however much it is: `runnel test` compiles
 * many programs before it runs the first.
 *
 * Several commands may work at the same time.  Who removes holds the lock on the file `lock` alone; who looks a program
 * up shares it until the entry is marked as used, so that nobody removes what another one has just found.  The same
 * file's modification time is that of the last tidying: one a minute is enough, and reading thousands of entries takes
 * longer than a start from the cache. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEEP_DAYS = 30, KEEP_USED_SECONDS = 3600, TIDY_SECONDS = 60 };
#define LIMIT_DEFAULT (2LL << 30)

struct entry {
    char *path;
    time_t used;
    long long size;
};
struct entries {
    struct entry *at;
    size_t n, room;
    long long size; /* of all of them */
};

int cache_lock(const char *cache, bool alone)
{
    int fd = open(text("%s/lock", cache), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0)
        flock(fd, alone ? LOCK_EX : LOCK_SH); /* a file system without locks: as well as it goes */
    return fd;
}

/* RUNNEL_CACHE_SIZE: bytes, with K, M or G. */
static long long limit(void)
{
    const char *s = getenv("RUNNEL_CACHE_SIZE");
    if (!s || !*s)
        return LIMIT_DEFAULT;
    char *end;
    unsigned long long n = strtoull(s, &end, 10);
    const char *units = "KMG", *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (!isdigit((unsigned char)*s) || end[unit ? 1 : 0] || n > (unsigned long long)INT64_MAX >> shift)
        die(STATUS_USAGE, "RUNNEL_CACHE_SIZE=%s: it wants a number of bytes, like 500M or 4G", s);
    return (long long)(n << shift);
}

/* Bytes on the disk of a file, or of a directory and the files in it. */
static long long size_of(const char *path, const struct stat *st)
{
    long long size = st->st_blocks * 512LL;
    DIR *d = S_ISDIR(st->st_mode) ? opendir(path) : NULL;
    if (!d)
        return size;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat inside;
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &inside, AT_SYMLINK_NOFOLLOW) == 0)
            size += inside.st_blocks * 512LL;
    }
    closedir(d);
    return size;
}

static void add(struct entries *all, const char *path, const struct stat *st)
{
    if (all->n == all->room) {
        all->room = all->room ? 2 * all->room : 256;
        all->at = realloc(all->at, all->room * sizeof *all->at);
        if (!all->at)
            die(STATUS_FAILED, "out of memory");
    }
    long long size = size_of(path, st);
    all->at[all->n++] = (struct entry){text("%s", path), st->st_mtim.tv_sec, size};
    all->size += size;
}

static void collect(struct entries *all, const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        char *path = text("%s/%s", dir, e->d_name);
        if (lstat(path, &st) == 0)
            add(all, path, &st);
        free(path);
    }
    closedir(d);
}

static int by_use(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->used > y->used) - (x->used < y->used);
}

/* Removes what was last used before `old`; and, until all take at most `most` bytes, before `recent`. */
static void shrink(struct entries *all, time_t old, time_t recent, long long most)
{
    if (all->n)
        qsort(all->at, all->n, sizeof *all->at, by_use);
    for (size_t i = 0; i < all->n; i++) {
        const struct entry *e = &all->at[i];
        if (e->used >= old && (all->size <= most || e->used >= recent))
            return;
        if (unlink(e->path) < 0)
            remove_tree(e->path);
        all->size -= e->size;
    }
}

void cache_tidy(const char *cache)
{
    struct entries kept = {0}, work = {0};
    struct stat st;
    time_t now = time(NULL);
    long long most = limit();
    int fd = cache_lock(cache, true);
    if (fd >= 0 && fstat(fd, &st) == 0 && llabs((long long)now - st.st_mtim.tv_sec) >= TIDY_SECONDS) {
        futimens(fd, NULL);
        collect(&kept, text("%s/manifests", cache), "");
        collect(&kept, text("%s/programs", cache), "");
        shrink(&kept, now - KEEP_DAYS * 86400, now - KEEP_USED_SECONDS, most);
        collect(&work, cache, "work-");
        shrink(&work, now - KEEP_USED_SECONDS, 0, INT64_MAX);
    }
    if (fd >= 0)
        close(fd);
}
