/* The report of `runnel bench`, for people and as JSON. */
#define _GNU_SOURCE 1
#include "bench.h"
#include <math.h>
#include <string.h>

static void print_spread(FILE *to, const struct spread *s, int width)
{
    char shown[64] = "";
    if (s->n)
        snprintf(shown, sizeof shown, "%.4g (%.4g-%.4g)", s->median, s->low, s->high);
    fprintf(to, " %-*s", width, shown);
}

static void print_against(const struct bench *b, const struct figure *f, int side, FILE *to)
{
    struct spread other = bench_spread(b, f, side), ratio = bench_ratio(b, f, side);
    fprintf(to, " %-7s", b->sides[side].name);
    print_spread(to, &other, 25);
    if (ratio.n)
        fprintf(to, " %5.2f (%.2f-%.2f)", ratio.median, ratio.low, ratio.high);
    int meets = strcmp(b->sides[side].name, "go") == 0 ? bench_meets(b, f) : -1;
    if (meets >= 0)
        fprintf(to, "  want %s %.2g: %s", f->at_least ? ">=" : "<=", f->target, meets ? "met" : "MISSED");
    fputc('\n', to);
}

/* Of those that fall apart each process. */
static void print_modes(const struct bench *b, const struct figure *f, FILE *to)
{
    for (int s = 0; s < b->sides_n; s++)
        if (bench_has_modes(b, f, s))
            fprintf(to, "  each process of %s: %s\n", b->sides[s].name, bench_each(b, f, s));
}

static void print_figure(const struct bench *b, const struct figure *f, FILE *to)
{
    struct spread own = bench_spread(b, f, 0);
    int others = 0;
    fprintf(to, "%-36s %-8s", f->name, f->unit);
    print_spread(to, &own, 25);
    for (int s = 1; s < b->sides_n; s++) {
        if (bench_spread(b, f, s).n == 0)
            continue;
        if (others++)
            fprintf(to, "%-36s %-8s %-25s", "", "", "");
        print_against(b, f, s, to);
    }
    if (!others)
        fputc('\n', to);
    print_modes(b, f, to);
}

void bench_print(const struct bench *b, FILE *to)
{
    fprintf(to, "machine:  %s; %s\nversions: %s; %s\n", b->machine, b->kernel, b->sides[0].version, b->compiler);
    for (int s = 1; s < b->sides_n; s++)
        fprintf(to, "          %s: %s\n", b->sides[s].name, b->sides[s].version);
    fprintf(to, "load:     %s before, %s after; %d processes of %d rounds each, by turns\n\n", b->load_before,
            b->load_after, b->processes, b->rounds);
    fprintf(to, "%-36s %-8s %-25s %-7s %-25s %s\n", "workload", "unit", "runnel (low-high)", "peer", "peer (low-high)",
            "runnel / peer (low-high), by pairs");
    int met = 0, missed = 0;
    for (int i = 0; i < b->figures_n; i++) {
        print_figure(b, &b->figures[i], to);
        int meets = bench_meets(b, &b->figures[i]);
        met += meets == 1;
        missed += meets == 0;
    }
    fprintf(to, "\n%d targets met, %d missed", met, missed);
    if (b->failures)
        fprintf(to, "; %d failures", b->failures);
    fputc('\n', to);
}

static void json_pair(FILE *to, const char *key, const char *value, const char *end)
{
    fprintf(to, "  \"%s\": ", key);
    json_text(to, value);
    fprintf(to, "%s\n", end);
}

static void json_side(const struct bench *b, const struct figure *f, int side, FILE *to)
{
    struct spread s = bench_spread(b, f, side), ratio = bench_ratio(b, f, side);
    json_text(to, b->sides[side].name);
    fprintf(to, ": {\"median\": %.6g, \"low\": %.6g, \"high\": %.6g, \"processes\": [", s.median, s.low, s.high);
    for (int p = 0, n = 0; p < b->processes; p++)
        if (!isnan(f->at[side * PROCESSES + p]))
            fprintf(to, "%s%.6g", n++ ? ", " : "", f->at[side * PROCESSES + p]);
    fputc(']', to);
    if (side > 0 && ratio.n)
        fprintf(to, ", \"ratio\": {\"median\": %.4g, \"low\": %.4g, \"high\": %.4g}", ratio.median, ratio.low,
                ratio.high);
    fputc('}', to);
}

static void json_figure(const struct bench *b, const struct figure *f, FILE *to)
{
    fputs("    {\"name\": ", to);
    json_text(to, f->name);
    fputs(", \"unit\": ", to);
    json_text(to, f->unit);
    if (f->target)
        fprintf(to, ", \"target\": {\"%s\": %g}", f->at_least ? "at_least" : "at_most", f->target);
    if (bench_meets(b, f) >= 0)
        fprintf(to, ", \"met\": %s", bench_meets(b, f) ? "true" : "false");
    fputs(", \"sides\": {", to);
    for (int s = 0, n = 0; s < b->sides_n; s++) {
        if (bench_spread(b, f, s).n == 0)
            continue;
        fputs(n++ ? ", " : "", to);
        json_side(b, f, s, to);
    }
    fputs("}}", to);
}

void bench_print_json(const struct bench *b, FILE *to)
{
    fputs("{\n", to);
    json_pair(to, "date", b->date, ",");
    json_pair(to, "machine", b->machine, ",");
    json_pair(to, "kernel", b->kernel, ",");
    json_pair(to, "compiler", b->compiler, ",");
    json_pair(to, "load_before", b->load_before, ",");
    json_pair(to, "load_after", b->load_after, ",");
    fputs("  \"versions\": {", to);
    for (int s = 0; s < b->sides_n; s++) {
        fputs(s ? ", " : "", to);
        json_text(to, b->sides[s].name);
        fputs(": ", to);
        json_text(to, b->sides[s].version);
    }
    fprintf(to, "},\n  \"processes\": %d,\n  \"rounds\": %d,\n  \"failures\": %d,\n  \"results\": [\n", b->processes,
            b->rounds, b->failures);
    for (int i = 0; i < b->figures_n; i++) {
        json_figure(b, &b->figures[i], to);
        fputs(i + 1 < b->figures_n ? ",\n" : "\n", to);
    }
    fputs("  ]\n}\n", to);
}
