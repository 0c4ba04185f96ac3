/* aarch64: the first frame of a new goroutine; the layout is that of switch.S. */
#include "arch/arch.h"
#include "arch/copy_frame.h"
#include <string.h>

_Static_assert(sizeof(struct rn_captured) == 208, "switch.S knows this layout");

void rn__arch_entry(void);

struct first_frame {
    uint64_t saved[11]; /* x19 … x29 */
    void (*ret)(void);
    uint64_t vector[8]; /* d8 … d15 */
    uint64_t fp_control;
    uint64_t unused;
    struct rn_captured args;
    void *f;
    uint64_t unused_too;
};
_Static_assert(sizeof(struct first_frame) == 176 + 224, "switch.S knows this layout");

void *rn__arch_prepare(char *top, void *f, const struct rn_captured *args, const void *stack, uint32_t stack_bytes)
{
    /* Room above the first frame: when f in its turn starts a goroutine, that many bytes above its
     * own frame are copied as stack arguments, whether they are or not. */
    char *stack_args = top - RN_CAPTURED_MOST - stack_bytes;
    if (stack_bytes)
        rn__copy_frame(stack_args, stack, stack_bytes);
    struct first_frame *frame = (struct first_frame *)(void *)(stack_args - sizeof *frame);
    memset(frame, 0, offsetof(struct first_frame, args));
    frame->ret = rn__arch_entry;
    frame->fp_control = args->fp_control;
    frame->args = *args;
    frame->f = f;
    return frame;
}
