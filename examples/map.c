/* rn_map: a map for many goroutines at once, without a lock of yours.  For a map that one goroutine
 * owns, or that is mostly written, an ordinary one and a mutex are often better. */
#include <runnel.h>
#include <stdio.h>

static void visit_pages(rn_map *visits, const char *page, int times)
{
    for (int i = 0; i < times; i++) {
        long seen;
        do
            map_load_or_store(visits, page, 0L, &seen);
        while (!map_compare_and_swap(visits, page, seen, seen + 1));
    }
}

static bool show(const void *page, void *times, void *total)
{
    printf("%s: %ld\n", (const char *)page, (long)times);
    *(long *)total += (long)times;
    return true; /* go on */
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    rn_map visits = RN_MAP_INIT;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < 10; i++) {
        wg_go(&wg, visit_pages, &visits, "/index", 100);
        wg_go(&wg, visit_pages, &visits, "/about", 10);
    }
    wg_wait(&wg);
    long total = 0;
    map_range(&visits, show, &total);
    printf("%zu pages, %ld visits\n", map_len(&visits), total);
    map_free(&visits);
    return 0;
}
