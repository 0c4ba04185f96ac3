/* What a test's body calls: failures, skips, the seed, and the guard behind EXPECT_PANIC.
 *
 * In a child process a report is one write to a pipe, at most PIPE_BUF bytes and therefore whole,
 * so that any thread may report at any time, also one that is about to crash. */
#define _GNU_SOURCE 1
#include "internal.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool rn__test_failed_here;
static int report_fd = -1;
static struct rn_text *report_text;
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER; /* guards *report_text */

void rn__test_report_to(int fd, struct rn_text *text)
{
    report_fd = fd;
    report_text = text;
}

void rn__test_report(char kind, const char *line)
{
    char record[1024];
    int n = snprintf(record, sizeof record - 1, "%c%s", kind, line);
    size_t len = n < (int)sizeof record - 1 ? (size_t)n : sizeof record - 2;
    record[len++] = '\n';
    if (report_fd >= 0) {
        while (write(report_fd, record, len) < 0 && errno == EINTR)
            continue;
    } else if (report_text) {
        pthread_mutex_lock(&report_lock);
        rn__text_add(report_text, record, len);
        pthread_mutex_unlock(&report_lock);
    } else {
        rn_os_write_stderr(record + 1, len - 1); /* called outside of a test */
    }
}

/* A path below the working directory is shown without it: shorter, and editors find it. */
static const char *shown(const char *file)
{
    char cwd[PATH_MAX];
    size_t n = getcwd(cwd, sizeof cwd) ? strlen(cwd) : 0;
    if (n > 0 && strncmp(file, cwd, n) == 0 && file[n] == '/')
        return file + n + 1;
    return file;
}

void rn_test_fail(const char *file, int line, const char *format, ...)
{
    char text[900];
    int n = snprintf(text, sizeof text, "%s:%d: ", shown(file), line);
    if (n < 0 || n >= (int)sizeof text)
        n = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';
    rn__test_failed_here = true;
    rn__test_report(RN_REPORT_FAIL, text);
}

void rn_test_abandon(void)
{
    fflush(NULL);
    _exit(1);
}

void rn_test_skip(const char *reason)
{
    rn__test_report(RN_REPORT_SKIP, reason);
    fflush(NULL);
    _exit(0);
}

void rn_test_equal(const char *file, int line, const char *a, const char *b, long long va, long long vb)
{
    if (va != vb)
        rn_test_fail(file, line, "%s is %lld, expected %s = %lld", a, va, b, vb);
}

void rn_test_equal_str(const char *file, int line, const char *a, const char *b, const char *va, const char *vb)
{
    if (va == vb || (va && vb && strcmp(va, vb) == 0))
        return;
    rn_test_fail(file, line, "%s is \"%.300s\", expected %s = \"%.300s\"", a, va ? va : "(NULL)", b,
                 vb ? vb : "(NULL)");
}

uint64_t rn_test_seed(void)
{
    char text[32];
    /* rn_test_main has set it for every process of this run. */
    const char *set = getenv("RUNNEL_SEED");
    uint64_t seed = set ? strtoull(set, NULL, 0) : 1;
    snprintf(text, sizeof text, "%" PRIu64, seed);
    rn__test_report(RN_REPORT_SEED, text);
    return seed;
}
