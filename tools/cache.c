/* The cache of compiled programs, $XDG_CACHE_HOME/runnel (or ~/.cache/runnel, or /tmp/runnel-<uid>).
 *
 *     manifests/<key>     key: compiler, flags, library, directory, names of the sources.
 *                         First line: the program's directory and name; then one line per file that
 *                         the compiler read, headers included: hash of its contents, and path.
 *     programs/<hash>/    the executable
 *     work-<any>/          a compilation under way
 *
 * A manifest is good while every file in it has the contents that it had.  Everything appears by
 * rename, so that several commands may work at the same time, and an interrupted one leaves nothing
 * that is taken for whole.  What has to go is removed by the next compilation (tidy.c). */
#define _GNU_SOURCE 1
#include "tool.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool is_ours(const char *dir)
{
    struct stat st;
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
}

static bool usable(const char *dir)
{
    return make_dirs(text("%s/manifests", dir)) == 0 && make_dirs(text("%s/programs", dir)) == 0 &&
           access(dir, W_OK) == 0;
}

char *cache_dir(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *tmp = getenv("TMPDIR");
    char *dir = NULL;
    if (xdg && *xdg == '/')
        dir = text("%s/runnel", xdg);
    else if (home && *home == '/')
        dir = text("%s/.cache/runnel", home);
    if (dir && usable(dir))
        return dir;
    char *second = text("%s/runnel-%d", tmp && *tmp == '/' ? tmp : "/tmp", (int)geteuid());
    mkdir(second, 0700);
    if (is_ours(second) && usable(second))
        return second;
    die(STATUS_FAILED, "can't write to %s or %s: set XDG_CACHE_HOME to a directory that can be written",
        dir ? dir : "~", second);
}

/* All that decides what comes out, but for the contents of files. */
static void key_of(const struct toolchain *t, const struct program *p, char key[HASH_TEXT])
{
    static const char *const environment[] = {"CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "PATH"};
    const struct list *lists[] = {&t->cc, &t->cflags, &t->ldflags, &t->ldlibs, &p->sources, &p->library};
    char cwd[PATH_MAX], exe[PATH_MAX];
    struct hash h;
    hash_init(&h);
    hash_identity(&h, "/proc/self/exe"); /* whose built-in flags these are */
    hash_identity(&h, realpath(t->cc.at[0], exe) ? exe : t->cc.at[0]);
    if (t->linker)
        hash_identity(&h, t->linker);
    hash_identity(&h, t->library);
    hash_identity(&h, t->http);
    hash_text(&h, getcwd(cwd, sizeof cwd) ? cwd : "");
    hash_text(&h, p->name);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        hash_bytes(&h, &lists[i]->n, sizeof lists[i]->n);
        for (int k = 0; k < lists[i]->n; k++)
            hash_text(&h, lists[i]->at[k]);
    }
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++)
        hash_text(&h, getenv(environment[i]) ? getenv(environment[i]) : "");
    hash_show(&h, key);
}

static bool file_is(const char *path, const char *hash)
{
    struct hash h;
    char now[HASH_TEXT];
    hash_init(&h);
    if (!hash_file(&h, path))
        return false;
    hash_show(&h, now);
    return memcmp(now, hash, HASH_TEXT - 1) == 0;
}

/* The program that the manifest names, when all its files are as they were. */
static char *look_up(const char *cache, const char *manifest)
{
    char *at = read_file(manifest, NULL);
    char *line = at ? strsep(&at, "\n") : NULL;
    if (!line)
        return NULL;
    char *path = text("%s/programs/%s", cache, line);
    while ((line = strsep(&at, "\n")) && *line)
        if (strlen(line) < HASH_TEXT + 1 || !file_is(line + HASH_TEXT, line))
            return NULL;
    int lock = cache_lock(cache, false);
    bool there = access(path, X_OK) == 0;
    if (there) {
        utimensat(AT_FDCWD, manifest, NULL, 0);
        utimensat(AT_FDCWD, dir_name(path), NULL, 0);
    }
    if (lock >= 0)
        close(lock);
    return there ? path : NULL;
}

/* The manifest's lines; false when a file has changed since the compilation began. */
static bool describe(const struct list *deps, const struct timespec *began, FILE *to)
{
    for (int i = 0; i < deps->n; i++) {
        struct hash h;
        struct stat st;
        char shown[HASH_TEXT];
        hash_init(&h);
        if (stat(deps->at[i], &st) < 0 || !hash_file(&h, deps->at[i]))
            return false;
        if (st.st_mtim.tv_sec > began->tv_sec ||
            (st.st_mtim.tv_sec == began->tv_sec && st.st_mtim.tv_nsec > began->tv_nsec))
            return false;
        hash_show(&h, shown);
        fprintf(to, "%s %s\n", shown, deps->at[i]);
    }
    return true;
}

/* Moves the program into its place, writes the manifest, and returns the path. */
static char *store(const char *cache, const char *manifest, const char *key, const char *work, const struct program *p,
                   const struct list *deps, const struct timespec *began)
{
    char *lines, shown[HASH_TEXT];
    size_t size;
    FILE *to = open_memstream(&lines, &size);
    if (!to)
        die(STATUS_FAILED, "out of memory");
    bool whole = describe(deps, began, to);
    fclose(to);
    struct hash h;
    hash_init(&h);
    hash_text(&h, key);
    hash_bytes(&h, lines, size);
    if (!whole) /* the files change under us: this one is for now only */
        hash_bytes(&h, work, strlen(work));
    hash_show(&h, shown);
    char *place = text("%s/programs/%s", cache, shown);
    if (rename(text("%s/out", work), place) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        die(STATUS_FAILED, "%s: %s", place, strerror(errno));
    if (whole) {
        char *all = text("%s/%s\n%s", shown, p->name, lines);
        write_file(manifest, all, strlen(all), 0666);
    }
    return text("%s/%s", place, p->name);
}

static char *make(const struct toolchain *t, const struct program *p, const char *cache, const char *manifest,
                  const char *key)
{
    struct list deps = {0};
    struct timespec began;
    char *work = text("%s/work-XXXXXX", cache), *path = NULL;
    cache_tidy(cache);
    if (!mkdtemp(work))
        die(STATUS_FAILED, "%s: %s", cache, strerror(errno));
    clock_gettime(CLOCK_REALTIME, &began);
    hold_interrupts(true);
    if (compile(t, p, work, &deps))
        path = store(cache, manifest, key, work, p, &deps, &began);
    remove_tree(work);
    hold_interrupts(false);
    return path;
}

char *cached(const struct toolchain *t, const struct program *p)
{
    char key[HASH_TEXT];
    key_of(t, p, key);
    char *cache = cache_dir(), *manifest = text("%s/manifests/%s", cache, key);
    char *path = look_up(cache, manifest);
    return path ? path : make(t, p, cache, manifest, key);
}
