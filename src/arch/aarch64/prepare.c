/* aarch64: the first frame of a new goroutine; the layout is that of switch.S. */
#include "arch/arch.h"
#include "arch/place.h"
#include <string.h>

_Static_assert(sizeof(struct rn_captured_words) == 80 && sizeof(struct rn_captured) == 208,
               "switch.S knows this layout");

void rn__arch_entry(void);

struct first_frame {
    uint64_t wide;     /* x19 */
    void *f;           /* x20 */
    uint64_t saved[9]; /* x21 … x29 */
    void (*ret)(void);
    uint64_t vector[8]; /* d8 … d15 */
    uint64_t fp_control;
    uint64_t unused;
    uint64_t integer[8]; /* and above it, where wide, the vector registers and the stack arguments */
};
_Static_assert(sizeof(struct first_frame) == 176 + 64, "switch.S knows this layout");

void *rn__arch_prepare(char *top, void *f, const struct rn_captured_words *args, const void *stack,
                       uint32_t stack_bytes)
{
    struct first_frame *frame = (struct first_frame *)(void *)rn__place_arguments(top, args, stack, stack_bytes) - 1;
    memset(frame, 0, offsetof(struct first_frame, integer));
    memcpy(frame->integer, args->integer, sizeof frame->integer);
    frame->wide = stack_bytes;
    frame->f = f;
    frame->ret = rn__arch_entry;
    frame->fp_control = args->fp_control;
    return frame;
}
