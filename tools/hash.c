/* FNV-1a with 128 bits: no protection against an attacker, who could as well change the cache, but
 * no accidental collision in this life. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WIDE(high, low) (((unsigned __int128)(high) << 64) | (low))

void hash_init(struct hash *h)
{
    h->h = WIDE(0x6c62272e07bb0142, 0x62b821756295c58d);
}

void hash_bytes(struct hash *h, const void *bytes, size_t n)
{
    const unsigned __int128 prime = WIDE(0x0000000001000000, 0x000000000000013b);
    const unsigned char *at = bytes;
    unsigned __int128 x = h->h;
    /* Eight bytes a step, unlike the original: all that matters here is that no input is lost. */
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        x = (x ^ word) * prime;
        x ^= x >> 71;
    }
    for (; n > 0; n--)
        x = (x ^ *at++) * prime;
    h->h = x;
}

void hash_text(struct hash *h, const char *s)
{
    hash_bytes(h, s, strlen(s) + 1);
}

bool hash_file(struct hash *h, const char *path)
{
    size_t n;
    char *bytes = read_file(path, &n);
    if (!bytes)
        return false;
    hash_bytes(h, &n, sizeof n);
    hash_bytes(h, bytes, n);
    free(bytes);
    return true;
}

bool hash_identity(struct hash *h, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    hash_text(h, path);
    hash_bytes(h, &st.st_size, sizeof st.st_size);
    hash_bytes(h, &st.st_mtim.tv_sec, sizeof st.st_mtim.tv_sec);
    hash_bytes(h, &st.st_mtim.tv_nsec, sizeof st.st_mtim.tv_nsec);
    return true;
}

void hash_show(const struct hash *h, char to[HASH_TEXT])
{
    snprintf(to, HASH_TEXT, "%016llx%016llx", (unsigned long long)(h->h >> 64), (unsigned long long)h->h);
}
