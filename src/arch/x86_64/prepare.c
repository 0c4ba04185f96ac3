/* x86-64: the first frame of a new goroutine; the layout is that of switch.S. */
#include "arch/arch.h"
#include "arch/place.h"
#include "base/atomic.h"
#include <string.h>

_Static_assert(sizeof(struct rn_captured_words) == 56 && sizeof(struct rn_captured) == 184,
               "switch.S knows this layout");

void rn__arch_entry(void);

struct first_frame {
    uint64_t fp_control;
    uint64_t saved[3]; /* r15 r14 r13 */
    void *f;           /* r12 */
    uint64_t wide;     /* rbx */
    uint64_t rbp;
    void (*ret)(void);
    uint64_t integer[6]; /* and above it, where wide, the vector registers and the stack arguments */
};
_Static_assert(sizeof(struct first_frame) == 64 + 48, "switch.S knows this layout");

/* What was stored in parts just now is loaded in the same parts: a load that covers several stores waits until all of
 * them have left the processor's store buffer. */
static inline void copy_words(struct first_frame *frame, const struct rn_captured_words *args)
{
    memcpy(&frame->fp_control, &args->fp_control, 4); /* mxcsr */
    rn_fence_compiler();
    memcpy((char *)&frame->fp_control + 4, (const char *)&args->fp_control + 4, 2); /* the x87 control word */
    for (int i = 0; i < 6; i++) {
        rn_fence_compiler();
        frame->integer[i] = args->integer[i];
    }
}

void *rn__arch_prepare(char *top, void *f, const struct rn_captured_words *args, const void *stack,
                       uint32_t stack_bytes)
{
    struct first_frame *frame = (struct first_frame *)(void *)rn__place_arguments(top, args, stack, stack_bytes) - 1;
    copy_words(frame, args);
    memset(frame->saved, 0, sizeof frame->saved);
    frame->f = f;
    frame->wide = stack_bytes;
    frame->rbp = 0;
    frame->ret = rn__arch_entry;
    return frame;
}
