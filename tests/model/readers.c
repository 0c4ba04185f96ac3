/* Model test of read-write mutexes that are biased to their readers: src/sync/readers.c, with rwmutex.c and
 * sched/tally.c. */
#include "os/lock.c"
#include "model_tally.h"
#include "sync/readers.c"
#include "sync/rwmutex.c"
#include "model_no_ctx.h"
#include "model_sched.h"

static struct rn_tally rows[3];
static rn_rwmutex mutex, other;
static int cell, other_cell; /* plain: what the mutexes guard */
static int tried;
static rn_atomic(uint32_t) handed;

/* Nobody is biased, nobody has a row. */
static void setup_plain(void)
{
    model_sched_reset();
    model_tally_reset(model_g);
    memset(rn__readers, 0, sizeof rn__readers);
    rn_store_relaxed(&taken, 0);
    rn_store_relaxed(&search_next, 0);
    rn_store_relaxed(&turn, 0);
    mutex = other = (rn_rwmutex)RN_RWMUTEX_INIT;
    cell = other_cell = tried = 0;
    rn_store_relaxed(&handed, 0);
}

static void setup_rows(void)
{
    setup_plain();
    model_tally_give(rows, 3);
}

static void setup(void)
{
    setup_rows();
    begin(&mutex);
}

static void add(void)
{
    rn_rwmutex_lock(&mutex);
    cell++;
    rn_rwmutex_unlock(&mutex);
}

static void look(void)
{
    rn_rwmutex_rlock(&mutex);
    MODEL_CHECK(cell <= 2); /* a plain read */
    rn_rwmutex_runlock(&mutex);
}

static void is_free(void)
{
    MODEL_CHECK(nobody_waits(&mutex));
    MODEL_CHECK(rn_rwmutex_try_lock(&mutex));
    MODEL_CHECK(!rn_rwmutex_try_rlock(&mutex));
    rn_rwmutex_unlock(&mutex);
    MODEL_CHECK(rn_load_relaxed(&mutex.rn_state) == 0);
    for (uint32_t k = 0; k < RN_TALLIES; k++)
        MODEL_CHECK(rn__tally_sum(k) == 0);
}

static void one(void)
{
    MODEL_CHECK(cell == 1);
    is_free();
}

MODEL_TEST(writer_beside_reader, .setup = setup, .thread = {add, look}, .finish = one, .preemptions = 2);
MODEL_MUTANT(writer_beside_reader, "rn_os_fence_heavy", "fence_heavy");
MODEL_MUTANT(writer_beside_reader, "rn__readers_try_enter", "fence_light");
MODEL_MUTANT(writer_beside_reader, "rn__readers_count_down", "fence_light");
MODEL_MUTANT(writer_beside_reader, "rn__tally_down", "store_release");
MODEL_MUTANT(writer_beside_reader, "rn__tally_sum", "load_acquire &t->n[k].rn_downs");

/* Who holds it tries it again, and is refused: its row goes up and down while it is added up. */
static void look_and_try(void)
{
    rn_rwmutex_rlock(&mutex);
    if (rn_rwmutex_try_rlock(&mutex))
        rn_rwmutex_runlock(&mutex);
    MODEL_CHECK(cell <= 2); /* a plain read */
    rn_rwmutex_runlock(&mutex);
}

MODEL_TEST(writer_beside_who_reads_twice, .setup = setup, .thread = {add, look_and_try}, .finish = one,
           .preemptions = 2);

/* With the first reading of a thread its row comes into being, beside the sum over all rows. */
static void setup_without_rows(void)
{
    setup_plain();
    begin(&mutex);
}

MODEL_TEST(a_new_row, .setup = setup_without_rows, .thread = {add, look}, .finish = one, .preemptions = 2);
MODEL_MUTANT(a_new_row, "make", "store_release");

/* The bias is taken up beside readers in the word, and a writer. */
static void setup_due(void)
{
    setup_rows();
    rn_store_relaxed(&mutex.rn_state, RN_RW_DUE);
}

static void write_then_due(void)
{
    add();
    rn_store_release(&mutex.rn_state, RN_RW_DUE); /* as the unlock, which it stands for */
}

static void look_twice(void)
{
    look();
    look();
}

MODEL_TEST(bias_is_taken_up, .setup = setup_due, .thread = {add, look_twice}, .finish = one, .preemptions = 2);

/* Who reads by the bias comes after the writer before it. */
static void write_and_hand(void)
{
    write_then_due();
    look();
    rn_store_relaxed(&handed, 1);
}

static void look_when_handed(void)
{
    if (rn_load_relaxed(&handed))
        look();
}

MODEL_TEST(reader_after_writer, .setup = setup_rows, .thread = {write_and_hand, look_when_handed}, .finish = one);
MODEL_MUTANT(reader_after_writer, "rn__readers_open_locked", "store_release");
MODEL_MUTANT(reader_after_writer, "rn__readers_try_enter", "load_acquire");

/* A read lock that one goroutine takes and another gives back. */
static void take(void)
{
    rn_rwmutex_rlock(&mutex);
    rn_store_release(&handed, 1);
}

static void give_back(void)
{
    while (!rn_load_acquire(&handed))
        rn_cpu_pause();
    MODEL_CHECK(cell == 0); /* the writer waits for us, whoever came first */
    rn_rwmutex_runlock(&mutex);
}

static void add_when_handed(void)
{
    while (!rn_load_acquire(&handed))
        rn_cpu_pause();
    add();
}

MODEL_TEST(unlocked_by_another, .setup = setup, .thread = {take, give_back, add_when_handed}, .finish = one,
           .preemptions = 2);
MODEL_TEST(unlocked_by_another_beside_a_reader, .setup = setup, .thread = {take, give_back, add_when_handed, look},
           .finish = one, .preemptions = 1);

/* The memory may be freed by a writer once the last reader has let go. */
static rn_rwmutex *object;

static void setup_object(void)
{
    setup_rows();
    object = malloc(sizeof *object);
    *object = (rn_rwmutex)RN_RWMUTEX_INIT;
    begin(object);
}

static void hold_object(void)
{
    rn_rwmutex_rlock(object);
    rn_store_release(&handed, 1);
    rn_rwmutex_runlock(object);
}

static void free_object(void)
{
    while (!rn_load_acquire(&handed))
        rn_cpu_pause();
    rn_rwmutex_lock(object);
    rn_rwmutex_unlock(object);
    free(object);
}

static void hold_object_too(void)
{
    rn_rwmutex_rlock(object);
    if (rn_add_acq_rel(&handed, 1) == 1)
        rn_add_acq_rel(&handed, 1);
    rn_rwmutex_runlock(object);
}

static void free_object_of_two(void)
{
    while (rn_load_acquire(&handed) != 3)
        rn_cpu_pause();
    rn_rwmutex_lock(object);
    rn_rwmutex_unlock(object);
    free(object);
}

MODEL_TEST(may_be_freed, .setup = setup_object, .thread = {hold_object, free_object}, .preemptions = 2);
MODEL_TEST(may_be_freed_after_two, .setup = setup_object,
           .thread = {hold_object_too, hold_object_too, free_object_of_two}, .preemptions = 1);

/* Readers counted in the word before the bias came hold it too. */
static void setup_both(void)
{
    setup_rows();
    rn_rwmutex_rlock(&mutex);
    begin(&mutex);
}

static void runlock(void)
{
    MODEL_CHECK(cell == 0);
    rn_rwmutex_runlock(&mutex);
}

MODEL_TEST(readers_of_both_kinds, .setup = setup_both, .thread = {runlock, add}, .finish = one);

/* try forms never wait; that of the writer succeeds when nobody is there. */
static void try_add(void)
{
    if (!rn_rwmutex_try_lock(&mutex))
        return;
    cell++;
    tried++;
    rn_rwmutex_unlock(&mutex);
}

static void try_look(void)
{
    if (!rn_rwmutex_try_rlock(&mutex))
        return;
    MODEL_CHECK(cell <= 2); /* a plain read */
    rn_rwmutex_runlock(&mutex);
}

static void as_tried(void)
{
    MODEL_CHECK(cell == tried);
    is_free();
}

static void as_tried_and_one(void)
{
    MODEL_CHECK(cell == tried + 1);
    is_free();
}

MODEL_TEST(try_lock_beside_reader, .setup = setup, .thread = {try_add, look}, .finish = as_tried, .preemptions = 2);
MODEL_TEST(try_lock_beside_writer, .setup = setup, .thread = {try_add, add}, .finish = as_tried_and_one,
           .preemptions = 2);
MODEL_TEST(try_rlock_beside_writer, .setup = setup, .thread = {add, try_look}, .finish = one, .preemptions = 1);
MODEL_MUTANT(try_lock_beside_reader, "rn_os_fence_heavy", "fence_heavy");

/* A place is taken from one mutex for another. */
static void setup_full(void)
{
    setup();
    for (uint32_t k = 1; k < RN_TALLIES; k++)
        rn_store_relaxed(&rn__readers[k].name, 1);
    rn_store_relaxed(&taken, RN_TALLIES);
}

static void use_other(void)
{
    begin(&other);
    rn_rwmutex_lock(&other);
    other_cell++;
    rn_rwmutex_unlock(&other);
}

static void read_other(void)
{
    begin(&other);
    rn_rwmutex_rlock(&other);
    MODEL_CHECK(other_cell == 0);
    rn_rwmutex_runlock(&other);
}

static void both_are_free(void)
{
    MODEL_CHECK(rn_rwmutex_try_lock(&other));
    one();
}

MODEL_TEST(place_is_taken_beside_reader, .setup = setup_full, .thread = {read_other, look}, .finish = is_free,
           .preemptions = 2);
MODEL_TEST(place_is_taken_beside_both, .setup = setup_full, .thread = {read_other, look, add}, .finish = both_are_free,
           .preemptions = 1);
MODEL_TEST(place_changes_hands, .setup = setup_full, .thread = {use_other, look}, .finish = is_free, .preemptions = 2);
MODEL_MUTANT(place_is_taken_beside_both, "rn_os_fence_heavy", "fence_heavy");

/* Who unlocks what is not locked is told, though another mutex's reader may have the place in passing. */
static void unlock_too_often(void)
{
    rn_rwmutex_runlock(&mutex);
}

MODEL_TEST(unlock_of_unlocked, .setup = setup, .thread = {unlock_too_often, look},
           .finds = "sync: RUnlock of unlocked RWMutex");
