/* Every kind of access to memory, of which one at least writes. */
#include "pairs.h"

struct bits {
    unsigned a : 3, b : 5;
    int whole;
};
/* Used, so that the compiler keeps what is only written. */
#define SHARED static __attribute__((used))
SHARED int8_t i8;
SHARED int16_t i16;
SHARED int64_t i64;
SHARED float f32;
SHARED double f64;
SHARED bool truth;
SHARED void *pointer;
SHARED struct bits bits, other_bits;
SHARED int many[8];
SHARED char text[16] = "text", copy[16];
SHARED int *heap;
SHARED char number[16] = "12.4", *left = number;
SHARED volatile int loud, loud_one;

static void twice(int *p)
{
    *p *= 2;
}

ACCESS(write_write, WRITE, WRITE)
ACCESS(write_read, WRITE, READ)
ACCESS(read_write, READ, WRITE)
ACCESS(increment, x++, x++)
ACCESS(add_to, x += 2, READ)
ACCESS(byte_wide, i8 = 1, i8 = 2)
ACCESS(two_bytes, i16 = 1, i16 = 2)
ACCESS(eight_bytes, i64 = 1, i64 = 2)
ACCESS(half_of_eight_bytes, i64 = 1, ((volatile int32_t *)&i64)[1] = 1)
ACCESS(a_byte_of_eight, i64 = 1, ((volatile char *)&i64)[5] = 1)
ACCESS(single, f32 = 1, f32 = 2)
ACCESS(twice_as_wide, f64 = 1, f64 = 2)
ACCESS(boolean, truth = true, truth = false)
ACCESS(pointer_itself, pointer = &x, pointer = NULL)
ACCESS(through_a_pointer, *(int *)(pointer = &x, &x) = 2, WRITE)
ACCESS(member, bits.whole = 1, bits.whole = 2)
ACCESS(bit_fields_of_one_word, bits.a = 1, bits.b = 2)
ACCESS(whole_struct, bits = (struct bits){.whole = 1}, bits.whole = 2)
ACCESS(struct_copied, other_bits = bits, bits.whole = 2)
ACCESS(element, many[3] = 1, many[3] = 2)
ACCESS(element_in_a_loop, for (int i = 0; i < 8; i++) many[i] = i, many[7] = 2)
ACCESS(by_memset, memset(many, 0, sizeof many), many[5] = 1)
ACCESS(by_memcpy_to, memcpy(copy, text, 8), copy[7] = 1)
ACCESS(by_memcpy_from, memcpy(copy, text, 8), text[7] = 0)
ACCESS(by_memmove, memmove(copy, text, 8), text[2] = 'x')
ACCESS(by_memcmp, CHECK(memcmp(copy, text, 8) != 0), text[0] = 't')
ACCESS(by_strlen, CHECK_EQ(strlen(text), 4), text[0] = 't')
ACCESS(by_strcpy, strcpy(copy, text), copy[1] = 'e')
ACCESS(by_strcmp, CHECK(strcmp(copy, text) != 0), text[0] = 't')
ACCESS(by_strchr, CHECK(strchr(text, 'x') != NULL), text[0] = 't')
ACCESS(by_snprintf, snprintf(copy, sizeof copy, "%d", 1), copy[0] = 'c')
ACCESS(by_atoi, loud = atoi(number), number[1] = '3')
ACCESS(by_atol, loud = (int)atol(number), number[1] = '3')
ACCESS(by_atoll, loud = (int)atoll(number), number[1] = '3')
ACCESS(by_atof, loud = (int)atof(number), number[3] = '5')
ACCESS(by_strtol, loud = (int)strtol(number, NULL, 10), number[1] = '3')
ACCESS(by_strtoll, loud = (int)strtoll(number, NULL, 10), number[1] = '3')
ACCESS(by_strtoul, loud = (int)strtoul(number, NULL, 10), number[1] = '3')
ACCESS(by_strtoull, loud = (int)strtoull(number, NULL, 10), number[1] = '3')
ACCESS(by_strtod, loud = (int)strtod(number, NULL), number[3] = '5')
ACCESS(by_strtof, loud = (int)strtof(number, NULL), number[3] = '5')
ACCESS(by_what_ends_a_number, loud = (int)strtol(number, NULL, 10), number[2] = '3')
ACCESS(by_strtol_to, loud = (int)strtol("12", (char **)&pointer, 10), pointer = NULL)
ACCESS(by_strtok_r_read, char *rest; pointer = strtok_r(number, ".", &rest), number[1] = '3')
ACCESS(by_strtok_r_cut, char *rest; pointer = strtok_r(number, ".", &rest), loud = number[2])
ACCESS(by_strtok_r_rest, pointer = strtok_r(NULL, ".", &left), left = NULL)
CLEAN(beside_a_number, loud = (int)strtol(number, NULL, 10); loud = atoi(number); STEP(1), AWAIT(1); number[3] = '5')
CLEAN(read_by_two_strtol, loud_one = (int)strtol(number, NULL, 10); STEP(1), AWAIT(1); loud = atoi(number))
CLEAN(beside_a_token, char *rest; pointer = strtok_r(number, ".", &rest); STEP(1), AWAIT(1); number[3] = '5')
ACCESS(by_sscanf, sscanf("7", "%d", &x), WRITE)
ACCESS(by_qsort_like_call, twice(&x), twice(&x))
ACCESS(volatile_is_no_atomic, loud = 1, loud = 2)
ACCESS(atomic_and_plain, __atomic_store_n(&x, 1, __ATOMIC_SEQ_CST), WRITE)
ACCESS(plain_and_atomic_read, WRITE, (void)__atomic_load_n(&x, __ATOMIC_RELAXED))
ACCESS(of_the_heap, heap = malloc(8); *heap = 1, *heap = 2; free(heap))
ACCESS(freed, heap = malloc(8); *heap = 1, free(heap))
ACCESS(by_realloc, heap = malloc(8); *heap = 1, heap = realloc(heap, 4000); free(heap))
ACCESS(by_calloc, heap = calloc(2, 4), heap[1] = 2; free(heap))
ACCESS(by_strdup, pointer = strdup(text), text[0] = 't'; free(pointer))
CLEAN(atomics_only, __atomic_store_n(&x, 1, __ATOMIC_RELAXED); STEP(1), AWAIT(1);
      __atomic_store_n(&x, 1, __ATOMIC_RELAXED))
CLEAN(neighbour_bytes, text[3] = 1; STEP(1), AWAIT(1); text[4] = 1)
CLEAN(neighbour_elements, many[3] = 1; STEP(1), AWAIT(1); many[4] = 1)
CLEAN(neighbour_members, *(volatile unsigned char *)&bits = 1; STEP(1), AWAIT(1); bits.whole = 1)
CLEAN(neighbours_copied, memcpy(copy, text, 4); STEP(1), AWAIT(1); memcpy(copy + 4, text + 4, 4))

/* Variables on the stack, and what a goroutine was given. */
static void add_to(int *p, rn_waitgroup *wg)
{
    (*p)++;
    wg_done(wg);
}

static void share(bool racy, int goroutines)
{
    int local = 0;
    rn_waitgroup wg = {0};
    for (int i = 0; i < goroutines; i++) {
        wg_add(&wg, 1);
        go(add_to, &local, &wg);
        if (!racy)
            wg_wait(&wg);
    }
    if (racy)
        local++;
    wg_wait(&wg);
}
CLEAN(local_clean, share(false, 1), (void)0)
RACY(local_racy, share(true, 1), (void)0)
CLEAN(local_of_two_clean, share(false, 2), (void)0)
RACY(local_of_two_racy, share(true, 2), (void)0)

static void loop(bool racy)
{
    int last = 0, own[3] = {0};
    rn_waitgroup wg = {0};
    for (int i = 0; i < 3; i++) {
        wg_add(&wg, 1);
        go(add_to, racy ? &last : &own[i], &wg);
    }
    wg_wait(&wg);
}
CLEAN(loop_clean, loop(false), (void)0)
RACY(loop_racy, loop(true), (void)0)
