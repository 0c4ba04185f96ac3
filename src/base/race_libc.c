/* Copies that the race detector does not see: see race_libc.h.  Empty in other builds. */
#include <stddef.h>

#ifdef RN_RACE

void *rn__own_memcpy(void *to, const void *from, size_t n);
void *rn__own_memmove(void *to, const void *from, size_t n);
void *rn__own_memset(void *to, int c, size_t n);
int rn__own_memcmp(const void *a, const void *b, size_t n);
int rn__own_strcmp(const char *a, const char *b);

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

#endif
