/* docs/performance.md and its picture, written by `runnel bench -write-docs`: never edited by hand.  What the
 * figures do not say by themselves, why a target is missed, stands in bench/limits.md and is put at its end. */
#define _GNU_SOURCE 1
#include "bench.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void write_head(const struct bench *b, FILE *to)
{
    fprintf(
        to,
        "# Performance\n\n"
        "Written by `./runnel bench -write-docs`, which measures again on your machine; edited nowhere by hand.\n"
        "What each line means is said at the head of the programs, bench/core/*.c and bench/net/*.c; each peer does\n"
        "the same work (bench/peers) and checks the same result. Times, bytes and ratios: less is better. Rates: more\n"
        "is. Programs ran by turns; shown is the median of %d processes (of %d rounds each), and the lowest and the\n"
        "highest. The ratio is taken between processes that ran next to each other: on a machine that others use\n"
        "too only ratios count.\n\n"
        "- %s\n- %s; %s\n- %s; load %s before, %s after\n- %s\n",
        b->processes, b->rounds, b->date, b->machine, b->kernel, b->compiler, b->load_before, b->load_after,
        b->sides[0].version);
    for (int s = 1; s < b->sides_n; s++)
        fprintf(to, "- %s: %s\n", b->sides[s].name, b->sides[s].version);
}

static void write_missed(const struct bench *b, FILE *to)
{
    int met = 0, missed = 0, go = bench_side(b, "go");
    for (int i = 0; i < b->figures_n; i++) {
        met += bench_meets(b, &b->figures[i]) == 1;
        missed += bench_meets(b, &b->figures[i]) == 0;
    }
    fprintf(to, "\n## Targets\n\nOf %d targets %d were met in this run%s\n", met + missed, met,
            missed ? ". Missed, and why below (Limits):\n\n| line | target | runnel / Go |\n|---|---|---|" : ".");
    for (int i = 0; i < b->figures_n; i++) {
        const struct figure *f = &b->figures[i];
        if (bench_meets(b, f) != 0)
            continue;
        struct spread r = bench_ratio(b, f, go);
        fprintf(to, "| %s | %s %.2g | %.2f (%.2f–%.2f) |\n", f->name, f->at_least ? "≥" : "≤", f->target, r.median,
                r.low, r.high);
    }
}

static void write_against_go(const struct bench *b, FILE *to)
{
    int go = bench_side(b, "go");
    fputs("\n## Beside Go\n\n![Ratios and curves](performance.svg)\n\n"
          "| line | unit | runnel | Go | runnel / Go | target |\n|---|---|---|---|---|---|\n",
          to);
    for (int i = 0; i < b->figures_n && go > 0; i++) {
        const struct figure *f = &b->figures[i];
        struct spread own = bench_spread(b, f, 0), other = bench_spread(b, f, go), r = bench_ratio(b, f, go);
        if (r.n == 0)
            continue;
        fprintf(to, "| %s | %s | %.4g (%.3g–%.3g) | %.4g (%.3g–%.3g) | **%.2f** (%.2f–%.2f) |", f->name, f->unit,
                own.median, own.low, own.high, other.median, other.low, other.high, r.median, r.low, r.high);
        if (f->target)
            fprintf(to, " %s %.2g %s |\n", f->at_least ? "≥" : "≤", f->target, bench_meets(b, f) ? "met" : "missed");
        else
            fputs(" |\n", to);
    }
}

/* A median in the middle of two modes says nothing: such lines with each process. */
static void write_modes(const struct bench *b, FILE *to)
{
    int n = 0, go = bench_side(b, "go");
    for (int i = 0; i < b->figures_n; i++) {
        const struct figure *f = &b->figures[i];
        if (!bench_has_modes(b, f, 0) && !(go > 0 && bench_has_modes(b, f, go)))
            continue;
        if (n++ == 0)
            fputs(
                "\n## Lines whose processes differ\n\nBy half as much again, or more: each process's own median, the lowest "
                "first.\n\n| line | unit | runnel | Go |\n|---|---|---|---|\n",
                to);
        fprintf(to, "| %s | %s | %s | %s |\n", f->name, f->unit, bench_each(b, f, 0),
                go > 0 ? bench_each(b, f, go) : "");
    }
}

/* A table with a column for each other peer: its median, and the ratio. */
static void write_against_others(const struct bench *b, FILE *to)
{
    int go = bench_side(b, "go");
    if (b->sides_n <= (go > 0 ? 2 : 1))
        return;
    fputs("\n## Beside other libraries\n\nA peer's median, and runnel's divided by it.\n\n| line | unit | runnel |",
          to);
    for (int s = 1; s < b->sides_n; s++)
        if (s != go)
            fprintf(to, " %s |", b->sides[s].name);
    fputs("\n|---|---|---|", to);
    for (int s = 1; s < b->sides_n; s++)
        fputs(s != go ? "---|" : "", to);
    fputc('\n', to);
    for (int i = 0; i < b->figures_n; i++) {
        const struct figure *f = &b->figures[i];
        int n = 0;
        for (int s = 1; s < b->sides_n; s++)
            n += s != go && bench_ratio(b, f, s).n > 0;
        if (n == 0)
            continue;
        fprintf(to, "| %s | %s | %.4g |", f->name, f->unit, bench_spread(b, f, 0).median);
        for (int s = 1; s < b->sides_n; s++) {
            struct spread r = bench_ratio(b, f, s);
            if (s != go && r.n)
                fprintf(to, " %.4g: **%.2f** |", bench_spread(b, f, s).median, r.median);
            else if (s != go)
                fputs(" |", to);
        }
        fputc('\n', to);
    }
}

void bench_write_docs(const struct bench *b)
{
    char *out, *path = text("%s/docs/performance.md", b->root);
    char *limits = read_file(text("%s/bench/limits.md", b->root), NULL);
    size_t size;
    FILE *to = open_memstream(&out, &size);
    if (!to)
        die(STATUS_FAILED, "out of memory");
    write_head(b, to);
    write_missed(b, to);
    write_against_go(b, to);
    write_against_others(b, to);
    write_modes(b, to);
    fprintf(to, "\n%s", limits ? limits : "");
    fclose(to);
    if (write_file(path, out, size, 0666) < 0)
        die(STATUS_FAILED, "bench: %s: %s", path, strerror(errno));
    bench_plot(b, text("%s/docs/performance.svg", b->root));
    say("bench: wrote docs/performance.md");
}
