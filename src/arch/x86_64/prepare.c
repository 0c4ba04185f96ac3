/* x86-64: the first frame of a new goroutine; the layout is that of switch.S. */
#include "arch/arch.h"
#include "arch/copy_frame.h"
#include "base/atomic.h"
#include <string.h>

_Static_assert(sizeof(struct rn_captured) == 184, "switch.S knows this layout");

void rn__arch_entry(void);

struct first_frame {
    uint64_t fp_control;
    uint64_t saved[6]; /* r15 r14 r13 r12 rbx rbp */
    void (*ret)(void);
    struct rn_captured args;
    void *f;
};
_Static_assert(sizeof(struct first_frame) == 64 + 192, "switch.S knows this layout");

/* What was stored in parts just now is loaded in the same parts: a load that covers several stores waits until all of
 * them have left the processor's store buffer. */
static inline void copy_registers(struct first_frame *frame, const struct rn_captured *args)
{
    memcpy(&frame->fp_control, &args->fp_control, 4); /* mxcsr */
    rn_fence_compiler();
    memcpy((char *)&frame->fp_control + 4, (const char *)&args->fp_control + 4, 2); /* the x87 control word */
    for (int i = 0; i < 6; i++) {
        rn_fence_compiler();
        frame->args.integer[i] = args->integer[i];
    }
    memcpy(frame->args.vector, args->vector, sizeof args->vector);
}

void *rn__arch_prepare(char *top, void *f, const struct rn_captured *args, const void *stack, uint32_t stack_bytes)
{
    /* Room above the first frame: when f in its turn starts a goroutine, that many bytes above its
     * own frame are copied as stack arguments, whether they are or not. */
    char *stack_args = top - RN_CAPTURED_MOST - stack_bytes;
    if (stack_bytes)
        rn__copy_frame(stack_args, stack, stack_bytes);
    struct first_frame *frame = (struct first_frame *)(void *)(stack_args - sizeof *frame);
    copy_registers(frame, args);
    memset(frame->saved, 0, sizeof frame->saved);
    frame->ret = rn__arch_entry;
    frame->f = f;
    return frame;
}
