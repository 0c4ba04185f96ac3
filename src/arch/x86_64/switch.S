/* x86-64: the context switch and the start of a goroutine.  See arch.h for the contract.
 *
 * A goroutine that is switched away has on its stack, from its saved stack pointer up:
 *     +0   mxcsr (4 bytes), x87 control word (2), unused (2)
 *     +8   r15   +16 r14   +24 r13   +32 r12   +40 rbx   +48 rbp   +56 return address
 * src/arch/unwind.c walks from this.  mxcsr is loaded always, and its status bits with it: to compare with what the
 * thread has means to read what stmxcsr has just stored, which takes 1.7 ns on an EPYC, where ldmxcsr takes 0.2.  The x87
 * control word is loaded when it differs.
 */
#define ON_CPU 8

        .text
        .globl  rn__arch_switch
        .hidden rn__arch_switch
        .type   rn__arch_switch, @function
        .p2align 5
rn__arch_switch:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movzwl  4(%rsp), %ecx
        movq    %rsp, (%rdi)
.Lgo_on:
        movq    (%rsi), %rsp
        /* release: the stores above are before it (TSO).  Pairs with the acquire in whoever
         * resumes from (sched/park.c, loop.c). */
        movb    $0, ON_CPU(%rdi)
        ldmxcsr (%rsp)
        cmpw    4(%rsp), %cx
        jne     2f
1:      addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        leaq    rn__arch_entry(%rip), %rcx
        cmpq    %rcx, (%rsp)
        je      3f
        ret
3:      addq    $8, %rsp        /* it was not left by a call, so no return: sched/switch.h */
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        jmp     rn__arch_entry
        .cfi_adjust_cfa_offset 64
        .cfi_rel_offset %rip, 56
        .cfi_rel_offset %r15, 8
        .cfi_rel_offset %r14, 16
        .cfi_rel_offset %r13, 24
        .cfi_rel_offset %r12, 32
        .cfi_rel_offset %rbx, 40
        .cfi_rel_offset %rbp, 48
2:      fldcw   4(%rsp)
        jmp     1b
        .cfi_endproc
        .size   rn__arch_switch, . - rn__arch_switch

/* The same from one that has ended: there is nothing to save, and nobody comes back.  Jumped to. */
        .globl  rn__arch_leave
        .hidden rn__arch_leave
        .type   rn__arch_leave, @function
        .p2align 4
rn__arch_leave:
        .cfi_startproc
        .cfi_undefined %rip
        fnstcw  -8(%rsp)
        movzwl  -8(%rsp), %ecx
        jmp     .Lgo_on
        .cfi_endproc
        .size   rn__arch_leave, . - rn__arch_leave

/* The first switch to a goroutine comes here, with the function in r12 and rsp at the captured arguments: 6 integer
 * registers, and where rbx is not 0, 8 vector registers; above them its stack arguments.
 * A backtrace ends here: the return address is undefined. */
        .globl  rn__arch_entry
        .hidden rn__arch_entry
        .type   rn__arch_entry, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined %rip
        .cfi_def_cfa %rsp, 8
        nop                     /* a return address points past the call: keep the lookup in here */
rn__arch_entry:
        endbr64
        call    rn__g_begin
        movq    0(%rsp), %rdi
        movq    8(%rsp), %rsi
        movq    16(%rsp), %rdx
        movq    24(%rsp), %rcx
        movq    32(%rsp), %r8
        movq    40(%rsp), %r9
        addq    $48, %rsp
        xorl    %eax, %eax      /* vector registers in use, should the function be variadic */
        testl   %ebx, %ebx
        jne     2f
1:      call    *%r12
        movq    %rax, %rdi
        leaq    3f(%rip), %rax  /* not a call: sched/switch.h */
        pushq   %rax
        jmp     rn__g_end
2:      movups  0(%rsp), %xmm0
        movups  16(%rsp), %xmm1
        movups  32(%rsp), %xmm2
        movups  48(%rsp), %xmm3
        movups  64(%rsp), %xmm4
        movups  80(%rsp), %xmm5
        movups  96(%rsp), %xmm6
        movups  112(%rsp), %xmm7
        subq    $-128, %rsp
        movl    $8, %eax
        jmp     1b
3:      ud2
        .cfi_endproc
        .size   rn__arch_entry, . - rn__arch_entry

/* The go entries: called through the started function's own type, with the function (or a struct
 * rn_go_call) in the static-chain register r10. */
        .macro  GO_ENTRY name, kind, bytes, capture
        .globl  \name
        .hidden \name
        .type   \name, @function
        .p2align 4
\name:
        .cfi_startproc
        endbr64
        movl    $\kind, %eax
        movl    $\bytes, %r11d
        jmp     \capture
        .cfi_endproc
        .size   \name, . - \name
        .endm

        GO_ENTRY rn__go_entry_f_words, 0, 0, .Lcapture_words
        GO_ENTRY rn__go_entry_call_words, 1, 0, .Lcapture_words
        GO_ENTRY rn__go_entry_f, 0, 64, .Lcapture
        GO_ENTRY rn__go_entry_call, 1, 64, .Lcapture
        GO_ENTRY rn__go_entry_f_large, 0, 256, .Lcapture
        GO_ENTRY rn__go_entry_call_large, 1, 256, .Lcapture

/* A struct rn_captured_words at rsp, of `size` bytes with what follows it. */
        .macro  CAPTURE size
        stmxcsr 0(%rsp)
        fnstcw  4(%rsp)
        movq    %rdi, 8(%rsp)
        movq    %rsi, 16(%rsp)
        movq    %rdx, 24(%rsp)
        movq    %rcx, 32(%rsp)
        movq    %r8, 40(%rsp)
        movq    %r9, 48(%rsp)
        movq    %r10, %rdi
        movl    %eax, %esi
        movq    %rsp, %rdx
        leaq    \size + 8(%rsp), %rcx
        movl    %r11d, %r8d
        movq    \size(%rsp), %r9
        call    rn__go_captured
        addq    $\size, %rsp
        .cfi_adjust_cfa_offset -\size
        xorl    %eax, %eax
        ret
        .endm

        .p2align 4
        .cfi_startproc
.Lcapture_words:
        subq    $56, %rsp
        .cfi_adjust_cfa_offset 56
        CAPTURE 56
        .cfi_endproc

        .p2align 4
        .cfi_startproc
.Lcapture:
        subq    $184, %rsp
        .cfi_adjust_cfa_offset 184
        movups  %xmm0, 56(%rsp)
        movups  %xmm1, 72(%rsp)
        movups  %xmm2, 88(%rsp)
        movups  %xmm3, 104(%rsp)
        movups  %xmm4, 120(%rsp)
        movups  %xmm5, 136(%rsp)
        movups  %xmm6, 152(%rsp)
        movups  %xmm7, 168(%rsp)
        CAPTURE 184
        .cfi_endproc

        .globl  rn__arch_fp_control
        .hidden rn__arch_fp_control
        .type   rn__arch_fp_control, @function
rn__arch_fp_control:
        .cfi_startproc
        endbr64
        movq    $0, -8(%rsp)
        stmxcsr -8(%rsp)
        fnstcw  -4(%rsp)
        movq    -8(%rsp), %rax
        ret
        .cfi_endproc
        .size   rn__arch_fp_control, . - rn__arch_fp_control

        .section .note.GNU-stack, "", @progbits
