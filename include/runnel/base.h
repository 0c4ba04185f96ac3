/* runnel/base.h: what every other header needs: time, errors, attributes.
 *
 * Every function of the library is called rn_…; without RN_NO_SHORT_NAMES the headers also define
 * the short spellings that make programs read well (go, defer, chan_send, ctx_cancel, wg_wait …).  Those are of families of
 * functions.  Single ones (rn_sleep, rn_now, rn_yield, rn_pipe …) have none, nor have those that would take a name of
 * POSIX's or its like (rn_sem_destroy, rn_timer_…).
 */
#ifndef RUNNEL_BASE_H
#define RUNNEL_BASE_H

#if !defined(__GNUC__)
#error "runnel needs gcc 12, clang 14 or newer"
#elif !defined(__linux__) || !defined(__LP64__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "runnel runs on 64-bit Linux on x86-64 and aarch64 only (no -m32, no -mx32)"
#elif defined(__cplusplus) && __cplusplus < 201703L
#error "runnel needs C++17: -std=c++17 or newer"
#elif defined(__GNUC_GNU_INLINE__) && !defined(__cplusplus)
#error "runnel needs the standard's inline functions: -std=gnu11 or newer, no -fgnu89-inline"
#endif
#ifdef __has_feature
#if __has_feature(safe_stack)
#error "runnel's goroutines have no second stack: no -fsanitize=safe-stack"
#endif
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RN_EXTERN_C_BEGIN extern "C" {
#define RN_EXTERN_C_END }
/* The layout of an atomic is that of its value; only C code touches it. */
#define rn_atomic(T) T
#define RN_STATIC_ASSERT(c, text) static_assert(c, text)
#else
#define RN_EXTERN_C_BEGIN
#define RN_EXTERN_C_END
#define rn_atomic(T) _Atomic(T)
#define RN_STATIC_ASSERT(c, text) _Static_assert(c, text)
#endif

#define RN_NORETURN __attribute__((noreturn))
#define RN_PUBLIC __attribute__((visibility("default")))
#define RN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RN_MUST_USE __attribute__((warn_unused_result))
/* -finstrument-functions calls nobody here: between a thread's value and its use a goroutine must not go on with another thread. */
#define RN__UNTRACED __attribute__((no_instrument_function))

#define RN_CAT_(a, b) a##b
#define RN_CAT(a, b) RN_CAT_(a, b)
/* A name that no other expansion in the file has. */
#define RN_UNIQUE(prefix) RN_CAT(prefix, __COUNTER__)

/* An instruction of assembly as the compiler writes it: the second with -masm=intel.  One, since gcc takes each line of either for
 * an instruction when it looks how large a function is. */
#define RN__X86(att, intel) "{" att "|" intel "}"

/* Where a thread-local variable is, from the thread pointer: to %0, and a line's end. */
#define RN__X86_TLS_AT(name) \
    RN__X86("movq " name "@gottpoff(%%rip), %0", "mov %0, qword ptr " name "@gottpoff[rip]") "\n\t"

/* Before a statement expression whose value may be left unused: keeps gcc's -Wpedantic quiet.  clang would then warn of
 * the value, and has its own way below. */
#ifdef __clang__
#define RN__EXTENSION
#else
#define RN__EXTENSION __extension__
#endif

#ifdef __clang__
/* go(f) leaves out what a macro's "..." stands for, in the programs themselves: -Wpedantic has no other way. */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#if __clang_major__ >= 19 && !defined(__cplusplus)
#pragma clang diagnostic ignored "-Wc23-extensions" /* what it has become, as far as pedantic goes */
#endif
#endif

enum rn__enumerated { RN__ENUMERATED };
RN_STATIC_ASSERT(sizeof(enum rn__enumerated) == sizeof(int), "runnel's enums have an int's size: no -fshort-enums");

RN_EXTERN_C_BEGIN

/* A duration in nanoseconds. */
typedef int64_t rn_duration;
/* A point in time on the monotonic clock, in nanoseconds since some fixed start.  Setting the wall
 * clock does not affect it. */
typedef int64_t rn_time;

#define RN_NANOSECOND ((rn_duration)1)
#define RN_MICROSECOND (1000 * RN_NANOSECOND)
#define RN_MILLISECOND (1000 * RN_MICROSECOND)
#define RN_SECOND (1000 * RN_MILLISECOND)
#define RN_MINUTE (60 * RN_SECOND)
#define RN_HOUR (60 * RN_MINUTE)

/* A duration as the library's macros pass it on.  rn_sleep(0.5) would not wait at all, since durations are nanoseconds:
 * gcc, which converts silently, is made to refuse floating-point constants below a microsecond (clang warns by
 * itself).  0.5 * RN_SECOND is right. */
#if defined(__GNUC__) && !defined(__clang__)
void rn__not_seconds(void) __attribute__((error(
    "durations are nanoseconds, and this is less than a thousand of them; for half a second write RN_SECOND / 2")));
#define RN__DURATION(d)                                                                                 \
    (__builtin_constant_p(d) && ((d)*0 + 1) / 2 > 0 /* never with integers */ && (double)(d) > -1000 && \
             (double)(d) < 1000 && ((double)(d) > 0 || (double)(d) < 0)                                 \
         ? rn__not_seconds()                                                                            \
         : (void)0,                                                                                     \
     (d))
#else
#define RN__DURATION(d) (d)
#endif

/* The element of a channel that carries no data, only its occurrence. */
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc++-compat" /* its size is 0 in both languages */
#ifdef __cplusplus
#pragma clang diagnostic ignored "-Wextern-c-compat"
#endif
#endif
__extension__ typedef struct rn_unit {
#ifdef __cplusplus
    char rn_nothing[0];
#endif
} rn_unit;
#ifdef __clang__
#pragma clang diagnostic pop
#endif

/* Errors.  A function that can fail returns 0, or one of these, or the negative of an errno
 * value (-ENOENT).  errno itself is not used, since a goroutine may continue on another thread. */
enum rn_error {
    RN_OK = 0,
    RN_ECANCELED = -10001, /* the context was canceled */
    RN_ETIMEOUT = -10002,  /* the context's or the connection's deadline, or a timeout, has passed */
    RN_ECLOSED = -10003,   /* the channel, connection or listener is closed */
    RN_EAGAIN = -10004,    /* a try_ form would have had to block */
    RN_ENOMEM = -10005,    /* out of memory, stacks or threads */
    RN_EINVAL = -10006,    /* an argument makes no sense */
    RN_EPANIC = -10007,    /* a goroutine of the scope or group panicked */
    RN_ENOTFOUND = -10008, /* no such key */
    RN_EBUSY = -10009,     /* in use, or already running */
    RN_EEOF = -10010,      /* end of input */
    RN_ENOHOST = -10011,   /* no such host */
    RN_EDNS = -10012,      /* the name server did not answer, or not sensibly */
    RN_ESERVICE = -10013,  /* no such port or service */
    /* HTTP and TLS */
    RN_EURL = -10031,       /* not a URL, or not of a kind that can be fetched */
    RN_ETLS = -10032,       /* no secure connection: certificate or handshake */
    RN_EPROTO = -10033,     /* the peer's answer makes no sense, or is cut off */
    RN_ETOOBIG = -10034,    /* larger than the limit that was set */
    RN_EREDIRECTS = -10035, /* too many redirects */
    RN_EPROXY = -10036,     /* the proxy can't be found or refuses */
};

/* errno belongs to the thread, and libc tells compilers that its address never changes.  If a function reads it, waits,
 * and reads it again after another call, they use the first address again, which may be another thread's by then, with
 * a value that another goroutine's call has set.  Here the address is asked for each time, through a pointer of which
 * the compiler knows nothing.  As everywhere, errno is to be read directly after the call that set it. */
static inline int *rn__errno(void)
{
    int *(*where)(void) = __errno_location;
    __asm__("" : "+r"(where));
    return where();
}
#undef errno
#define errno (*rn__errno())

/* One line of text for an error, never NULL; for an unknown number it says so.  The text is
 * constant.  May be called from any thread at any time. */
RN_PUBLIC const char *rn_strerror(int err);

RN_EXTERN_C_END
#endif
