/* x86-64: marking a place and going back to it.  See base/mark.h. */

        .text
        .globl  rn__arch_mark
        .hidden rn__arch_mark
        .type   rn__arch_mark, @function
        .p2align 4
rn__arch_mark:
        .cfi_startproc
        endbr64
        movq    %rbx, (%rdi)
        movq    %rbp, 8(%rdi)
        movq    %r12, 16(%rdi)
        movq    %r13, 24(%rdi)
        movq    %r14, 32(%rdi)
        movq    %r15, 40(%rdi)
        leaq    8(%rsp), %rdx
        movq    %rdx, 48(%rdi)
        movq    (%rsp), %rdx
        movq    %rdx, 56(%rdi)
        xorl    %eax, %eax
        ret
        .cfi_endproc
        .size   rn__arch_mark, . - rn__arch_mark

        .globl  rn__arch_go_back
        .hidden rn__arch_go_back
        .type   rn__arch_go_back, @function
        .p2align 4
rn__arch_go_back:
        .cfi_startproc
        endbr64
        movq    (%rdi), %rbx
        movq    8(%rdi), %rbp
        movq    16(%rdi), %r12
        movq    24(%rdi), %r13
        movq    32(%rdi), %r14
        movq    40(%rdi), %r15
        .cfi_undefined %rip
        movq    48(%rdi), %rsp
        movl    $1, %eax
        jmp     *56(%rdi)
        .cfi_endproc
        .size   rn__arch_go_back, . - rn__arch_go_back

        .section .note.GNU-stack, "", @progbits
