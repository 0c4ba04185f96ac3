/* Model test of the blocks that keep the contents of stacks, src/sched/kept.c: whoever has brought a stack back puts the
 * block away without a lock, beside others and beside the putter, who collects and gives again. */
#include "sched/kept.c"
#include "engine/model.h"

/* Blocks of this size; and one slab holds as many that no second one is needed here. */
enum { BYTES = 512, FREED = 1024 };

size_t rn_os_page = 4096;

/* One area, and the stack of its empty slabs: as much of both as is touched. */
static char area[AREA * SLAB] __attribute__((aligned(SLAB)));
static char stack_of_empty[AREA * sizeof(uint32_t)] __attribute__((aligned(64)));

void *rn_os_map(size_t bytes, size_t align)
{
    (void)align;
    return bytes == sizeof area ? area : stack_of_empty;
}

void rn_os_unmap(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

/* The pages read as zeroes again: a touch of what was in them is seen. */
void rn_os_discard(void *p, size_t bytes)
{
    (void)bytes;
    memset(p, 0, HEAD + FREED);
}

static int *blocks[2]; /* the contents: plain */
static int *again;

static void setup(void)
{
    rn_kept_forget();
    again = NULL;
    for (int i = 0; i < 2; i++) {
        blocks[i] = rn_kept_get(BYTES);
        blocks[i][8] = i + 1;
    }
}

/* Reads the contents, and is done with it. */
static void put(void)
{
    int *mine = blocks[model_self()];
    MODEL_CHECK(mine[8] == model_self() + 1);
    rn_kept_put(mine);
}

/* The block that it gets is nobody else's, or was given back. */
static void collect_and_get(void)
{
    if (rn_kept_any())
        rn_kept_collect();
    again = rn_kept_get(BYTES);
    again[8] = 7;
}

/* All have come back: what is left is the slab of `again`. */
static void one_is_left(void)
{
    rn_kept_collect();
    MODEL_CHECK(again[8] == 7);
    struct slab *s = slab_of(again);
    MODEL_CHECK(s->given == 1 && empty_n == AREA - 3);
    rn_kept_put(again);
    rn_kept_collect();
    MODEL_CHECK(empty_n == AREA - 2 && !with_room[BYTES / GRAIN]);
}

MODEL_TEST(put_beside_put_and_collect, .setup = setup, .thread = {put, put, collect_and_get}, .finish = one_is_left);
MODEL_MUTANT(put_beside_put_and_collect, "rn_kept_put", "cas_release");
MODEL_MUTANT(put_beside_put_and_collect, "rn_kept_collect", "xchg_acquire");
