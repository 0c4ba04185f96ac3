/* An unbuffered channel of State Threads' conditions: a send returns when its value was taken.  One sender and one
 * receiver at a time; on one kernel thread nothing needs a lock. */
#include <st.h>
#include <stdbool.h>

struct meet {
    st_cond_t changed;
    long value;
    bool full;
};

static inline void meet_init(struct meet *m)
{
    m->changed = st_cond_new();
    m->full = false;
}

static inline void meet_send(struct meet *m, long v)
{
    m->value = v;
    m->full = true;
    st_cond_signal(m->changed);
    while (m->full)
        st_cond_wait(m->changed);
}

static inline long meet_receive(struct meet *m)
{
    while (!m->full)
        st_cond_wait(m->changed);
    m->full = false;
    st_cond_signal(m->changed);
    return m->value;
}
