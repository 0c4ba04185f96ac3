/* runnel/go.h: goroutines, defer, panic, and the runtime's beginning and end.
 *
 *     static void greet(const char *who, int times) { … }
 *
 *     int rn_main(int argc, char **argv)
 *     {
 *         go(greet, "world", 3);          // evaluated and converted here as by a call of greet
 *         rn_sleep(RN_MILLISECOND);
 *         return 0;                       // the program ends, whatever greet does
 *     }
 *
 * A program defines rn_main and links with the library, which brings main; or it keeps its own main
 * and calls rn_run.
 */
#ifndef RUNNEL_GO_H
#define RUNNEL_GO_H

#include <runnel/base.h>

RN_EXTERN_C_BEGIN

/* ---- starting ------------------------------------------------------------------------------ */

/* How a goroutine ended, for whoever started it (wg_go, scope_go …). */
enum rn_ended { RN_ENDED_RETURN, RN_ENDED_EXIT, RN_ENDED_PANIC };

struct rn_panic;

/* What rn_go_with and its relatives pass beside the call itself.  Its options are name, stack and try_. */
struct rn_go_call {
    void *entry;      /* the function; set by the macros */
    const char *name; /* shown in traces instead of the function's; must outlive the goroutine */
    size_t stack;     /* bytes of stack; 0: the default (rn_set_stack, RUNNEL_STACK, 64 KiB) */
    /* Called on the new goroutine when it ends, after its deferred calls.  For RN_ENDED_PANIC it
     * returns true if it has taken the panic over; otherwise the panic ends the program. */
    bool (*ended)(void *owner, enum rn_ended how, intptr_t result, struct rn_panic *panic);
    void *owner;
    bool try_; /* report failure in err instead of panicking */
    int err;
};

#ifndef __cplusplus
/* go(f, args…): starts f(args…) as a new goroutine and returns at once.  The compiler checks and converts the arguments
 * as for a call; they are evaluated here, in the caller.  f returns void or a scalar (on x86-64 not a long double),
 * which is dropped.  The arguments take at most 256 bytes (16 bytes for each scalar, structs by their size, on aarch64
 * at most 16), and none is aligned to more than 16; for others pass a pointer.  f may be noreturn (with clang, if the
 * attribute says so, only with arguments of exactly its parameters' types).  Panics ("go: …") when memory or stacks run
 * out.  May let other goroutines run first if very many that have not started yet are queued.  f == NULL is fatal.  May
 * be called by goroutines, and by plain threads while rn_run is under way; without a run it panics.  A thread that may
 * outlive the run uses rn_go_try.
 * Happens before: everything before go happens before the start of f.  (Go spec, "Go statements".) */
#define rn_go(...) RN__GO(__VA_ARGS__) /* this way, here and below, an argument may start goroutines in turn */
/* As go, but returns 0, RN_ENOMEM if there is no memory or stack, or RN_EAGAIN if no run is under way or the run is
 * ending.  A goroutine that is started while a run ends may be discarded before it has begun. */
#define rn_go_try(...) RN__GO_TRY(__VA_ARGS__)
/* go with options: rn_go_with((.name = "reader", .stack = 256 << 10), f, args…).  Its value is 0; with .try_ = true it does
 * not panic, and its value is that of rn_go_try. */
#define rn_go_with(...) RN__GO_WITH(__VA_ARGS__)

/* Runs f(args…) as the main goroutine of a fresh runtime on this thread and returns what it returned (0 for void),
 * after every thread of the runtime has ended.  Goroutines that still exist when f returns are discarded, without
 * running their deferred calls.  They are taken out of the queues of channels, locks and contexts that live on, and a
 * lock that was being handed to one of them goes to the next; but locks that they held stay locked, and timers that
 * they set never fire.  Plain threads may continue meanwhile: they neither send to nor wake a discarded goroutine, and
 * their own timeouts and timers pass.  May be called again afterwards; not from a goroutine, and not by two threads at
 * once (both panic). */
#define rn_run(f, ...)                                                     \
    __extension__({                                                        \
        struct rn_go_call rn_call_ = {.entry = (void *)(f)};               \
        rn__run_prepare(&rn_call_);                                        \
        bool rn_void_ = rn__go_with_chain(&rn_call_, 1, f, ##__VA_ARGS__); \
        int rn_status_ = rn__run_wait(&rn_call_);                          \
        rn_void_ ? 0 : rn_status_;                                         \
    })
#endif /* !__cplusplus; see runnel/cxx.h for C++ */

/* Defined by a program that leaves main to the library.  Its value is the exit status.  If standard input, output or
 * error is closed at the start, /dev/null takes its place, as in Go, because the next descriptor that is opened would
 * get its number. */
RN_PUBLIC int rn_main(int argc, char **argv);

/* How many goroutines may run at once.  At first that is RUNNEL_PROCS in the environment, or else what the
 * machine, the affinity mask and the cgroup allow.  rn_set_procs changes it, at
 * any time, for the current and later runs, and returns 0; n < 1 is RN_EINVAL, more than 256 is capped. */
RN_PUBLIC int rn_procs(void);
RN_PUBLIC int rn_set_procs(int n);

/* Sets the bytes of stack for every goroutine that does not ask for a size of its own, those of wg_go, group_go,
 * scope_go and of HTTP handlers included: 16 KiB to 1 GiB, otherwise RN_EINVAL.  (The main goroutine has 8 MiB.)
 * RUNNEL_STACK in the environment takes precedence if it is larger.  Applies to later runs; RN_EBUSY while one is under
 * way.  So a program with rn_main calls it before that:
 *
 *     __attribute__((constructor)) static void before_main(void) { rn_set_stack(256 << 10); }
 */
RN_PUBLIC int rn_set_stack(size_t bytes);

/* How many goroutines exist now, the main one included. */
RN_PUBLIC size_t rn_num_goroutines(void);

/* ---- in a goroutine ------------------------------------------------------------------------ */

/* Lets the other runnable goroutines go first.  Plain threads: sched_yield. */
RN_PUBLIC void rn_yield(void);

/* Runs the deferred calls of this goroutine, then ends it, and only it (Go's Goexit).  In the main
 * goroutine the others go on; when they have all ended: fatal "no goroutines (main called
 * rn_exit_goroutine) - deadlock!".  Not from a plain thread: panics. */
RN_PUBLIC RN_NORETURN void rn_exit_goroutine(void);

/* Between rn_pin and rn_unpin this goroutine stays on its thread, and no other goroutine runs on that thread: for
 * thread-local state, OpenGL and the like (Go's LockOSThread).  Calls nest.  A goroutine that ends without rn_unpin
 * gives its thread back as it is (Go ends the thread).  What it changes about the thread (affinity, priority, signal
 * mask) is not passed on to threads that are started meanwhile.  On a plain thread they do nothing. */
RN_PUBLIC void rn_pin(void);
RN_PUBLIC void rn_unpin(void);

/* To be called around a call that is known to block for long: the processor is handed to other goroutines at once,
 * instead of after the monitor has noticed.  Nothing of runnel may be called in between.  Calls do not nest.  On a plain thread they do
 * nothing. */
RN_PUBLIC void rn_blocking_enter(void);
RN_PUBLIC void rn_blocking_leave(void);

/* Names this goroutine, or plain thread, in traces; the text must outlive it.  NULL: it has none. */
RN_PUBLIC void rn_set_name(const char *name);

/* ---- defer --------------------------------------------------------------------------------- */

/* defer(f, arg), or defer(f): f(arg) runs when the enclosing scope is left, by its end, return, break, goto, a
 * panic or rn_exit_goroutine; last deferred, first run.  arg is evaluated now; it is a pointer or
 * an integer.  Not left by longjmp.  A function that defers is never inlined, since a recovered
 * panic returns from it: it can't be always_inline. */
#define rn_defer(...) \
    RN__DEFER_PICK(__VA_ARGS__, RN__DEFER_MANY, RN__DEFER_MANY, RN__DEFER_ONE, RN__DEFER_NONE, )(__VA_ARGS__)
/* The same in a function that returns a struct or union of type T (clang and gcc 14 can't do without). */
#define rn_defer_in(T, f, arg) RN__DEFER(RN_CAT(rn_defer_, __COUNTER__), f, arg, return (T){0})

/* ---- panic --------------------------------------------------------------------------------- */

/* rn_panic("text %d", …) runs this goroutine's deferred calls, newest first.  Unless one of them recovers, the program
 * prints "panic: <text>" and every goroutine with its state and stack trace, and exits with status 2. */
#if defined(__cplusplus) && !defined(__clang__) /* they have the same name as in C, a function and a struct */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
RN_PUBLIC RN_NORETURN void rn_panic(const char *format, ...) RN_PRINTF(1, 2);
#if defined(__cplusplus) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
/* A panic that carries a value for rn_recover_value; text is copied, and may be NULL when the value says it all. */
RN_PUBLIC RN_NORETURN void rn_panic_value(void *value, const char *text);

/* Called directly in a deferred function, rn_recover() stops the panic that runs that function and returns the panic's
 * text, a const char * that lives until the goroutine panics or recovers again, or ends; NULL if there is no panic or
 * the caller was not deferred.  When the deferred call returns, the function that had deferred it runs its other
 * deferred calls and returns to its caller, with the value 0 if it returns one (a struct, or on x86-64 a long double,
 * is undefined).  In C++ a function whose only way out is a panic is to be called through a pointer that may change, or
 * from another file: compilers take it for one that never returns (docs/design/panics.md). */
#define rn_recover() rn__recover(RN__CFA(), RN__NOT_INLINED())
/* As rn_recover; returns whether it recovered, and stores the value of rn_panic_value (else NULL) in the
 * void * that `value` points to. */
#define rn_recover_value(value) rn__recover_value(RN__CFA(), RN__NOT_INLINED(), (value))

/* Prints "fatal error: <text>" and the listing of all goroutines, and exits with status 2.  Can't be recovered. */
RN_PUBLIC RN_NORETURN void rn_fatal(const char *format, ...) RN_PRINTF(1, 2);

/* ---- what the macros above are made of: not for programs ---------------------------------------- */

/* The CFA of the function that this stands in, and an address with which its variables' part of the frame ends at the
 * latest.  clang's __builtin_dwarf_cfa is the second one on aarch64. */
#if defined(__clang__) && defined(__aarch64__)
#define RN__CFA() NULL
#define RN__WITH_FRAME __attribute__((not_tail_called)) /* of a caller that has a frame then */
#define RN__IN_FRAME() (__extension__((char *)__builtin_frame_address(0) + 1))
#else
#define RN__CFA() __builtin_dwarf_cfa()
#define RN__WITH_FRAME
#define RN__IN_FRAME() __builtin_dwarf_cfa()
#endif

#ifndef __cplusplus
#define RN__GO(f, ...) ((void)rn__go_with_chain((void *)(f), 0, f, ##__VA_ARGS__))
#define RN__GO_TRY(f, ...)                                                 \
    __extension__({                                                        \
        struct rn_go_call rn_call_ = {.entry = (void *)(f), .try_ = true}; \
        (void)rn__go_with_chain(&rn_call_, 1, f, ##__VA_ARGS__);           \
        rn_call_.err;                                                      \
    })
#define RN__GO_WITH(options, f, ...)                             \
    __extension__({                                              \
        struct rn_go_call rn_call_ = {RN__STRIP options};        \
        rn_call_.entry = (void *)(f);                            \
        (void)rn__go_with_chain(&rn_call_, 1, f, ##__VA_ARGS__); \
        rn_call_.err;                                            \
    })
#define RN__STRIP(...) __VA_ARGS__

/* The call goes through f's own type to an assembly routine that keeps the argument registers and
 * a bounded piece of the stack; f (or a struct rn_go_call) travels in the static-chain register. */
#define rn__go_with_chain(chain, kind, f, ...)                                                                      \
    __extension__({                                                                                                 \
        typedef __typeof__((f)(__VA_ARGS__)) rn_result_;                                                            \
        RN_STATIC_ASSERT(RN__IS_SCALAR(rn_result_), "go: the function must return void or a scalar, not a struct"); \
        RN_STATIC_ASSERT(RN__EACH(RN__IS_KEPT, RN__AND, 1, 1, ##__VA_ARGS__),                                       \
                         "go: a struct of more than 16 bytes is passed by reference here; pass a pointer");         \
        RN_STATIC_ASSERT(RN__IS_DROPPED(rn_result_), "go: the function must not return a long double");             \
        RN_STATIC_ASSERT(                                                                                           \
            RN__ARGS_BYTES(__VA_ARGS__) <= 256,                                                                     \
            "go: the arguments take more than 256 bytes, or are aligned to more than 16; pass a pointer");          \
        void *rn_entry_ = (void *)rn__go_entries[(kind) + RN__GO_ENTRY(f, rn_result_, ##__VA_ARGS__)];              \
        __asm__("" : "+r"(rn_entry_)); /* the optimiser must not know whom it calls */                              \
        void *rn_chain_ = (chain);     /* gcc fails on `a ? f : g` in the call itself */                            \
        RN__UNUSED((void)__builtin_call_with_static_chain(                                                          \
            ((RN__GO_AS(f, rn_result_, ##__VA_ARGS__))rn_entry_)(__VA_ARGS__), rn_chain_));                         \
        __asm__ volatile(""); /* not the last thing of its function: a jump would not say who started it */         \
        RN__IS_VOID(rn_result_);                                                                                    \
    })
/* What f returns is not dropped here, but by who starts it, who may well look at it. */
#define RN__UNUSED(call)                                                                       \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wunused-result\"") call; \
    _Pragma("GCC diagnostic pop")
/* The type that this call has: f's, but for a noreturn, behind which nothing would be compiled.  That is no part of a
 * type made of the arguments', where f takes them as they are; nor, for gcc, of a function's that is named and not
 * pointed at.  (clang with arguments that are converted keeps it: nothing there takes it away.) */
#define RN__GO_AS(f, result, ...)                                                                                \
    __typeof__(__builtin_choose_expr(                                                                            \
        RN__TAKES_AS_IS(f, result, ##__VA_ARGS__), (RN__GO_TAKING(result, ##__VA_ARGS__) *)0,                    \
        __builtin_choose_expr(__builtin_types_compatible_p(__typeof__(f), __typeof__(*(f))), (__typeof__(f) *)0, \
                              (f))))
#define RN__GO_TAKING(result, ...) __typeof__(result(RN__EACH(RN__DECAYED, RN__COMMA, void, void, ##__VA_ARGS__)))
#define RN__TAKES_AS_IS(f, result, ...) \
    __builtin_types_compatible_p(__typeof__(*(f)), RN__GO_TAKING(result, ##__VA_ARGS__))
#define RN__IS_VOID(T) __builtin_types_compatible_p(T, void)
/* Not a struct (12) or union (13). */
#define RN__IS_SCALAR(T) (RN__CLASS(T) != 12 && RN__CLASS(T) != 13)
#define RN__CLASS(T) __builtin_classify_type(*__builtin_choose_expr(RN__IS_VOID(T), (int *)0, (T *)0))

/* x86-64 returns a long double on a stack of its own in the processor: who starts f would take one that is not there,
 * and the one that f leaves would stay. */
#ifdef __x86_64__
#define RN__IS_DROPPED(T) \
    (!__builtin_types_compatible_p(T, long double) && !__builtin_types_compatible_p(T, _Complex long double))
#else
#define RN__IS_DROPPED(T) 1
#endif

/* An upper bound of what the arguments can take on the stack: 16 bytes each, or a struct's size rounded up.  Arrays and
 * functions decay in the comma operator.  What is aligned to more than 16, as vectors of 32 bytes are, finds neither
 * room in the registers nor its place on a new stack: too much. */
#define RN__ARGS_BYTES(...) ((size_t)0 + RN__EACH(RN__ARG_BYTES, RN__PLUS, 0, 17 * 16, ##__VA_ARGS__))
#define RN__ARG_BYTES(x) \
    (sizeof(RN__DECAYED(x)) <= 16 ? 16 : RN__ALIGNED(x) > 16 ? 512 : (sizeof(RN__DECAYED(x)) + 15) / 16 * 16)
#define RN__ALIGNED(x) __alignof__(RN__DECAYED(x))
#define RN__DECAYED(x) __typeof__(((void)0, (x)))
/* What is larger is passed by reference on aarch64, to a copy in the frame of the caller, who goes on.  (Structs of up
 * to four floating-point numbers are not; nothing tells these apart.) */
#ifdef __aarch64__
#define RN__IS_KEPT(x) (sizeof(RN__DECAYED(x)) <= 16)
#else
#define RN__IS_KEPT(x) 1
#endif

/* Which of the entries takes these arguments.  0: each certainly goes into one integer register, as it is a pointer,
 * which converts to nothing that goes elsewhere (three of them: to an integer of two registers it does, with a
 * warning), or an integer or pointer of the parameter's own type. */
#define RN__GO_ENTRY(f, result, ...) \
    (RN__ARGS_WORDS(f, result, ##__VA_ARGS__) ? 0 : RN__ARGS_BYTES(__VA_ARGS__) <= 64 ? 2 : 4)
#define RN__ARGS_WORDS(f, result, ...)                                                                    \
    ((RN__EACH(RN__IS_POINTER, RN__AND, 1, 0, ##__VA_ARGS__) && RN__ARGS_BYTES(__VA_ARGS__) <= 3 * 16) || \
     (RN__EACH(RN__IS_WORD, RN__AND, 1, 0, ##__VA_ARGS__) && RN__ARGS_BYTES(__VA_ARGS__) <= 6 * 16 &&     \
      RN__TAKES_AS_IS(f, result, ##__VA_ARGS__)))
#define RN__IS_POINTER(x) (RN__CLASS_OF(x) == 5)
#define RN__IS_WORD(x) (RN__CLASS_OF(x) >= 1 && RN__CLASS_OF(x) <= 5 && sizeof(RN__DECAYED(x)) <= 8)
#define RN__CLASS_OF(x) __builtin_classify_type(((void)0, (x)))

/* M(x) of each argument, with J() between them; `none` when there are none, `many` when there are 17 to 20. */
#define RN__EACH(M, J, none, many, ...)                                                                           \
    RN__EACH_PICK(0, ##__VA_ARGS__, RN__EACH_MANY, RN__EACH_MANY, RN__EACH_MANY, RN__EACH_MANY, RN__EACH_16,      \
                  RN__EACH_15, RN__EACH_14, RN__EACH_13, RN__EACH_12, RN__EACH_11, RN__EACH_10, RN__EACH_9,       \
                  RN__EACH_8, RN__EACH_7, RN__EACH_6, RN__EACH_5, RN__EACH_4, RN__EACH_3, RN__EACH_2, RN__EACH_1, \
                  RN__EACH_0)                                                                                     \
    (M, J, none, many, ##__VA_ARGS__)
#define RN__EACH_PICK(z, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, pick, ...) pick
#define RN__PLUS() +
#define RN__AND() &&
#define RN__COMMA() ,
#define RN__EACH_MANY(M, J, none, many, ...) many
#define RN__EACH_0(M, J, none, many) none
#define RN__EACH_1(M, J, none, many, x) M(x)
#define RN__EACH_2(M, J, none, many, x, ...) M(x) J() RN__EACH_1(M, J, none, many, __VA_ARGS__)
#define RN__EACH_3(M, J, none, many, x, ...) M(x) J() RN__EACH_2(M, J, none, many, __VA_ARGS__)
#define RN__EACH_4(M, J, none, many, x, ...) M(x) J() RN__EACH_3(M, J, none, many, __VA_ARGS__)
#define RN__EACH_5(M, J, none, many, x, ...) M(x) J() RN__EACH_4(M, J, none, many, __VA_ARGS__)
#define RN__EACH_6(M, J, none, many, x, ...) M(x) J() RN__EACH_5(M, J, none, many, __VA_ARGS__)
#define RN__EACH_7(M, J, none, many, x, ...) M(x) J() RN__EACH_6(M, J, none, many, __VA_ARGS__)
#define RN__EACH_8(M, J, none, many, x, ...) M(x) J() RN__EACH_7(M, J, none, many, __VA_ARGS__)
#define RN__EACH_9(M, J, none, many, x, ...) M(x) J() RN__EACH_8(M, J, none, many, __VA_ARGS__)
#define RN__EACH_10(M, J, none, many, x, ...) M(x) J() RN__EACH_9(M, J, none, many, __VA_ARGS__)
#define RN__EACH_11(M, J, none, many, x, ...) M(x) J() RN__EACH_10(M, J, none, many, __VA_ARGS__)
#define RN__EACH_12(M, J, none, many, x, ...) M(x) J() RN__EACH_11(M, J, none, many, __VA_ARGS__)
#define RN__EACH_13(M, J, none, many, x, ...) M(x) J() RN__EACH_12(M, J, none, many, __VA_ARGS__)
#define RN__EACH_14(M, J, none, many, x, ...) M(x) J() RN__EACH_13(M, J, none, many, __VA_ARGS__)
#define RN__EACH_15(M, J, none, many, x, ...) M(x) J() RN__EACH_14(M, J, none, many, __VA_ARGS__)
#define RN__EACH_16(M, J, none, many, x, ...) M(x) J() RN__EACH_15(M, J, none, many, __VA_ARGS__)
#endif

RN_PUBLIC extern void (*const rn__go_entries[6])(void);
/* Starts f(arg) as `call` says; for C++, and for languages without macros. */
RN_PUBLIC void rn__go_one(struct rn_go_call *call, intptr_t (*f)(void *), void *arg);
RN_PUBLIC void rn__run_prepare(struct rn_go_call *call);
RN_PUBLIC int rn__run_wait(struct rn_go_call *call);

struct rn_defer {
    struct rn_defer *up;
    void (*f)(void *);
    void *arg;
    void *frame; /* with AddressSanitizer, which may keep this record elsewhere: the CFA of its function */
};
#define RN__DEFER_PICK(f, a, b, c, how, ...) how
#define RN__DEFER_NONE(f) \
    RN__DEFER_AS(RN_CAT(rn_defer_, __COUNTER__), f, 0, RN__RETURN_SCALAR, (void)sizeof(((f)(), 0)))
#define RN__DEFER_ONE(f, arg) RN__DEFER(RN_CAT(rn_defer_, __COUNTER__), f, arg, RN__RETURN_SCALAR)
#define RN__DEFER_MANY(...) \
    RN_STATIC_ASSERT(0,     \
                     "a deferred function has one argument at most: a pointer to a struct, or a value in parentheses")
/* The record is the goroutine's, for a panic; what leaving the scope needs stays in registers. */
#define RN__DEFER(name, func, a, leave) RN__DEFER_AS(name, func, a, leave, RN__DEFER_CHECK(func, a))
#define RN__DEFER_AS(name, func, a, leave, check) \
    RN__AT_END(name, func, a);                    \
    check;                                        \
    RN__MAY_RETURN(RN_CAT(name, _list), leave);   \
    (void)RN__NOT_INLINED()
/* A deferred call that never recovers, so that the function around it needs none of what follows. */
#define RN__AT_END(name, func, a)                                                                \
    void (*const RN_CAT(name, _f))(void *) = (void (*)(void *))(void (*)(void))(func);           \
    void *const RN_CAT(name, _arg) = (void *)(uintptr_t)(a);                                     \
    struct rn_defer name;                                                                        \
    name.f = RN_CAT(name, _f);                                                                   \
    name.arg = RN_CAT(name, _arg);                                                               \
    RN__NOTE_FRAME(name);                                                                        \
    struct rn_defers RN_CAT(name, _list) = rn__defer_enter(&name);                               \
    __attribute__((cleanup(rn__defer_leave), unused)) struct rn_deferred RN_CAT(name, _kept) = { \
        RN_CAT(name, _list).top, RN_CAT(name, _list).before, RN_CAT(name, _f), RN_CAT(name, _arg)}
#define RN__NOTE_FRAME(d) ((void)0)
#if defined(__SANITIZE_ADDRESS__)
#undef RN__NOTE_FRAME
#define RN__NOTE_FRAME(d) ((d).frame = RN__IN_FRAME())
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef RN__NOTE_FRAME
#define RN__NOTE_FRAME(d) ((d).frame = RN__IN_FRAME())
#endif
#endif
/* The function that this stands in is not inlined or copied: gcc and clang do neither when the address of
 * a label is kept.  Costs no instruction.  (In C++ the variable would come into an inline function's group,
 * where it may not name a label.)  The value is an address in that function, in C++ NULL. */
#ifdef __cplusplus
#define RN__NOT_INLINED()                                                                                  \
    __extension__({                                                                                        \
        __label__ rn_here_;                                                                                \
    rn_here_:                                                                                              \
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpedantic\"") /* in templates */ \
            __asm__ volatile(""                                                                            \
                             :                                                                             \
                             : "r"(&&rn_here_));                                                           \
        _Pragma("GCC diagnostic pop")(const void *) NULL;                                                  \
    })
#else
#define RN__NOT_INLINED()                       \
    __extension__({                             \
        __label__ rn_here_;                     \
        static const void *rn_at_ = &&rn_here_; \
    rn_here_:                                   \
        __asm__ volatile("" : : "m"(rn_at_));   \
        rn_at_;                                 \
    })
#endif
#define RN__NOWHERE ((struct rn_defer *)(uintptr_t)1)
/* A function that defers may return, with a value that is not known, even if it ends in a panic or always
 * returns the same; the compiler must not think otherwise of calls of it.  Hence a return if rn__defer_enter
 * says so by RN__NOWHERE, which it never does.  (C++ has no return without a type.) */
#ifdef __cplusplus
#define RN__DEFER_CHECK(f, a) ((void)0)
#define RN__MAY_RETURN(entered, leave) (void)(entered)
#else
/* f can be called with a, and what a function takes as a double would never reach it as a pointer. */
#define RN__DEFER_CHECK(f, a)                                                                                      \
    ((void)__extension__({                                                                                         \
        RN_STATIC_ASSERT(__builtin_classify_type(a) != 8 && !RN__TAKES(f, a, float) && !RN__TAKES(f, a, double) && \
                             !RN__TAKES(f, a, long double),                                                        \
                         "the argument must be a pointer or an integer, and the function must take it as one");    \
        sizeof(((f)(a)), 0);                                                                                       \
    }))
#define RN__TAKES(f, a, T) __builtin_types_compatible_p(__typeof__(&*(f)), __typeof__((f)(a)) (*)(T))
#define RN__MAY_RETURN(entered, leave)                     \
    __extension__({                                        \
        int rn_unknown_ = (entered).before == RN__NOWHERE; \
        if (__builtin_expect(rn_unknown_, 0)) {            \
            RN__QUIETLY(leave);                            \
        }                                                  \
    })
#if defined(__clang__) || __GNUC__ >= 14 /* these reason about what a function returns */
/* (A value that is not known: in this branch rn_unknown_ is 1, and under -flto the callers would hear of it.) */
#define RN__RETURN_SCALAR            \
    __asm__("" : "+r"(rn_unknown_)); \
    return rn_unknown_
#else
#define RN__RETURN_SCALAR return
#endif
/* A return that does not fit the function's type, without a warning. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 14
#define RN__QUIETLY(leave)                                                                                             \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wreturn-type\"")                                 \
        _Pragma("GCC diagnostic ignored \"-Wreturn-mismatch\"") _Pragma("GCC diagnostic ignored \"-Wint-conversion\"") \
            leave;                                                                                                     \
    _Pragma("GCC diagnostic pop")
#else
#define RN__QUIETLY(leave)                                                             \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wreturn-type\"") \
        _Pragma("GCC diagnostic ignored \"-Wint-conversion\"") leave;                  \
    _Pragma("GCC diagnostic pop")
#endif
#ifndef __clang__ /* gcc can silence this warning in one place only if it is on */
#pragma GCC diagnostic push
#pragma GCC diagnostic warning "-Wreturn-type"
#pragma GCC diagnostic pop
#endif
#endif

/* The goroutine's list of records, and what it was before. */
struct rn_defers {
    struct rn_defer **top, *before;
};
struct rn_deferred {
    struct rn_defer **top, *before;
    void (*f)(void *);
    void *arg;
};
/* Where this thread's goroutine keeps its list; NULL on a thread that never entered the library.  A goroutine
 * may go on with another thread after any call, so the compiler must not keep the thread's address: hence
 * the assembly. */
extern RN_PUBLIC __thread struct rn_defer **rn__tls_defers;
RN_PUBLIC RN__UNTRACED inline struct rn_defer **rn__defers_here(void)
{
    struct rn_defer **top;
#if defined(__x86_64__)
    __asm__ volatile(RN__X86_TLS_AT("rn__tls_defers") RN__X86("movq %%fs:(%0), %0", "mov %0, fs:[%0]") : "=r"(top));
#elif defined(__aarch64__)
    uint64_t tp;
    __asm__ volatile("adrp %0, :gottprel:rn__tls_defers\n\t"
                     "ldr %0, [%0, :gottprel_lo12:rn__tls_defers]\n\t"
                     "mrs %1, tpidr_el0\n\t"
                     "ldr %0, [%1, %0]"
                     : "=&r"(top), "=&r"(tp));
#endif
    return top;
}
/* The same on such a thread, which the library knows from then on. */
RN_PUBLIC struct rn_defer **rn__defers_adopt(void);

/* Puts d, filled in but for `up`, on the goroutine's list. */
static inline struct rn_defers rn__defer_enter(struct rn_defer *d)
{
    struct rn_defer **top = rn__defers_here();
    if (__builtin_expect(!top, 0))
        top = rn__defers_adopt();
    /* Atomic, both, for the race detector: it is the library's. */
    struct rn_defers list = {top, __atomic_load_n(top, __ATOMIC_RELAXED)};
    d->up = list.before;
    __atomic_store_n(top, d, __ATOMIC_RELAXED);
    __asm__("" : "+r"(list.before)); /* nobody may know that it is not RN__NOWHERE */
    return list;
}

/* (clang's -fsanitize=undefined would have f's own type; any pointer or integer of its register's is as good.) */
#ifdef __clang__
__attribute__((no_sanitize("function")))
#endif
static inline void
rn__defer_leave(struct rn_deferred *d)
{
    __atomic_store_n(d->top, d->before, __ATOMIC_RELAXED); /* as above */
    d->f(d->arg);
}

#if !defined(__cplusplus) && !defined(__clang__)
/* gcc takes a function that never returns for one whose effects nobody sees: what it stored through a
 * pointer would be lost when the panic is recovered.  So a panic is, for gcc, a call that returns, behind a jump
 * that asm might take to a return; neither costs an instruction.  A function that is declared noreturn says
 * (rn_panic)(...). */
int rn__panic(const char *format, ...) __asm__("rn_panic") RN_PRINTF(1, 2);
int rn__panic_value(void *value, const char *text) __asm__("rn_panic_value");
#define RN__PANICS(call)                  \
    __extension__({                       \
        __label__ rn_out_;                \
        __asm__ goto("" : : : : rn_out_); \
        (void)(call);                     \
        __builtin_unreachable();          \
    rn_out_:                              \
        RN__QUIETLY(return );             \
    })
#define rn_panic(...) RN__PANICS(rn__panic(__VA_ARGS__))
#define rn_panic_value(value, text) RN__PANICS(rn__panic_value((value), (text)))
#endif

/* cfa: of the frame of the one who calls, NULL: the unwinder finds it; in: an address in its code, or NULL. */
RN_PUBLIC RN__WITH_FRAME const char *rn__recover(void *cfa, const void *in);
RN_PUBLIC RN__WITH_FRAME bool rn__recover_value(void *cfa, const void *in, void **value);

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define go(...) rn_go(__VA_ARGS__)
#define defer(...) rn_defer(__VA_ARGS__)
#define defer_in(T, f, arg) rn_defer_in(T, f, arg)
#endif

#ifdef __cplusplus
#include <runnel/cxx.h>
#endif

#endif
