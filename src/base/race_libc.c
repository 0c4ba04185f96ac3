/* Copies that the race detector does not see (race_libc.h), and those of the program that it would overlook.  Empty
 * in other builds. */
#define _GNU_SOURCE 1
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

/* How the library parses, which the detector shall not see either.  What has glibc's own name is another way into libc than
 * the names that are the program's, below; strtoimax the detector knows.  (A long has 64 bits wherever there is the detector.) */
#undef atoi
#undef atoll
#undef strtod
#undef strtok_r
#undef strtol
#undef strtoll
#undef strtoul
#undef strtoull
int rn__own_atoi(const char *s);
long long rn__own_atoll(const char *s);
double rn__own_strtod(const char *s, char **end);
char *rn__own_strtok_r(char *restrict s, const char *restrict set, char **restrict rest);
long rn__own_strtol(const char *s, char **end, int base);
long long rn__own_strtoll(const char *s, char **end, int base);
unsigned long rn__own_strtoul(const char *s, char **end, int base);
unsigned long long rn__own_strtoull(const char *s, char **end, int base);
long __strtol_internal(const char *s, char **end, int base, int group);
unsigned long __strtoul_internal(const char *s, char **end, int base, int group);
double __strtod_internal(const char *s, char **end, int group);
float __strtof_internal(const char *s, char **end, int group);

int rn__own_atoi(const char *s)
{
    return (int)__strtol_internal(s, NULL, 10, 0);
}

long long rn__own_atoll(const char *s)
{
    return __strtol_internal(s, NULL, 10, 0);
}

double rn__own_strtod(const char *s, char **end)
{
    return __strtod_internal(s, end, 0);
}

long rn__own_strtol(const char *s, char **end, int base)
{
    return __strtol_internal(s, end, base, 0);
}

long long rn__own_strtoll(const char *s, char **end, int base)
{
    return __strtol_internal(s, end, base, 0);
}

unsigned long rn__own_strtoul(const char *s, char **end, int base)
{
    return __strtoul_internal(s, end, base, 0);
}

unsigned long long rn__own_strtoull(const char *s, char **end, int base)
{
    return __strtoul_internal(s, end, base, 0);
}

/* How many bytes of s, up to its end, are in set; or are not. */
static size_t span(const char *s, const char *set, bool in)
{
    size_t n = 0;
    while (s[n] && (strchr(set, s[n]) != NULL) == in)
        n++;
    return n;
}

char *rn__own_strtok_r(char *restrict s, const char *restrict set, char **restrict rest)
{
    s = s ? s : *rest;
    s += span(s, set, true);
    size_t n = span(s, set, false);
    *rest = s + n;
    if (s[n])
        *(*rest)++ = 0;
    return n ? s : NULL;
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

/* clang makes a memcpy of it. */
void *mempcpy(void *restrict to, const void *restrict from, size_t n)
{
    rn__race_read(from, n, RN_RACE_PC);
    rn__race_write(to, n, RN_RACE_PC);
    memcpy(to, from, n);
    return (char *)to + n;
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

/* A number was read from s up to end, and the byte there, by which it ends; out is to have the end. */
static void number(const char *s, char *end, char **out, void *pc)
{
    rn__race_read(s, (size_t)(end - s) + 1, pc);
    rn__race_write(out, sizeof *out, pc);
    if (out)
        *out = end;
}

static long integer(const char *s, char **out, int base, void *pc)
{
    char *end = (char *)(uintptr_t)s; /* which is not set for a base that makes no sense */
    long n = __strtol_internal(s, &end, base, 0);
    number(s, end, out, pc);
    return n;
}

static unsigned long natural(const char *s, char **out, int base, void *pc)
{
    char *end = (char *)(uintptr_t)s;
    unsigned long n = __strtoul_internal(s, &end, base, 0);
    number(s, end, out, pc);
    return n;
}

long strtol(const char *restrict s, char **restrict end, int base)
{
    return integer(s, end, base, RN_RACE_PC);
}

long long strtoll(const char *restrict s, char **restrict end, int base)
{
    return integer(s, end, base, RN_RACE_PC);
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
    return natural(s, end, base, RN_RACE_PC);
}

unsigned long long strtoull(const char *restrict s, char **restrict end, int base)
{
    return natural(s, end, base, RN_RACE_PC);
}

int atoi(const char *s)
{
    return (int)integer(s, NULL, 10, RN_RACE_PC);
}

long atol(const char *s)
{
    return integer(s, NULL, 10, RN_RACE_PC);
}

long long atoll(const char *s)
{
    return integer(s, NULL, 10, RN_RACE_PC);
}

double strtod(const char *restrict s, char **restrict out)
{
    char *end;
    double x = __strtod_internal(s, &end, 0);
    number(s, end, out, RN_RACE_PC);
    return x;
}

float strtof(const char *restrict s, char **restrict out)
{
    char *end;
    float x = __strtof_internal(s, &end, 0);
    number(s, end, out, RN_RACE_PC);
    return x;
}

double atof(const char *s)
{
    char *end;
    double x = __strtod_internal(s, &end, 0);
    number(s, end, NULL, RN_RACE_PC);
    return x;
}

/* What is put in the place of a token's end is the only byte written. */
char *strtok_r(char *restrict s, const char *restrict set, char **restrict rest)
{
    if (!s)
        rn__race_read(rest, sizeof *rest, RN_RACE_PC);
    char *from = s ? s : *rest;
    char *token = rn__own_strtok_r(from, set, rest);
    size_t n = (size_t)(*rest - from);
    bool cut = n && !from[n - 1];
    rn__race_read(from, cut ? n - 1 : n + 1, RN_RACE_PC);
    rn__race_write(from + n - 1, cut, RN_RACE_PC);
    rn__race_write(rest, sizeof *rest, RN_RACE_PC);
    return token;
}

#endif
