/* The text of error codes: ours from one table, the system's from libc, all constant. */
#define _GNU_SOURCE 1
#include <runnel/base.h>
#include <string.h>

/* clang-format off */
static const char *own_text(int err)
{
    switch (err) {
    case RN_OK: return "no error";
    case RN_ECANCELED: return "context canceled";
    case RN_ETIMEOUT: return "deadline exceeded";
    case RN_ECLOSED: return "closed";
    case RN_EAGAIN: return "operation would block";
    case RN_ENOMEM: return "out of memory";
    case RN_EINVAL: return "invalid argument";
    case RN_EPANIC: return "goroutine panicked";
    case RN_ENOTFOUND: return "not found";
    case RN_EBUSY: return "already in use";
    case RN_EEOF: return "end of input";
    case RN_ENOHOST: return "no such host";
    case RN_EDNS: return "name server does not answer";
    case RN_ESERVICE: return "no such port or service";
    case RN_EURL: return "not a URL that can be fetched";
    case RN_ETLS: return "no secure connection (certificate or handshake)";
    case RN_EPROTO: return "malformed or broken-off answer";
    case RN_ETOOBIG: return "larger than the limit";
    case RN_EREDIRECTS: return "too many redirects";
    case RN_EPROXY: return "the proxy refuses or can't be found";
    default: return NULL;
    }
}
/* clang-format on */

/* NULL when the system has no such error. */
static const char *system_text(int number)
{
#ifdef __GLIBC__
    return strerrordesc_np(number); /* unlike strerror never translated and never in a shared buffer */
#else
    return strerror(number);
#endif
}

/* The cause of a context that a signal has ended: RN_ESIGNAL of runnel/signal.h; NULL when it is none. */
static const char *signal_text(int err)
{
#ifdef __GLIBC__
    return err < -10500 && err > -10600 ? sigdescr_np(-10500 - err) : NULL;
#else
    return err < -10500 && err > -10600 ? "signal" : NULL;
#endif
}

const char *rn_strerror(int err)
{
    const char *text = own_text(err);
    if (!text)
        text = signal_text(err);
    if (!text && err < 0 && err > -4096) /* what a system call can return */
        text = system_text(-err);
    return text ? text : "unknown error";
}
