/* aarch64: marking a place and going back to it.  See base/mark.h. */

        .text
        .globl  rn__arch_mark
        .hidden rn__arch_mark
        .type   rn__arch_mark, %function
        .p2align 4
rn__arch_mark:
        .cfi_startproc
        hint    #34
        stp     x19, x20, [x0]
        stp     x21, x22, [x0, #16]
        stp     x23, x24, [x0, #32]
        stp     x25, x26, [x0, #48]
        stp     x27, x28, [x0, #64]
        stp     x29, x30, [x0, #80]
        mov     x2, sp
        str     x2, [x0, #96]
        stp     d8, d9, [x0, #104]
        stp     d10, d11, [x0, #120]
        stp     d12, d13, [x0, #136]
        stp     d14, d15, [x0, #152]
        mov     w0, #0
        ret
        .cfi_endproc
        .size   rn__arch_mark, . - rn__arch_mark

        .globl  rn__arch_go_back
        .hidden rn__arch_go_back
        .type   rn__arch_go_back, %function
        .p2align 4
rn__arch_go_back:
        .cfi_startproc
        hint    #34
        ldp     x19, x20, [x0]
        ldp     x21, x22, [x0, #16]
        ldp     x23, x24, [x0, #32]
        ldp     x25, x26, [x0, #48]
        ldp     x27, x28, [x0, #64]
        ldp     x29, x30, [x0, #80]
        .cfi_undefined x30
        ldr     x2, [x0, #96]
        mov     sp, x2
        ldp     d8, d9, [x0, #104]
        ldp     d10, d11, [x0, #120]
        ldp     d12, d13, [x0, #136]
        ldp     d14, d15, [x0, #152]
        mov     w0, #1
        ret
        .cfi_endproc
        .size   rn__arch_go_back, . - rn__arch_go_back

        .section .note.GNU-stack, "", %progbits
