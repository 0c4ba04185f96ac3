/* Model test of the unwinder's cache, src/arch/unwind_cache.h: who finds something finds what one writer has put, whole. */
#define RN_UNWIND_WORDS 2
#include "arch/unwind_cache.h"
#include "engine/model.h"

enum { PC_A = 8, PC_B = 16 };
static struct rn_unwind_entry entry;

/* What is put for pc: words that tell whose they are. */
static void put(uint64_t pc)
{
    rn__unwind_entry_put(&entry, pc, (uint64_t[]){pc + 1, pc + 2});
}

static void get(uint64_t pc)
{
    uint64_t word[RN_UNWIND_WORDS];
    if (rn__unwind_entry_get(&entry, pc, word))
        MODEL_CHECK(word[0] == pc + 1 && word[1] == pc + 2);
}

static void setup(void)
{
    entry = (struct rn_unwind_entry){0};
}

static void setup_a(void)
{
    setup();
    put(PC_A);
}

static void put_a(void)
{
    put(PC_A);
}

static void put_b(void)
{
    put(PC_B);
}

static void put_b_and_a(void)
{
    put(PC_B);
    put(PC_A);
}

static void get_a(void)
{
    get(PC_A);
}

static void get_b(void)
{
    get(PC_B);
}

/* When nobody writes any more, what is there is whole. */
static void is_whole(void)
{
    uint64_t word[RN_UNWIND_WORDS], pc = rn_load_relaxed(&entry.pc);
    MODEL_CHECK(rn__unwind_entry_get(&entry, pc, word));
    MODEL_CHECK(word[0] == pc + 1 && word[1] == pc + 2);
}

MODEL_TEST(reader_beside_writer, .setup = setup, .thread = {put_a, get_a}, .finish = is_whole);
MODEL_MUTANT(reader_beside_writer, "rn__unwind_entry_get", "load_acquire");
MODEL_MUTANT(reader_beside_writer, "rn__unwind_entry_put", "store_release");

MODEL_TEST(reader_beside_another_rule, .setup = setup_a, .thread = {put_b, get_a}, .finish = is_whole);
MODEL_MUTANT(reader_beside_another_rule, "rn__unwind_entry_get", "fence_acquire");
MODEL_MUTANT(reader_beside_another_rule, "rn__unwind_entry_put", "fence_release");

MODEL_TEST(two_writers, .setup = setup, .thread = {put_a, put_b, get_b}, .finish = is_whole);
MODEL_TEST(writer_comes_back, .setup = setup_a, .thread = {put_b_and_a, get_a}, .finish = is_whole);
MODEL_TEST(two_writers_in_turn, .setup = setup_a, .thread = {put_b_and_a, put_b, get_a}, .finish = is_whole,
           .preemptions = 3);
/* That the second writer's compare-and-swap acquires can't be shown: its stores come after the first one's in any
 * execution of the model (docs/design/model-checking.md, "2+2W"). */
