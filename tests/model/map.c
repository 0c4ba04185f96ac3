/* Model test of rn_map, src/sync/map*.c: readers, who take no lock, beside one who inserts, deletes, grows or uses a
 * key's block again; and the first store. */
#include "os/lock.c"
#include "sync/mutex.c"
#include "sync/map_key.c"
#include "sync/map_table.c"
#include "sync/map.c"
#include "model_no_ctx.h"
#include "model_sched.h"

/* What a table has room for before it grows. */
enum { ROOM = 6 };

uint64_t rn__random(void)
{
    return 1;
}

/* ---- one shard ---------------------------------------------------------------------------------- */

static struct rn_mshard shard;
static int data[32]; /* plain: what values point to */

/* Number keys whose hashes are chosen here: 1, 9 and 17 want the same place of a table of eight. */
static struct rn_mkey number(uint64_t hash)
{
    return (struct rn_mkey){.hash = hash, .value = hash};
}

/* As changers do: with the mutex. */
static void insert(struct rn_mkey k)
{
    data[k.hash % 32] = (int)k.hash;
    rn__map_lock(&shard);
    MODEL_CHECK(rn__map_insert(&shard, &k, &data[k.hash % 32]));
    rn__map_unlock(&shard);
}

static void remove_key(struct rn_mkey k)
{
    rn__map_lock(&shard);
    rn__map_remove(&shard, rn__map_find(&shard, &k));
    rn__map_unlock(&shard);
}

/* Whether it is there; its value is its own then, and what that points to has been written. */
static bool is_there(struct rn_mkey k)
{
    void *v;
    if (!rn__map_read(&shard, &k, &v))
        return false;
    MODEL_CHECK(v == &data[k.hash % 32] && *(int *)v == (int)k.hash);
    return true;
}

static void setup_empty(void)
{
    model_sched_reset();
    shard = (struct rn_mshard){0};
    for (int i = 0; i < 32; i++)
        data[i] = 0;
}

static void insert_9(void)
{
    insert(number(9));
}

static void read_9(void)
{
    (void)is_there(number(9));
}

MODEL_TEST(read_beside_first_insert, .setup = setup_empty, .thread = {insert_9, read_9, read_9});
MODEL_MUTANT(read_beside_first_insert, "grow", "store_release");
MODEL_MUTANT(read_beside_first_insert, "rn__map_find", "load_acquire &s->table");

static void setup_1(void)
{
    setup_empty();
    insert(number(1));
}

/* Twice: once there, it stays. */
static void read_9_twice(void)
{
    bool was = is_there(number(9));
    MODEL_CHECK(is_there(number(9)) || !was);
}

MODEL_TEST(read_beside_insert, .setup = setup_1, .thread = {insert_9, read_9_twice});
MODEL_MUTANT(read_beside_insert, "put", "store_release &at->hash");
MODEL_MUTANT(read_beside_insert, "rn__map_find", "load_acquire &at->hash");

static void setup_1_9(void)
{
    setup_1();
    insert(number(9));
}

static void remove_1(void)
{
    remove_key(number(1));
}

/* The deletion of 1 moves it. */
static void read_moved(void)
{
    MODEL_CHECK(is_there(number(9)));
}

MODEL_TEST(read_beside_move, .setup = setup_1_9, .thread = {remove_1, read_moved});
MODEL_MUTANT(read_beside_move, "move", "fence_release");
MODEL_MUTANT(read_beside_move, "moved", "store_release");
MODEL_MUTANT(read_beside_move, "rn__map_read", "load_acquire &s->version");

/* Who is deleted is not found again; who came instead is found as what it is. */
static void read_17_then_1(void)
{
    MODEL_CHECK(!is_there(number(17)) || !is_there(number(1)));
}

static void remove_1_insert_17(void)
{
    remove_key(number(1));
    insert(number(17));
}

MODEL_TEST(read_beside_another_in_its_place, .setup = setup_1_9, .thread = {remove_1_insert_17, read_17_then_1},
           .preemptions = 3);

/* 17 comes into the place that the deletion has moved 9 from, by another thread: who finds 9's hash there, and then the key
 * of 17, is told to look again. */
static void insert_17_behind(void)
{
    struct rn_mkey gone = number(1), k = number(17);
    rn__map_lock(&shard);
    bool moved_up = !rn__map_find(&shard, &gone);
    data[17] = 17;
    if (moved_up)
        MODEL_CHECK(rn__map_insert(&shard, &k, &data[17]));
    rn__map_unlock(&shard);
}

MODEL_TEST(read_beside_move_and_insert, .setup = setup_1_9, .thread = {remove_1, insert_17_behind, read_moved},
           .preemptions = 3);
MODEL_MUTANT(read_beside_move_and_insert, "put", "store_release &at->key");
MODEL_MUTANT(read_beside_move_and_insert, "put", "store_release &at->value");

static void setup_full(void)
{
    setup_empty();
    for (uint64_t i = 1; i <= ROOM; i++)
        insert(number(i));
}

static void read_2(void)
{
    MODEL_CHECK(is_there(number(2)));
}

MODEL_TEST(read_beside_growth, .setup = setup_full, .thread = {insert_9, read_2, read_9});
MODEL_MUTANT(read_beside_growth, "grow", "store_release");

/* ---- keys of text --------------------------------------------------------------------------------- */

/* Of one size class: the block of the one that was deleted is the next one's.  The hashes are the same, so that only the
 * block tells the keys apart. */
static struct rn_mkey text_key(const char *s)
{
    return (struct rn_mkey){.hash = 1, .bytes = s, .length = (uint32_t)strlen(s)};
}

static void store_text(const char *s, int at)
{
    struct rn_mkey k = text_key(s);
    data[at] = at + 1;
    rn__map_lock(&shard);
    MODEL_CHECK(rn__map_insert(&shard, &k, &data[at]));
    rn__map_unlock(&shard);
}

static void setup_text(void)
{
    setup_empty();
    shard.copies = true;
    store_text("early", 0);
}

static void replace_text(void)
{
    remove_key(text_key("early"));
    store_text("later", 1);
}

static void read_text(const char *s, int at)
{
    void *v;
    struct rn_mkey k = text_key(s);
    if (rn__map_read(&shard, &k, &v))
        MODEL_CHECK(v == &data[at] && *(int *)v == at + 1);
}

static void read_early(void)
{
    read_text("early", 0);
}

static void read_later(void)
{
    read_text("later", 1);
}

MODEL_TEST(block_is_used_again, .setup = setup_text, .thread = {replace_text, read_early}, .preemptions = 4);
MODEL_TEST(block_of_another_before, .setup = setup_text, .thread = {replace_text, read_later}, .preemptions = 4);
MODEL_MUTANT(block_of_another_before, "rn__map_read", "fence_acquire");

/* ---- the whole map -------------------------------------------------------------------------------- */

static rn_map map;
static int stored;

static struct rn_map_key integer(uintptr_t value)
{
    return (struct rn_map_key){.kind = RN_MAP_INTEGER, .value = value};
}

static void setup_map(void)
{
    setup_empty();
    map = (rn_map)RN_MAP_INIT;
    stored = 0;
}

static void store_own(void)
{
    int me = model_self();
    data[me] = me + 1;
    rn__map_store(&map, integer((uintptr_t)me), &data[me]);
}

/* The first of them makes the shards, unless both do. */
static void both_are_there(void)
{
    for (int i = 0; i < 2; i++) {
        void *v = NULL;
        MODEL_CHECK(rn__map_load(&map, integer((uintptr_t)i), &v) && v == &data[i] && data[i] == i + 1);
    }
    MODEL_CHECK(rn_map_len(&map) == 2);
    rn_map_free(&map);
}

MODEL_TEST(first_stores, .setup = setup_map, .thread = {store_own, store_own}, .finish = both_are_there);
MODEL_MUTANT(first_stores, "shards_of", "cas_acq_rel");

static void load_first(void)
{
    void *v = NULL;
    if (rn__map_load(&map, integer(0), &v))
        MODEL_CHECK(v == &data[0] && *(int *)v == 1);
}

MODEL_TEST(load_beside_first_store, .setup = setup_map, .thread = {store_own, load_first});
MODEL_MUTANT(load_beside_first_store, "look", "load_acquire");

/* Of those who come with a value for one key, all get the same one. */
static void load_or_store(void)
{
    int me = model_self();
    void *v;
    data[me] = 7;
    if (!rn__map_load_or_store(&map, integer(3), &data[me], &v))
        stored++;
    MODEL_CHECK(*(int *)v == 7);
}

static void one_has_stored(void)
{
    MODEL_CHECK(stored == 1 && rn_map_len(&map) == 1);
}

MODEL_TEST(load_or_store_once, .setup = setup_map, .thread = {load_or_store, load_or_store}, .finish = one_has_stored);

static void compare_and_swap(void)
{
    void *v = NULL;
    data[4] = 9;
    (void)rn__map_load(&map, integer(3), &v);
    if (rn__map_compare_and_swap(&map, integer(3), &data[3], &data[4]))
        stored++;
}

static void setup_one(void)
{
    setup_map();
    data[3] = 7;
    rn__map_store(&map, integer(3), &data[3]);
}

static void load_value(void)
{
    void *v = NULL;
    MODEL_CHECK(rn__map_load(&map, integer(3), &v) && (*(int *)v == 7 || *(int *)v == 9));
}

static void one_has_swapped(void)
{
    MODEL_CHECK(stored == 1);
}

MODEL_TEST(one_swap, .setup = setup_one, .thread = {compare_and_swap, load_value}, .finish = one_has_swapped);
MODEL_MUTANT(one_swap, "set_value", "store_release");
