/* Copies that the race detector does not see (race_libc.h), and those of the program that it would overlook.  Empty
 * in other builds. */
#include "base/race.h"
#include <stdlib.h>

#ifdef RN_RACE
void *rn__own_memcpy(void *to, const void *from, size_t n);
void *rn__own_memmove(void *to, const void *from, size_t n);
void *rn__own_memset(void *to, int c, size_t n);
int rn__own_memcmp(const void *a, const void *b, size_t n);
int rn__own_strcmp(const char *a, const char *b);
int rn__own_strncmp(const char *a, const char *b, size_t n);
size_t rn__own_strlen(const char *s);
char *rn__own_strchr(const char *s, int c);
char *rn__own_strrchr(const char *s, int c);

/* The empty asm keeps the compiler from finding a memcpy in these loops. */
#define OPAQUE(x) __asm__ volatile("" : "+r"(x))

void *rn__own_memmove(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;
    if (t <= f) {
        for (size_t i = 0; i < n; i++) {
            OPAQUE(i);
            t[i] = f[i];
        }
    } else {
        for (size_t i = n; i-- > 0;) {
            OPAQUE(i);
            t[i] = f[i];
        }
    }
    return to;
}

void *rn__own_memcpy(void *to, const void *from, size_t n)
{
#ifdef __x86_64__
    void *t = to;
    __asm__ volatile("rep movsb" : "+D"(t), "+S"(from), "+c"(n)::"memory");
    return to;
#else
    return rn__own_memmove(to, from, n);
#endif
}

void *rn__own_memset(void *to, int c, size_t n)
{
    char *t = to;
    for (size_t i = 0; i < n; i++) {
        OPAQUE(i);
        t[i] = (char)c;
    }
    return to;
}

int rn__own_memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

int rn__own_strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

int rn__own_strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0 && *a && *a == *b; n--)
        a++, b++;
    return n > 0 ? (unsigned char)*a - (unsigned char)*b : 0;
}

size_t rn__own_strlen(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        n++;
        OPAQUE(n);
    }
    return n;
}

char *rn__own_strchr(const char *s, int c)
{
    while (*s && *s != (char)c)
        s++;
    return *s == (char)c ? (char *)(uintptr_t)s : NULL;
}

char *rn__own_strrchr(const char *s, int c)
{
    const char *found = NULL;
    for (;; s++) {
        if (*s == (char)c)
            found = s;
        if (!*s)
            return (char *)(uintptr_t)found;
    }
}

/* Functions of libc that the detector does not know: programs get these, which tell of what they read and write, at
 * the place that called them.  (strdup it knows, and leaves its reads out.)  They stand in this file because the linker
 * always takes it: the detector's own strdup would do otherwise. */

/* Copies n bytes and a zero. */
static char *put(char *to, const char *from, size_t n, void *pc)
{
    rn__race_write(to, n + 1, pc);
    memcpy(to, from, n);
    to[n] = 0;
    return to + n;
}

static size_t length(const char *s, void *pc)
{
    size_t n = strlen(s);
    rn__race_read(s, n + 1, pc);
    return n;
}

/* The same of a string that may have no end within `most` bytes. */
static size_t length_within(const char *s, size_t most, void *pc)
{
    size_t n = 0;
    while (n < most && s[n])
        n++;
    rn__race_read(s, n < most ? n + 1 : n, pc);
    return n;
}

static char *duplicate(const char *s, size_t n, void *pc)
{
    char *copy = malloc(n + 1);
    if (copy)
        (void)put(copy, s, n, pc);
    return copy;
}

char *stpcpy(char *restrict to, const char *restrict from)
{
    return put(to, from, length(from, RN_RACE_PC), RN_RACE_PC);
}

char *strcat(char *restrict to, const char *restrict from)
{
    size_t n = length(from, RN_RACE_PC);
    (void)put(to + length(to, RN_RACE_PC), from, n, RN_RACE_PC);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t most)
{
    size_t n = length_within(from, most, RN_RACE_PC);
    (void)put(to + length(to, RN_RACE_PC), from, n, RN_RACE_PC);
    return to;
}

char *strdup(const char *s)
{
    return duplicate(s, length(s, RN_RACE_PC), RN_RACE_PC);
}

char *strndup(const char *s, size_t most)
{
    return duplicate(s, length_within(s, most, RN_RACE_PC), RN_RACE_PC);
}

#endif
