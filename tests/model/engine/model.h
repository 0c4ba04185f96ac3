/* A stateless model checker for small concurrent programs in C: the interface that tests use.
 *
 *     static rn_lock lock;
 *     static int cell;
 *     static void setup(void) { lock = (rn_lock){0}; cell = 0; }
 *     static void add(void) { rn_lock_take(&lock, RN_RANK_CHAN); cell++; rn_lock_release(&lock); }
 *     static void check(void) { MODEL_CHECK(cell == 2); }
 *
 *     MODEL_TEST(lock_excludes, .setup = setup, .thread = {add, add}, .finish = check);
 *     MODEL_MUTANT(lock_excludes, "rn_lock_release", "store_release");
 *
 * The engine runs setup, then the threads under every interleaving of their atomic operations and
 * with every value that the C11 memory model lets each load return, then finish; all from the
 * start for each execution.  So the code must do the same when it meets the same choices: no clock,
 * no addresses from outside, and setup must set every variable again that an execution may change.
 * setup and finish run alone: all that setup did happens before the threads, all that they did
 * happens before finish.
 *
 * An error is a failed MODEL_CHECK, a data race between plain accesses (all of them in code that is
 * compiled with -fsanitize=thread, otherwise those marked by MODEL_READ and MODEL_WRITE), a
 * deadlock, a touch of freed memory, or an execution without end.  The engine then prints the
 * execution and the choices that lead to it.  docs/design/model-checking.md says what is modelled.
 */
#ifndef RN_MODEL_MODEL_H
#define RN_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_THREADS = 4 };

struct model_test {
    const char *name;
    void (*setup)(void);
    void (*thread[MODEL_THREADS])(void);
    void (*finish)(void);
    const char *finds;    /* NULL: every execution passes; else some execution fails, with this in its text */
    const char *outcomes; /* NULL, or exactly the set of model_outcome lines, sorted, separated by '|' */
    int sample;           /* n: not every execution, but n that are chosen by chance, always the same ones */
    int programs;         /* n: for model_program = 0 … n-1, the reduction must give all outcomes that there are */
    uint64_t max;         /* executions; 0: the default.  Needing more is a failure */
    int preemptions;      /* 0: no bound; n: executions with at most n preemptions */
    struct model_test *next;
};
void model_register(struct model_test *t);

#define MODEL_TEST(test_name, ...)                                                       \
    static struct model_test model_test_##test_name = {.name = #test_name, __VA_ARGS__}; \
    __attribute__((constructor)) static void model_register_##test_name(void)            \
    {                                                                                    \
        model_register(&model_test_##test_name);                                         \
    }                                                                                    \
    extern int model_semicolon_

/* Asserts that the test fails when the order at a site is weakened: `in` is the site's function,
 * `operation` its name without rn_ ("store_release"), optionally followed by a space and a piece of
 * the first argument's text.  Every site that matches is weakened, one at a time, to nothing
 * (relaxed; a fence is removed); each must be caught. */
struct model_mutant {
    struct model_test *test;
    const char *in, *operation;
    struct model_mutant *next;
};
void model_register_mutant(struct model_mutant *m);
#define MODEL_MUTANT(test_name, in_func, op_text) MODEL_MUTANT_(test_name, in_func, op_text, __COUNTER__)
#define MODEL_MUTANT_(t, f, o, n) MODEL_MUTANT__(t, f, o, n)
#define MODEL_MUTANT__(test_name, in_func, op_text, n)                                            \
    static struct model_mutant model_mutant_##n = {&model_test_##test_name, in_func, op_text, 0}; \
    __attribute__((constructor)) static void model_register_mutant_##n(void)                      \
    {                                                                                             \
        model_register_mutant(&model_mutant_##n);                                                 \
    }                                                                                             \
    extern int model_semicolon_

/* Ends the execution with an error. */
_Noreturn void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MODEL_CHECK(condition) \
    ((condition) ? (void)0 : model_fail("%s:%d: %s does not hold", model_base(__FILE__), __LINE__, #condition))
const char *model_base(const char *path);

/* Which of the test's programs is explored. */
extern int model_program;

/* Records one line that describes this execution's result; see outcomes. */
void model_outcome(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 0 … MODEL_THREADS-1 in a thread, MODEL_THREADS in setup and finish. */
int model_self(void);
/* A number below n; the engine tries each. */
int model_choose(int n);
/* A line for the trace. */
void model_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Blocking: a thread that waits sleeps until somebody has posted, and takes the post.  What comes
 * before the post happens before the return of the wait.  A second post before the wait is an error
 * (two wake-ups for one wait). */
struct model_token {
    void *cell;
};
void model_wait(struct model_token *t, const char *what);
void model_post(struct model_token *t, const char *what);

/* For tests of code that switches stacks itself: a thread of the model runs on whatever stack it has
 * switched to.  model_stack lays out a stack (its end 64-byte aligned) so that the first switch to
 * the result calls f, which must not return; model_switch saves the registers on the running stack,
 * stores its stack pointer, and goes on at `to`. */
void *model_stack(char *stack, size_t n, void (*f)(void));
void model_switch(void **from, void *to);

/* Plain accesses, for code that is not compiled with -fsanitize=thread. */
void model_plain(const volatile void *p, size_t size, bool write, const void *at);
#define MODEL_READ(p) (model_plain((p), sizeof *(p), false, NULL), *(p))
#define MODEL_WRITE(p, v) (model_plain((p), sizeof *(p), true, NULL), *(p) = (v))

/* Whether the compiler announces every plain access.  Where it does not (beside another sanitizer),
 * tests that must fail and mutants are skipped, since only a data race may show them. */
extern bool model_sees_plain;
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MODEL_SEES_PLAIN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(MODEL_SEES_PLAIN)
__attribute__((constructor)) static void model_plain_is_seen(void)
{
    model_sees_plain = true;
}
#endif

#endif
