/* For tests of what the library says on stderr, which is the program's own but for few things. */
#ifndef TESTS_HTTP_ERRORS_H
#define TESTS_HTTP_ERRORS_H

#include <runnel/test.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct errors {
    FILE *kept;
    int real;
    char text[4096];
};

/* What goes to stderr from now on goes to a file. */
static inline void errors_keep(struct errors *e)
{
    fflush(stderr);
    e->kept = tmpfile();
    e->real = dup(STDERR_FILENO);
    REQUIRE(e->kept && e->real >= 0 && dup2(fileno(e->kept), STDERR_FILENO) == STDERR_FILENO);
}

/* Has anything been said since? */
static inline bool errors_any(const struct errors *e)
{
    return lseek(fileno(e->kept), 0, SEEK_END) > 0;
}

/* No longer; what was said is in text. */
static inline void errors_give_back(struct errors *e)
{
    fflush(stderr);
    REQUIRE(dup2(e->real, STDERR_FILENO) == STDERR_FILENO);
    ssize_t n = pread(fileno(e->kept), e->text, sizeof e->text - 1, 0);
    e->text[n > 0 ? n : 0] = 0;
    fclose(e->kept);
    close(e->real);
}

/* How often it was said. */
static inline int errors_with(const struct errors *e, const char *words)
{
    int n = 0;
    for (const char *at = e->text; (at = strstr(at, words)) != NULL; at++)
        n++;
    return n;
}

#endif
