/* aarch64: the context switch and the start of a goroutine.  See arch.h for the contract.
 *
 * A goroutine that is switched away has on its stack, from its saved stack pointer up:
 *     +0 x19 … x28   +80 x29   +88 x30 (where it goes on)   +96 d8 … d15   +160 fpcr   +168 unused
 * src/arch/unwind.c walks from this.  fpcr is loaded only when it differs.
 */
#define ON_CPU 8
#define FRAME 176

        .text
        .globl  rn__arch_switch
        .hidden rn__arch_switch
        .type   rn__arch_switch, %function
        .p2align 5
rn__arch_switch:
        .cfi_startproc
        hint    #34                     /* bti c */
        sub     sp, sp, #FRAME
        .cfi_adjust_cfa_offset FRAME
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x20, 8
        .cfi_rel_offset x21, 16
        .cfi_rel_offset x22, 24
        .cfi_rel_offset x23, 32
        .cfi_rel_offset x24, 40
        .cfi_rel_offset x25, 48
        .cfi_rel_offset x26, 56
        .cfi_rel_offset x27, 64
        .cfi_rel_offset x28, 72
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        .cfi_rel_offset 72, 96
        .cfi_rel_offset 73, 104
        .cfi_rel_offset 74, 112
        .cfi_rel_offset 75, 120
        .cfi_rel_offset 76, 128
        .cfi_rel_offset 77, 136
        .cfi_rel_offset 78, 144
        .cfi_rel_offset 79, 152
        mrs     x9, fpcr
        str     x9, [sp, #160]
        mov     x10, sp
        str     x10, [x0]
.Lgo_on:
        ldr     x10, [x1]
        mov     sp, x10
        /* release: pairs with the acquire in whoever resumes from (sched/park.c, loop.c). */
        add     x11, x0, #ON_CPU
        stlrb   wzr, [x11]
        ldr     x10, [sp, #160]
        cmp     x9, x10
        b.ne    2f
1:      ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        .cfi_remember_state
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore 72
        .cfi_restore 73
        .cfi_restore 74
        .cfi_restore 75
        .cfi_restore 76
        .cfi_restore 77
        .cfi_restore 78
        .cfi_restore 79
        add     sp, sp, #FRAME
        .cfi_adjust_cfa_offset -FRAME
        adr     x9, rn__arch_entry
        cmp     x30, x9
        b.eq    rn__arch_entry          /* it was not left by a call, so no return: sched/switch.h */
        ret
        .cfi_restore_state
2:      msr     fpcr, x10
        b       1b
        .cfi_endproc
        .size   rn__arch_switch, . - rn__arch_switch

/* The same from one that has ended: there is nothing to save, and nobody comes back.  Branched to. */
        .globl  rn__arch_leave
        .hidden rn__arch_leave
        .type   rn__arch_leave, %function
        .p2align 4
rn__arch_leave:
        .cfi_startproc
        .cfi_undefined x30
        mrs     x9, fpcr
        b       .Lgo_on
        .cfi_endproc
        .size   rn__arch_leave, . - rn__arch_leave

/* The first switch to a goroutine comes here, with the function in x20 and sp at the captured arguments: x0 … x7, and
 * where x19 is not 0, q0 … q7; above them its stack arguments.
 * A backtrace ends here: the return address is undefined. */
        .globl  rn__arch_entry
        .hidden rn__arch_entry
        .type   rn__arch_entry, %function
        .p2align 4
        .cfi_startproc
        .cfi_undefined x30
        nop                     /* a return address points past the call: keep the lookup in here */
rn__arch_entry:
        hint    #36                     /* bti j */
        bl      rn__g_begin
        ldp     x2, x3, [sp, #16]
        ldp     x4, x5, [sp, #32]
        ldp     x6, x7, [sp, #48]
        ldp     x0, x1, [sp], #64
        cbnz    x19, 2f
1:      blr     x20
        adr     x30, 3f         /* not a call: sched/switch.h */
        b       rn__g_end
2:      ldp     q2, q3, [sp, #32]
        ldp     q4, q5, [sp, #64]
        ldp     q6, q7, [sp, #96]
        ldp     q0, q1, [sp], #128
        b       1b
3:      brk     #1
        .cfi_endproc
        .size   rn__arch_entry, . - rn__arch_entry

/* The go entries: called through the started function's own type, with the function (or a struct
 * rn_go_call) in the static-chain register x18. */
        .macro  GO_ENTRY name, kind, bytes, capture
        .globl  \name
        .hidden \name
        .type   \name, %function
        .p2align 4
\name:
        .cfi_startproc
        hint    #34                     /* bti c */
        mov     w9, #\kind
        mov     w10, #\bytes
        b       \capture
        .cfi_endproc
        .size   \name, . - \name
        .endm

        GO_ENTRY rn__go_entry_f_words, 0, 0, .Lcapture_words
        GO_ENTRY rn__go_entry_call_words, 1, 0, .Lcapture_words
        GO_ENTRY rn__go_entry_f, 0, 64, .Lcapture
        GO_ENTRY rn__go_entry_call, 1, 64, .Lcapture
        GO_ENTRY rn__go_entry_f_large, 0, 256, .Lcapture
        GO_ENTRY rn__go_entry_call_large, 1, 256, .Lcapture

/* A struct rn_captured_words at sp, in a frame of `size` bytes whose last 16 are for x29 and x30. */
        .macro  CAPTURE size
        sub     sp, sp, #\size
        .cfi_adjust_cfa_offset \size
        stp     x29, x30, [sp, #\size - 16]
        .cfi_rel_offset x29, \size - 16
        .cfi_rel_offset x30, \size - 8
        add     x29, sp, #\size - 16
        mrs     x11, fpcr
        stp     x11, xzr, [sp, #0]
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        mov     x0, x18
        mov     w1, w9
        mov     x2, sp
        add     x3, sp, #\size
        mov     w4, w10
        mov     x5, x30
        .endm
        .macro  CAPTURED size
        bl      rn__go_captured
        ldp     x29, x30, [sp, #\size - 16]
        add     sp, sp, #\size
        .cfi_adjust_cfa_offset -\size
        .cfi_restore x29
        .cfi_restore x30
        mov     x0, xzr
        ret
        .endm

        .p2align 4
        .cfi_startproc
.Lcapture_words:
        CAPTURE 96
        CAPTURED 96
        .cfi_endproc

        .p2align 4
        .cfi_startproc
.Lcapture:
        CAPTURE 224
        stp     q0, q1, [sp, #80]
        stp     q2, q3, [sp, #112]
        stp     q4, q5, [sp, #144]
        stp     q6, q7, [sp, #176]
        CAPTURED 224
        .cfi_endproc

        .globl  rn__arch_fp_control
        .hidden rn__arch_fp_control
        .type   rn__arch_fp_control, %function
rn__arch_fp_control:
        .cfi_startproc
        mrs     x0, fpcr
        ret
        .cfi_endproc
        .size   rn__arch_fp_control, . - rn__arch_fp_control

        .section .note.GNU-stack, "", %progbits
