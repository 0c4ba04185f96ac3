/* Messages, strings, lists, files. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void vsay(const char *format, va_list args)
{
    char line[2048];
    int n = snprintf(line, sizeof line, "runnel: ");
    vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    fflush(stdout);
    fprintf(stderr, "%s\n", line);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsay(format, args);
    va_end(args);
}

void die(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsay(format, args);
    va_end(args);
    exit(status);
}

char *text(const char *format, ...)
{
    char *s;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&s, format, args);
    va_end(args);
    if (n < 0)
        die(STATUS_FAILED, "out of memory");
    return s;
}

bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

void list_add(struct list *l, const char *s)
{
    if (l->n + 2 > l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->at = realloc(l->at, (size_t)l->room * sizeof *l->at);
        if (!l->at)
            die(STATUS_FAILED, "out of memory");
    }
    l->at[l->n++] = text("%s", s);
    l->at[l->n] = NULL;
}

void list_add_all(struct list *l, const struct list *from)
{
    for (int i = 0; i < from->n; i++)
        list_add(l, from->at[i]);
}

void list_add_words(struct list *l, const char *s)
{
    char *word = text("%s", s), quote = 0;
    size_t n = 0;
    bool in_word = false;
    for (; *s; s++) {
        if (quote ? *s == quote : *s == '\'' || *s == '"') {
            quote = quote ? 0 : *s;
            in_word = true;
        } else if (!quote && isspace((unsigned char)*s)) {
            if (in_word) {
                word[n] = 0;
                list_add(l, word);
            }
            n = 0;
            in_word = false;
        } else {
            word[n++] = *s;
            in_word = true;
        }
    }
    word[n] = 0;
    if (in_word)
        list_add(l, word);
    free(word);
}

static char *read_open(int fd, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return NULL;
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return NULL;
    }
    size_t room = (size_t)st.st_size + 1, n = 0;
    char *bytes = malloc(room);
    ssize_t got = 0;
    while (bytes && (got = read(fd, bytes + n, room - n)) > 0) {
        n += (size_t)got;
        if (n == room)
            bytes = realloc(bytes, room *= 2);
    }
    if (!bytes || got < 0) {
        free(bytes);
        return NULL;
    }
    bytes[n] = 0;
    if (size)
        *size = n;
    return bytes;
}

char *read_file(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *bytes = read_open(fd, size);
    int err = errno;
    close(fd);
    errno = err;
    return bytes;
}

int write_file(const char *path, const void *bytes, size_t n, mode_t mode)
{
    char *temporary = text("%s.%d.tmp", path, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return -1;
    const char *at = bytes;
    ssize_t wrote = 0;
    while (n > 0 && (wrote = write(fd, at, n)) > 0) {
        at += wrote;
        n -= (size_t)wrote;
    }
    int failed = n > 0 || close(fd) < 0 || rename(temporary, path) < 0;
    int err = errno;
    if (failed)
        unlink(temporary);
    free(temporary);
    errno = err;
    return failed ? -1 : 0;
}

int make_dirs(const char *path)
{
    char *p = text("%s", path);
    for (char *slash = p; (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        mkdir(p, 0777);
        *slash = '/';
    }
    int failed = mkdir(p, 0777) < 0 && errno != EEXIST;
    free(p);
    return failed ? -1 : 0;
}

void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    if (dir) {
        for (struct dirent *e; (e = readdir(dir));) {
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            char *inside = text("%s/%s", path, e->d_name);
            if (unlink(inside) < 0)
                remove_tree(inside);
            free(inside);
        }
        closedir(dir);
    }
    rmdir(path);
}

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *dir_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return text(".");
    return slash == path ? text("/") : text("%.*s", (int)(slash - path), path);
}

char *absolute(const char *path)
{
    char cwd[PATH_MAX];
    if (*path == '/' || !getcwd(cwd, sizeof cwd))
        return text("%s", path);
    return text("%s/%s", cwd, path);
}

char *find_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? text("%s", name) : NULL;
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
        size_t n = strcspn(at, ":");
        char *candidate = n ? text("%.*s/%s", (int)n, at, name) : text("./%s", name);
        struct stat st;
        if (access(candidate, X_OK) == 0 && stat(candidate, &st) == 0 && S_ISREG(st.st_mode))
            return candidate;
        free(candidate);
        at += n + (at[n] == ':');
    }
    return NULL;
}
