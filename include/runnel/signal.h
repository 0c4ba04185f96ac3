/* runnel/signal.h: signals of the operating system as values on a channel.
 *
 *     #include <signal.h>                      // for the names SIGINT …
 *
 *     chan(int) quit = chan_make(int, 1);
 *     signal_notify(quit, SIGINT, SIGTERM);
 *     switch (chan_select(on_recv(quit, &signo), on_recv(jobs, &job))) { …
 *     signal_stop(quit);                       // the signals do what they did before
 *
 *     rn_context *ctx = ctx_with_signals(ctx_background(), SIGINT);
 *     defer(ctx_cancel, ctx);
 *     serve(ctx);                              // until it is done, or somebody types Ctrl-C
 *
 * A signal that somebody has asked for is delivered to the channel instead of having its usual effect; a handler that
 * the program had installed before is called as well.  Delivery does not wait: a channel without room misses the
 * signal, so give it room for at least one.  Signals of one kind that come faster than they are delivered count as one,
 * as everywhere in Unix.  A signal that every thread of the program blocks (pthread_sigmask) is not delivered.
 *
 * Signals are delivered while rn_run is under way; when it ends, all of them have their earlier effect again.  While
 * somebody has asked for a signal, no deadlock is reported, because the signal could still come.
 *
 * SIGKILL and SIGSTOP can't be asked for, nor those that report a fault of the running thread (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL, SIGTRAP, SIGSYS): RN_EINVAL.  Asking for SIGQUIT, SIGABRT or SIGUSR2 replaces what they print otherwise
 * (runnel/debug.h).  From goroutines and plain threads, not from signal handlers.  (Go's package os/signal.)
 */
#ifndef RUNNEL_SIGNAL_H
#define RUNNEL_SIGNAL_H

#include <runnel/chan.h>
#include <runnel/context_type.h>

/* signal_notify(c, SIGINT, …): from now on each of these is sent to c, a channel of int, when it comes;
 * with none named, every signal that can be had.  Several calls for one channel add up, and several
 * channels may ask for one signal: each gets it.  c stays the caller's, who frees it after
 * signal_stop; closing it before is a panic when a signal comes.  0, RN_EINVAL (then nothing has
 * changed) or RN_ENOMEM; panics for NULL.  Does not block. */
#define rn_signal_notify(c, ...)                                                                     \
    __extension__({                                                                                  \
        RN__MAY_SEND(c);                                                                             \
        RN_STATIC_ASSERT(RN__IS_INT_CHAN(c), "signal_notify: the channel's elements must be int");   \
        const int rn_signals_[] = {0, ##__VA_ARGS__};                                                \
        rn__signal_notify(RN__CH(c), rn_signals_ + 1, sizeof rn_signals_ / sizeof *rn_signals_ - 1); \
    })
#ifdef __cplusplus
#define RN__IS_INT_CHAN(c) (sizeof(RN_ELEM(c)) == sizeof(int))
#else
#define RN__IS_INT_CHAN(c) __builtin_types_compatible_p(RN_ELEM(c), int)
#endif

/* signal_ignore(SIGHUP, …): these are ignored, and no longer sent to anybody who asked for them.
 * signal_reset(…): nobody has asked for them, and they do what they did before runnel.  With none
 * named: all that can be had, and all that were touched.  0, or RN_EINVAL as above. */
#define rn_signal_ignore(...) RN__SIGNALS(rn__signal_ignore, ##__VA_ARGS__)
#define rn_signal_reset(...) RN__SIGNALS(rn__signal_reset, ##__VA_ARGS__)
#define RN__SIGNALS(f, ...)                                               \
    __extension__({                                                       \
        const int rn_signals_[] = {0, ##__VA_ARGS__};                     \
        f(rn_signals_ + 1, sizeof rn_signals_ / sizeof *rn_signals_ - 1); \
    })

/* ctx_with_signals(parent, SIGINT, …): a context that is done when one of these comes, when its parent
 * is, or by ctx_cancel; from that moment the signals do again what they did before, so that a
 * second Ctrl-C ends a program that takes long to finish.  ctx_cause is RN_ESIGNAL(signo) when it was
 * a signal.  With none named: every signal that can be had.  Its maker calls ctx_cancel, as for every
 * context.  Panics when there is no memory, and for a signal that can't be had. */
#define rn_ctx_with_signals(parent, ...)                                                               \
    __extension__({                                                                                    \
        const int rn_signals_[] = {0, ##__VA_ARGS__};                                                  \
        rn__ctx_with_signals((parent), rn_signals_ + 1, sizeof rn_signals_ / sizeof *rn_signals_ - 1); \
    })

/* The cause of a context that a signal has ended: rn_strerror gives the signal's description. */
#define RN_ESIGNAL(signo) (-10500 - (signo))

RN_EXTERN_C_BEGIN

/* No signal is sent to c any more once this returns; one that has come before has been sent by then.
 * Signals that nobody else has asked for do what they did before.  A channel that never asked for any:
 * nothing happens. */
RN_PUBLIC void rn_signal_stop(const volatile void *c);
/* Whether the signal is ignored, by signal_ignore or from outside (nohup). */
RN_PUBLIC bool rn_signal_ignored(int signo);

RN_PUBLIC int rn__signal_notify(void *c, const int *signals, size_t n);
RN_PUBLIC int rn__signal_ignore(const int *signals, size_t n);
RN_PUBLIC int rn__signal_reset(const int *signals, size_t n);
RN_PUBLIC rn_context *rn__ctx_with_signals(rn_context *parent, const int *signals, size_t n) RN_MUST_USE;

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define signal_notify(c, ...) rn_signal_notify(c, ##__VA_ARGS__)
#define signal_stop rn_signal_stop
#define signal_ignore(...) rn_signal_ignore(__VA_ARGS__)
#define signal_ignored rn_signal_ignored
#define signal_reset(...) rn_signal_reset(__VA_ARGS__)
#define ctx_with_signals(parent, ...) rn_ctx_with_signals(parent, ##__VA_ARGS__)
#endif

#endif
