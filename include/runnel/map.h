/* runnel/map.h: a map that any number of goroutines use at the same time, without a lock of theirs.
 *
 *     static rn_map sessions;                          // all-zero is valid
 *
 *     map_store(&sessions, "alice", s);                // a text key is copied
 *     struct session *found;
 *     if (map_load(&sessions, name, &found)) …
 *
 *     static rn_map by_id;
 *     map_store(&by_id, 42, s);
 *     if (!map_load_or_store(&by_id, id, s, &found)) … s was stored, found == s …
 *
 * Keys are text (a char pointer or array; compared by content), or integers and other pointers (by
 * value).  The first key decides for the map; one of the other kind panics.  RN_MAP_BYTES(n) makes a map
 * whose keys are n bytes that the key points to, for structs without padding.
 * Values are pointers, or integers no larger; NULL and 0 are values like others.  The map does not own
 * what they point to: before freeing a value that was taken out, by delete or swap, make sure that nobody else still
 * uses it.
 *
 * Each operation is atomic.  A load, or any other operation, that sees a store happens
 * after it.  Operations wait at most for others' short work on the same part of the map.
 * From goroutines and plain threads; not from signal handlers.  (Go, sync.Map.)
 */
#ifndef RUNNEL_MAP_H
#define RUNNEL_MAP_H

#include <runnel/sync_type.h>
#ifdef __cplusplus
#include <type_traits>
#endif

struct rn_map_shards;

typedef struct rn_map {
    rn_atomic(uint32_t) rn_kind; /* enum rn_map_kind; first: clang 14 takes no 0 for an atomic pointer */
    uint32_t rn_key_size;        /* BYTES */
    rn_atomic(struct rn_map_shards *) rn_shards;
} rn_map;

enum rn_map_kind { RN_MAP_ANY, RN_MAP_INTEGER, RN_MAP_TEXT, RN_MAP_STRUCT };

#define RN_MAP_INIT         \
    {                       \
        RN_MAP_ANY, 0, NULL \
    }
/* Keys are n bytes, n > 0, which are copied. */
#define RN_MAP_BYTES(n)          \
    {                            \
        RN_MAP_STRUCT, (n), NULL \
    }

#define RN__MAP_WORDS \
    "map: keys and values are integers of at most 64 bits, or pointers; others are for what a pointer leads to"

/* A key as the functions take it. */
struct rn_map_key {
    uintptr_t value;
    enum rn_map_kind kind;
};

#ifdef __cplusplus
extern "C++" {
static inline struct rn_map_key rn__map_key(const char *text)
{
    return {(uintptr_t)text, RN_MAP_TEXT};
}
template <typename T> static inline struct rn_map_key rn__map_key(T *p)
{
    return {(uintptr_t)p, RN_MAP_INTEGER};
}
template <typename T> static inline struct rn_map_key rn__map_key(T i)
{
    RN_STATIC_ASSERT(!std::is_floating_point<T>::value && sizeof(T) <= sizeof(void *), RN__MAP_WORDS);
    return {(uintptr_t)i, RN_MAP_INTEGER};
}
static inline struct rn_map_key rn__map_key(char *text)
{
    return {(uintptr_t)text, RN_MAP_TEXT};
}
template <typename T> static inline void *rn__map_value(T v)
{
    RN_STATIC_ASSERT(!std::is_floating_point<T>::value && sizeof(T) <= sizeof(void *), RN__MAP_WORDS);
    return (void *)(uintptr_t)v;
}
}
#define RN__MAP_KEY(k) rn__map_key(k)
#define RN__MAP_VALUE(v) rn__map_value(v)
#define RN__MAP_IS_WORD(x)                                                                                \
    RN_STATIC_ASSERT(!std::is_floating_point<typename std::remove_reference<decltype(x)>::type>::value && \
                         sizeof(x) <= sizeof(void *),                                                     \
                     RN__MAP_WORDS)
#else
#define RN__MAP_KEY(k) \
    ((struct rn_map_key){RN__MAP_WORD(k),                                                                         \
                         _Generic((k), char *: RN_MAP_TEXT, const char *: RN_MAP_TEXT, default: RN_MAP_INTEGER)})
#define RN__MAP_VALUE(v) ((void *)RN__MAP_WORD(v))
/* A cast alone would cut off what does not fit.  (x is outside of the block: it may be the address of a compound
 * literal.) */
#define RN__MAP_WORD(x) ((void)__extension__({ RN__MAP_IS_WORD(((void)0, (x))); }), (uintptr_t)(x))
#define RN__MAP_IS_WORD(x) \
    RN_STATIC_ASSERT(__builtin_classify_type(x) <= 5 && sizeof(__typeof__(x)) <= sizeof(void *), RN__MAP_WORDS)
#endif
/* Stores what a function brought into *p, of any type that fits. */
#define RN__MAP_GET(p, call)                         \
    RN__EXTENSION({                                  \
        RN__MAP_IS_WORD(*(p));                       \
        void *rn_got_ = NULL;                        \
        bool rn_ok_ = (call);                        \
        *(p) = (__typeof__(*(p)))(uintptr_t)rn_got_; \
        rn_ok_;                                      \
    })

/* map_load(&m, key, &value): true, and the value; or false, and NULL or 0. */
#define rn_map_load(m, k, p) RN__MAP_GET(p, rn__map_load((m), RN__MAP_KEY(k), &rn_got_))
/* map_has(&m, key): whether there is a value. */
#define rn_map_has(m, k) rn__map_load((m), RN__MAP_KEY(k), NULL)
/* map_store(&m, key, value): stores it, replacing any value that was there.  This and the other ways to store panic when
 * memory runs out ("map: out of memory"). */
#define rn_map_store(m, k, v) rn__map_store((m), RN__MAP_KEY(k), RN__MAP_VALUE(v))
/* map_load_or_store(&m, key, value, &actual): true, and the value that was there; or false, after
 * `value` was stored, and that. */
#define rn_map_load_or_store(m, k, v, p) \
    RN__MAP_GET(p, rn__map_load_or_store((m), RN__MAP_KEY(k), RN__MAP_VALUE(v), &rn_got_))
/* map_load_and_delete(&m, key, &value): true, and the value, which is no longer in the map; or false. */
#define rn_map_load_and_delete(m, k, p) RN__MAP_GET(p, rn__map_load_and_delete((m), RN__MAP_KEY(k), &rn_got_))
/* map_delete(&m, key): whether there was a value. */
#define rn_map_delete(m, k) rn__map_load_and_delete((m), RN__MAP_KEY(k), NULL)
/* map_swap(&m, key, value, &before): stores; true, and the value before; or false when there was none. */
#define rn_map_swap(m, k, v, p) RN__MAP_GET(p, rn__map_swap((m), RN__MAP_KEY(k), RN__MAP_VALUE(v), &rn_got_))
/* map_compare_and_swap(&m, key, old, value): stores if the value is `old`; whether it did. */
#define rn_map_compare_and_swap(m, k, old, v) \
    rn__map_compare_and_swap((m), RN__MAP_KEY(k), RN__MAP_VALUE(old), RN__MAP_VALUE(v))
/* map_compare_and_delete(&m, key, old): deletes if the value is `old`; whether it did. */
#define rn_map_compare_and_delete(m, k, old) rn__map_compare_and_delete((m), RN__MAP_KEY(k), RN__MAP_VALUE(old))

RN_EXTERN_C_BEGIN

/* Visits one entry: the key (the text, the bytes' address, or the integer cast to a pointer; valid during
 * the call), the value, and what rn_map_range was given.  Returns false to stop. */
typedef bool rn_map_visit(const void *key, void *value, void *arg);

/* Calls f for each entry.  The map may be changed meanwhile, by f too: an entry that is there all the
 * time is visited exactly once; one that is stored or deleted meanwhile may be visited or not, with a
 * value that it had at some moment of the range.  Takes memory for a part of the map at a time; panics
 * when there is none. */
RN_PUBLIC void rn_map_range(rn_map *m, rn_map_visit *f, void *arg);
/* How many entries there are; while others change the map, how many there were at about this time. */
RN_PUBLIC size_t rn_map_len(rn_map *m);
/* Deletes all entries that were there when it began. */
RN_PUBLIC void rn_map_clear(rn_map *m);
/* Frees what the map has allocated (not the values).  Nobody may use it meanwhile; afterwards it is as
 * new.  A map that was never stored to needs no free. */
RN_PUBLIC void rn_map_free(rn_map *m);

/* What the macros call. */
RN_PUBLIC bool rn__map_load(rn_map *m, struct rn_map_key k, void **v);
RN_PUBLIC void rn__map_store(rn_map *m, struct rn_map_key k, void *v);
RN_PUBLIC bool rn__map_load_or_store(rn_map *m, struct rn_map_key k, void *v, void **actual);
RN_PUBLIC bool rn__map_load_and_delete(rn_map *m, struct rn_map_key k, void **v);
RN_PUBLIC bool rn__map_swap(rn_map *m, struct rn_map_key k, void *v, void **before);
RN_PUBLIC bool rn__map_compare_and_swap(rn_map *m, struct rn_map_key k, void *old, void *v);
RN_PUBLIC bool rn__map_compare_and_delete(rn_map *m, struct rn_map_key k, void *old);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define map_load(m, k, p) rn_map_load(m, k, p)
#define map_has(m, k) rn_map_has(m, k)
#define map_store(m, k, v) rn_map_store(m, k, v)
#define map_load_or_store(m, k, v, p) rn_map_load_or_store(m, k, v, p)
#define map_load_and_delete(m, k, p) rn_map_load_and_delete(m, k, p)
#define map_delete(m, k) rn_map_delete(m, k)
#define map_swap(m, k, v, p) rn_map_swap(m, k, v, p)
#define map_compare_and_swap(m, k, old, v) rn_map_compare_and_swap(m, k, old, v)
#define map_compare_and_delete(m, k, old) rn_map_compare_and_delete(m, k, old)
#define map_range rn_map_range
#define map_len rn_map_len
#define map_clear rn_map_clear
#define map_free rn_map_free
#endif

#endif
