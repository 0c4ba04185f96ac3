/* Channels in the order in which a select locks them. */
#ifndef RN_CHAN_ORDER_H
#define RN_CHAN_ORDER_H

#include "chan/chan.h"

static inline void rn__chans_sift_down(struct rn_chan **a, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && (uintptr_t)a[child] < (uintptr_t)a[child + 1])
            child++;
        if ((uintptr_t)a[root] >= (uintptr_t)a[child])
            return;
        struct rn_chan *t = a[root];
        a[root] = a[child];
        a[child] = t;
    }
}

/* By address.  Heap sort where it is much: no memory, no recursion, no bad case. */
static inline void rn__chans_sort(struct rn_chan **a, size_t n)
{
    enum { SIMPLY = 8 };
    if (n <= SIMPLY) {
        for (size_t i = 1; i < n; i++) {
            struct rn_chan *c = a[i];
            size_t j = i;
            for (; j > 0 && (uintptr_t)a[j - 1] > (uintptr_t)c; j--)
                a[j] = a[j - 1];
            a[j] = c;
        }
        return;
    }
    for (size_t i = n / 2; i-- > 0;)
        rn__chans_sift_down(a, i, n);
    for (size_t end = n; end-- > 1;) {
        struct rn_chan *t = a[0];
        a[0] = a[end];
        a[end] = t;
        rn__chans_sift_down(a, 0, end);
    }
}

/* Of a[n], sorted, each once; returns how many that are. */
static inline size_t rn__chans_drop_doubles(struct rn_chan **a, size_t n)
{
    size_t kept = n > 0;
    for (size_t i = 1; i < n; i++)
        if (a[i] != a[kept - 1])
            a[kept++] = a[i];
    return kept;
}

#endif
