/* Accesses that compilers like to leave out: to parts of a local variable, by its owner; of structs that are passed and
 * returned by value; by functions of libc that compilers replace or the detector does not know. */
#include "pairs.h"

struct small {
    int a, b;
};
struct place {
    int first, second, many[4];
    unsigned low : 3, high : 5;
    struct small small;
    char text[16];
    chan(int) done;
};

static __attribute__((noinline)) int sum(struct small s)
{
    return s.a + s.b;
}

static __attribute__((noinline)) struct small both(int n)
{
    return (struct small){n, n};
}

/* `v` is a variable of one goroutine, `p` what another knows it by.  The second access waits for the first: of two at
 * the very same moment the detector may overlook one. */
#define LOCAL(name, theirs, ours)             \
    static void name##_side(struct place *p)  \
    {                                         \
        theirs;                               \
        STEP(1);                              \
        chan_send(p->done, 1);                \
    }                                         \
    static void name(bool racy)               \
    {                                         \
        struct place v = {.done = c1};        \
        go(name##_side, &v);                  \
        AWAIT(1);                             \
        if (!racy)                            \
            (void)chan_recv(c1);              \
        ours;                                 \
        if (racy)                             \
            (void)chan_recv(c1);              \
    }                                         \
    CLEAN(name##_clean, name(false), (void)0) \
    RACY(name##_racy, name(true), (void)0)

LOCAL(first_member, p->first = 1, v.first = 2)
LOCAL(later_member, p->second = 1, v.second++)
LOCAL(member_read, p->second = 1, if (v.second == 7) v.first = 1)
LOCAL(element_of_local, p->many[2] = 1, v.many[2] = 2)
LOCAL(element_in_loop, p->many[2] = 1, for (int i = 0; i < 4; i++) v.many[i] = i)
LOCAL(bit_fields, p->low = 1, v.high = 2)
LOCAL(struct_assigned, p->small.b = 1, v.small = (struct small){0})
LOCAL(struct_taken, p->small.b = 1, struct small s = v.small; CHECK_EQ(s.a, 0))
LOCAL(struct_passed, p->small.b = 1, CHECK(sum(v.small) < 9))
LOCAL(struct_returned, p->small.b = 1, v.small = both(2))
LOCAL(struct_of_a_go, p->small.b = 1, go(sum, v.small))
LOCAL(struct_sent, p->small.b = 1, chan(struct small) c = chan_make(struct small, 1); chan_send(c, v.small);
      chan_free(c))
LOCAL(text_set, p->text[1] = 'a', strcpy(v.text, "abc"))
LOCAL(text_moved, p->text[1] = 'a', memmove(v.text, v.text + 1, 3))
LOCAL(text_appended, p->text[1] = 'a', strcat(v.text, "abc"))
LOCAL(text_appended_from, p->text[0] = 'a', char copy[16] = ""; strncat(copy, v.text, 3); CHECK(copy[1] == 0))
LOCAL(text_copied, p->text[0] = 'a', char *copy = strdup(v.text); free(copy))
LOCAL(text_begun, p->text[0] = 'a', char *copy = strndup(v.text, 3); free(copy))
LOCAL(text_put, p->text[0] = 'a', char copy[16]; CHECK(stpcpy(copy, v.text) <= copy + 1))
