/* category: data race / double-checked initialization
 * found-by: race
 *
 * The table is made at its first use.  To spare the lock, the pointer is looked at before: a reader may see
 * the pointer and not yet what it points to. */
#include <runnel.h>
#include <stdlib.h>

struct table {
    int entries[8];
};
static rn_mutex mu;
static struct table *table;
static rn_once once;

static void make_table(void)
{
    struct table *t = malloc(sizeof *t);
    if (!t)
        abort();
    for (int i = 0; i < 8; i++)
        t->entries[i] = i * i;
    table = t;
}

static struct table *the_table(void)
{
#ifdef FIXED
    once_do(&once, make_table);
#else
    (void)once;
    if (!table) {
        mutex_lock(&mu);
        if (!table)
            make_table();
        mutex_unlock(&mu);
    }
#endif
    return table;
}

static void use(int i, int *to)
{
    (void)mu;
    *to = the_table()->entries[i];
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_waitgroup wg = {0};
    int got[3];
    for (int i = 0; i < 3; i++)
        wg_go(&wg, use, i, &got[i]);
    wg_wait(&wg);
    free(table);
    return got[2] == 4 ? 0 : 1;
}
