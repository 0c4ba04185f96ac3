/* Model threads: stacks of their own within one kernel thread.  An execution that ends early simply
 * leaves its stacks; the next one starts on them afresh. */
#include "engine.h"

#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define MODEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MODEL_ASAN 1
#endif
#endif
#ifdef MODEL_ASAN
#include <sanitizer/asan_interface.h>
#endif

enum { STACK = 128 << 10 };

static char stacks[ALL][STACK] __attribute__((aligned(64)));
static void *engine_sp;
static void (*entry[ALL])(void);

void model_start(void);

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl model_switch\n"
        ".type model_switch, @function\n"
        "model_switch:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size model_switch, . - model_switch\n");
enum { SAVED = 6, RETURN_AT = 6, FRAME = 8 }; /* words; one more keeps the alignment of a call */
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl model_switch\n"
        ".type model_switch, %function\n"
        "model_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp]\n    stp x21, x22, [sp, #16]\n    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
        "    mov x2, sp\n    str x2, [x0]\n    mov sp, x1\n"
        "    ldp x19, x20, [sp]\n    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n    ret\n"
        ".size model_switch, . - model_switch\n");
enum { SAVED = 20, RETURN_AT = 11, FRAME = 20 };
#else
#error "the model checker's coroutines know x86-64 and aarch64"
#endif

/* The first frame of every model thread. */
void model_start(void)
{
    int t = running;
    entry[t]();
    threads[t].finished = true;
    coroutine_suspend(&threads[t]);
}

void *model_stack(char *stack, size_t n, void (*f)(void))
{
#ifdef MODEL_ASAN
    __asan_unpoison_memory_region(stack, n);
#endif
    void **top = (void **)(void *)(stack + n - 64);
    top -= FRAME;
    for (int k = 0; k < FRAME; k++)
        top[k] = NULL;
    top[RETURN_AT] = (void *)f;
    return top;
}

void coroutine_make(struct thread *t, void (*f)(void))
{
    int i = (int)(t - threads);
    entry[i] = f;
    t->sp = model_stack(stacks[i], STACK, model_start);
}

void coroutine_resume(struct thread *t)
{
    model_switch(&engine_sp, t->sp);
}

void coroutine_suspend(struct thread *t)
{
    model_switch(&t->sp, engine_sp);
}
