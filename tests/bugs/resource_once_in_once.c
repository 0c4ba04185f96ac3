/* category: resource deadlock / a once that needs itself
 * found-by: leaks
 *
 * Making the page's content renders its summary, and the summary makes the content first. */
#include <runnel.h>
#include <stdlib.h>

struct page {
    rn_once content;
    int words, summary;
};

static void summary(struct page *p);

static void make_content(struct page *p)
{
    p->words = 100;
#ifdef FIXED
    p->summary = p->words / 10;
#else
    summary(p);
#endif
}

static void summary(struct page *p)
{
    once_do(&p->content, make_content, p);
    p->summary = p->words / 10;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct page *p = calloc(1, sizeof *p);
    go(summary, p);
    rn_sleep(RN_MILLISECOND);
    return 0;
}
