/* The atomic operations of base/atomic.h, for code under the model checker.
 *
 * base/atomic.h includes this instead of <stdatomic.h> when RN_MODEL is defined.  Every operation
 * goes to the engine (memory.c) together with its site: which operation, on which expression, in
 * which function.  Sites make traces readable, and let the engine weaken one order at a time
 * (mutants, see model.h) without recompiling.
 *
 * Also here: the heap and memcpy, so that allocation is the same in every execution, freed memory
 * is caught when it is touched, and copies take part in the detection of data races.
 */
#ifndef RN_MODEL_ATOMIC_H
#define RN_MODEL_ATOMIC_H

#include <runnel/base.h>
#include <stdlib.h>
#include <string.h>

/* Bits, so that a weaker order is a subset. */
enum { MODEL_RELAXED = 0, MODEL_ACQUIRE = 1, MODEL_RELEASE = 2, MODEL_ACQ_REL = 3, MODEL_SEQ_CST = 7 };
enum model_rmw { MODEL_XCHG, MODEL_ADD, MODEL_SUB, MODEL_OR, MODEL_AND };

/* One place in the source that does an atomic operation. */
struct model_site {
    const char *op, *expr, *file, *func;
    int line;
    uint8_t order;           /* as written */
    uint8_t now;             /* as executed: weaker in a mutant */
    bool known;              /* in the engine's list */
    struct model_site *next; /* in that list */
};

void model_load(const volatile void *p, size_t size, void *out, struct model_site *s);
void model_store(volatile void *p, size_t size, const void *v, struct model_site *s);
bool model_cas(volatile void *p, size_t size, void *expected, const void *v, struct model_site *s);
void model_rmw(volatile void *p, size_t size, enum model_rmw what, const void *v, void *out, struct model_site *s);
void model_fence(struct model_site *s);
void model_fence_light(struct model_site *s);
void rn__model_yield(void);
/* A restartable section (runnel/own.h) from begin to the store, which is not done, and then false, if rn_os_fence_restart has
 * come by this thread since. */
uint32_t model_section_begin(void);
bool model_section_store(volatile void *p, size_t size, const void *v, uint32_t begun, struct model_site *s);

#define MODEL_VALUE_(p) __typeof__((void)0, *(p))
#define MODEL_SITE_(name, text, o)           \
    static struct model_site model_site_ = { \
        .op = (name), .expr = (text), .file = __FILE__, .func = __func__, .line = __LINE__, .order = (o), .now = (o)}

#define MODEL_LOAD_(p, o, name)                                                    \
    ({                                                                             \
        MODEL_SITE_(name, #p, o);                                                  \
        MODEL_VALUE_(p) model_value_;                                              \
        model_load((p), sizeof model_value_, (void *)&model_value_, &model_site_); \
        model_value_;                                                              \
    })
#define MODEL_STORE_(p, v, o, name)                                                       \
    ({                                                                                    \
        MODEL_SITE_(name, #p, o);                                                         \
        MODEL_VALUE_(p) model_value_ = (v);                                               \
        model_store((p), sizeof model_value_, (const void *)&model_value_, &model_site_); \
    })
#define MODEL_SECTION_STORE_(p, v, begun, o, name)                                                         \
    ({                                                                                                     \
        MODEL_SITE_(name, #p, o);                                                                          \
        MODEL_VALUE_(p) model_value_ = (v);                                                                \
        model_section_store((p), sizeof model_value_, (const void *)&model_value_, (begun), &model_site_); \
    })
#define MODEL_CAS_(p, e, v, o, name)                                                                             \
    ({                                                                                                           \
        MODEL_SITE_(name, #p, o);                                                                                \
        MODEL_VALUE_(p) *model_expected_ = (e);                                                                  \
        MODEL_VALUE_(p) model_value_ = (v);                                                                      \
        model_cas((p), sizeof model_value_, (void *)model_expected_, (const void *)&model_value_, &model_site_); \
    })
#define MODEL_RMW_(p, v, what, o, name)                                                                              \
    ({                                                                                                               \
        MODEL_SITE_(name, #p, o);                                                                                    \
        MODEL_VALUE_(p) model_value_ = (v);                                                                          \
        MODEL_VALUE_(p) model_old_;                                                                                  \
        model_rmw((p), sizeof model_value_, (what), (const void *)&model_value_, (void *)&model_old_, &model_site_); \
        model_old_;                                                                                                  \
    })
#define MODEL_FENCE_(o, name)      \
    ({                             \
        MODEL_SITE_(name, "", o);  \
        model_fence(&model_site_); \
    })

#define rn_load_relaxed(p) MODEL_LOAD_(p, MODEL_RELAXED, "load_relaxed")
#define rn_load_acquire(p) MODEL_LOAD_(p, MODEL_ACQUIRE, "load_acquire")
#define rn_load_seq_cst(p) MODEL_LOAD_(p, MODEL_SEQ_CST, "load_seq_cst")
#define rn_store_relaxed(p, v) MODEL_STORE_(p, v, MODEL_RELAXED, "store_relaxed")
#define rn_store_release(p, v) MODEL_STORE_(p, v, MODEL_RELEASE, "store_release")
#define rn_store_seq_cst(p, v) MODEL_STORE_(p, v, MODEL_SEQ_CST, "store_seq_cst")
#define rn_cas_relaxed(p, e, v) MODEL_CAS_(p, e, v, MODEL_RELAXED, "cas_relaxed")
#define rn_cas_acquire(p, e, v) MODEL_CAS_(p, e, v, MODEL_ACQUIRE, "cas_acquire")
#define rn_cas_release(p, e, v) MODEL_CAS_(p, e, v, MODEL_RELEASE, "cas_release")
#define rn_cas_acq_rel(p, e, v) MODEL_CAS_(p, e, v, MODEL_ACQ_REL, "cas_acq_rel")
#define rn_cas_seq_cst(p, e, v) MODEL_CAS_(p, e, v, MODEL_SEQ_CST, "cas_seq_cst")
#define rn_xchg_relaxed(p, v) MODEL_RMW_(p, v, MODEL_XCHG, MODEL_RELAXED, "xchg_relaxed")
#define rn_xchg_acquire(p, v) MODEL_RMW_(p, v, MODEL_XCHG, MODEL_ACQUIRE, "xchg_acquire")
#define rn_xchg_acq_rel(p, v) MODEL_RMW_(p, v, MODEL_XCHG, MODEL_ACQ_REL, "xchg_acq_rel")
#define rn_xchg_seq_cst(p, v) MODEL_RMW_(p, v, MODEL_XCHG, MODEL_SEQ_CST, "xchg_seq_cst")
#define rn_add_relaxed(p, v) MODEL_RMW_(p, v, MODEL_ADD, MODEL_RELAXED, "add_relaxed")
#define rn_add_release(p, v) MODEL_RMW_(p, v, MODEL_ADD, MODEL_RELEASE, "add_release")
#define rn_add_acq_rel(p, v) MODEL_RMW_(p, v, MODEL_ADD, MODEL_ACQ_REL, "add_acq_rel")
#define rn_add_seq_cst(p, v) MODEL_RMW_(p, v, MODEL_ADD, MODEL_SEQ_CST, "add_seq_cst")
#define rn_sub_relaxed(p, v) MODEL_RMW_(p, v, MODEL_SUB, MODEL_RELAXED, "sub_relaxed")
#define rn_sub_release(p, v) MODEL_RMW_(p, v, MODEL_SUB, MODEL_RELEASE, "sub_release")
#define rn_sub_acq_rel(p, v) MODEL_RMW_(p, v, MODEL_SUB, MODEL_ACQ_REL, "sub_acq_rel")
#define rn_or_acq_rel(p, v) MODEL_RMW_(p, v, MODEL_OR, MODEL_ACQ_REL, "or_acq_rel")
#define rn_and_acq_rel(p, v) MODEL_RMW_(p, v, MODEL_AND, MODEL_ACQ_REL, "and_acq_rel")

#define rn_fence_compiler() ((void)0)
#define rn_fence_acquire() MODEL_FENCE_(MODEL_ACQUIRE, "fence_acquire")
#define rn_fence_release() MODEL_FENCE_(MODEL_RELEASE, "fence_release")
#define rn_fence_seq_cst() MODEL_FENCE_(MODEL_SEQ_CST, "fence_seq_cst")

/* False: the light side is a full fence and the heavy side one of its own thread only, as on a
 * kernel without membarrier.  A test may set it in its setup; it is true again for the next. */
extern bool rn__fence_asymmetric;
#define rn_fence_light()                               \
    ({                                                 \
        MODEL_SITE_("fence_light", "", MODEL_SEQ_CST); \
        model_fence_light(&model_site_);               \
    })
#define rn_fence_light_known() rn_fence_light()

/* The heap: a bump allocator that is reset for every execution and never reuses memory. */
void *model_malloc(size_t n);
void *model_calloc(size_t n, size_t size);
void *model_realloc(void *p, size_t n);
void *model_aligned_alloc(size_t align, size_t n);
int model_posix_memalign(void **p, size_t align, size_t n);
void model_free(void *p);
void *model_memcpy(void *to, const void *from, size_t n);
void *model_memmove(void *to, const void *from, size_t n);
void *model_memset(void *to, int byte, size_t n);

#ifndef MODEL_ENGINE
#undef memcpy
#undef memmove
#undef memset
#define malloc(n) model_malloc(n)
#define calloc(n, size) model_calloc(n, size)
#define realloc(p, n) model_realloc(p, n)
#define aligned_alloc(align, n) model_aligned_alloc(align, n)
#define posix_memalign(p, align, n) model_posix_memalign(p, align, n)
#define free(p) model_free(p)
#define memcpy(to, from, n) model_memcpy(to, from, n)
#define memmove(to, from, n) model_memmove(to, from, n)
#define memset(to, byte, n) model_memset(to, byte, n)
#endif

#endif
