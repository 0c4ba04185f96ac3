/* aarch64: leaving frames, and calls that must know their frame.  See arch/unwind.h; regs[] is laid out
 * as in unwind_regs.h: x0 … x30, sp, d8 … d15, pc. */

        .text
        .globl  rn__arch_resume
        .hidden rn__arch_resume
        .type   rn__arch_resume, %function
        .p2align 4
rn__arch_resume:
        .cfi_startproc
        .cfi_undefined x30
        hint    #34             /* bti c */
        ldp     x19, x20, [x0, #152]
        ldp     x21, x22, [x0, #168]
        ldp     x23, x24, [x0, #184]
        ldp     x25, x26, [x0, #200]
        ldp     x27, x28, [x0, #216]
        ldp     x29, x30, [x0, #232]
        ldp     d8, d9, [x0, #256]
        ldp     d10, d11, [x0, #272]
        ldp     d12, d13, [x0, #288]
        ldp     d14, d15, [x0, #304]
        ldr     x9, [x0, #248]
        ldr     x17, [x0, #320]
        mov     sp, x9
        mov     x0, #0
        mov     x1, #0
        movi    v0.2d, #0
        movi    v1.2d, #0
        movi    v2.2d, #0
        movi    v3.2d, #0
        ret     x17
        .cfi_endproc
        .size   rn__arch_resume, . - rn__arch_resume

        .globl  rn__arch_call_deferred
        .hidden rn__arch_call_deferred
        .type   rn__arch_call_deferred, %function
        .p2align 4
rn__arch_call_deferred:
        .cfi_startproc
        hint    #34
        stp     x29, x30, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        mov     x29, sp
        mov     x9, x0
        mov     x0, x1
        mov     x10, sp
        str     x10, [x2]
        blr     x9
        ldp     x29, x30, [sp], #16
        .cfi_adjust_cfa_offset -16
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   rn__arch_call_deferred, . - rn__arch_call_deferred

        .globl  rn__arch_call_on
        .hidden rn__arch_call_on
        .type   rn__arch_call_on, %function
        .p2align 4
rn__arch_call_on:
        .cfi_startproc
        hint    #34
        stp     x29, x30, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        mov     x29, sp
        .cfi_def_cfa_register x29
        mov     sp, x0
        mov     x0, x2
        blr     x1
        mov     sp, x29
        .cfi_def_cfa_register sp
        ldp     x29, x30, [sp], #16
        .cfi_adjust_cfa_offset -16
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   rn__arch_call_on, . - rn__arch_call_on

        .section .note.GNU-stack, "", %progbits
