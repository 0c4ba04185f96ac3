/* x86-64: leaving frames, and calls that must know their frame.  See arch/unwind.h. */

        .text
        .globl  rn__arch_resume
        .hidden rn__arch_resume
        .type   rn__arch_resume, @function
        .p2align 4
rn__arch_resume:
        .cfi_startproc
        endbr64
        /* The new stack pointer first goes to a register: a signal between here and the jump must
         * find a stack that still holds. */
        movq    24(%rdi), %rbx
        movq    48(%rdi), %rbp
        movq    96(%rdi), %r12
        movq    104(%rdi), %r13
        movq    112(%rdi), %r14
        movq    120(%rdi), %r15
        movq    128(%rdi), %rcx
        .cfi_def_cfa %rdi, 0
        .cfi_undefined %rip
        movq    56(%rdi), %rsp
        xorl    %eax, %eax
        xorl    %edx, %edx
        pxor    %xmm0, %xmm0
        pxor    %xmm1, %xmm1
        jmp     *%rcx
        .cfi_endproc
        .size   rn__arch_resume, . - rn__arch_resume

        .globl  rn__arch_call_deferred
        .hidden rn__arch_call_deferred
        .type   rn__arch_call_deferred, @function
        .p2align 4
rn__arch_call_deferred:
        .cfi_startproc
        endbr64
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rsp, (%rdx)
        call    *%rax
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        ret
        .cfi_endproc
        .size   rn__arch_call_deferred, . - rn__arch_call_deferred

        .globl  rn__arch_call_on
        .hidden rn__arch_call_on
        .type   rn__arch_call_on, @function
        .p2align 4
rn__arch_call_on:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        movq    %rdi, %rsp
        movq    %rdx, %rdi
        call    *%rsi
        movq    %rbp, %rsp
        popq    %rbp
        .cfi_def_cfa %rsp, 8
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size   rn__arch_call_on, . - rn__arch_call_on

        .section .note.GNU-stack, "", @progbits
