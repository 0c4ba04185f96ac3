/* The picture of `runnel bench`, drawn by gnuplot: above, every ratio to Go with its spread and its target;
 * below, a small chart for every curve, over processors (.P), goroutines or timers (.N) and cases (.C). */
#define _GNU_SOURCE 1
#include "bench.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 1000, ROW = 15, CHART = 240, COLUMNS = 3 };

static bool has_ratio(const struct bench *b, const struct figure *f, int go)
{
    return go > 0 && bench_ratio(b, f, go).n > 0;
}

/* How many figures from i on are points of one curve: 0 or at least 2. */
static int curve_length(const struct bench *b, int i)
{
    double x;
    const char *end = bench_point(&b->figures[i], &x);
    size_t n = end ? (size_t)(end - b->figures[i].name) + 2 : 0;
    int length = 0;
    while (n && i + length < b->figures_n && bench_point(&b->figures[i + length], &x) &&
           strncmp(b->figures[i].name, b->figures[i + length].name, n) == 0)
        length++;
    return length < 2 ? 0 : length;
}

static void ratio_chart(const struct bench *b, int go, int rows, double top, double height, FILE *to)
{
    int row = rows;
    fputs("$ratios << EOD\n", to);
    for (int i = 0; i < b->figures_n; i++) {
        const struct figure *f = &b->figures[i];
        struct spread r = bench_ratio(b, f, go);
        if (has_ratio(b, f, go))
            fprintf(to, "%g %g %g %d \"%s\" %g\n", r.median, r.low, r.high, row--, f->name,
                    f->target ? f->target : NAN);
    }
    fprintf(
        to,
        "EOD\nset origin 0,%g\nset size 1,%g\nset lmargin 40\nset rmargin 4\nset logscale x 10\nset grid x\n"
        "set title 'runnel / Go: below 1 runnel needs less (for rates: does less)'\nset yrange [0:%d]\nset xrange [0.02:20]\n"
        "set arrow 1 from 1,0 to 1,%d nohead lc rgb '#999999'\nset key bottom left\n"
        "plot $ratios using 1:4:2:3:ytic(5) with xerrorbars pt 7 ps 0.5 lc rgb '#1565c0' title 'median and spread', "
        "$ratios using 6:4 with points pt 2 ps 0.6 lc rgb '#c62828' title 'target'\n"
        "unset arrow 1\nunset lmargin\nunset rmargin\nunset xrange\nunset yrange\nunset logscale\nunset ytics\nset ytics\n",
        top - height, height, rows + 1, rows + 1);
}

static const char *axis_of(char kind)
{
    return kind == 'P' ? "processors" : kind == 'C' ? "cases" : "how many";
}

static void curve_chart(const struct bench *b, int i, int length, double x, double y, double w, double h, FILE *to)
{
    double number;
    const char *end = bench_point(&b->figures[i], &number);
    fprintf(to, "set origin %g,%g\nset size %g,%g\nset title '%.*s, %s'\nset xlabel '%s'\nset logscale x %s\n", x, y, w,
            h, (int)(end - b->figures[i].name), b->figures[i].name, b->figures[i].unit, axis_of(end[1]),
            end[1] == 'N' ? "10" : "2");
    fputs("set yrange [0:*]\nset key bottom right samplen 1\n$curve << EOD\n", to);
    for (int s = 0; s < b->sides_n; s++) {
        for (int k = i; k < i + length; k++) {
            struct spread v = bench_spread(b, &b->figures[k], s);
            bench_point(&b->figures[k], &number);
            if (v.n)
                fprintf(to, "%g %g\n", number, v.median);
        }
        fputs("\n\n", to);
    }
    fputs("EOD\nplot ", to);
    for (int s = 0, n = 0; s < b->sides_n; s++) {
        if (bench_spread(b, &b->figures[i], s).n == 0 && bench_spread(b, &b->figures[i + length - 1], s).n == 0)
            continue;
        fprintf(to, "%s$curve index %d using 1:2 with linespoints pt 7 ps 0.4 title '%s'", n++ ? ", " : "", s,
                b->sides[s].name);
    }
    fputs("\nunset logscale\nunset xlabel\nunset yrange\n", to);
}

static void draw(const struct bench *b, const char *file, FILE *to)
{
    int go = bench_side(b, "go"), rows = 0, curves = 0;
    for (int i = 0; i < b->figures_n; i++)
        rows += has_ratio(b, &b->figures[i], go);
    for (int i = 0; i < b->figures_n; i++) {
        int length = curve_length(b, i);
        curves += length > 0;
        i += length ? length - 1 : 0;
    }
    double above = rows ? rows * ROW + 90 : 0, total = above + (double)((curves + COLUMNS - 1) / COLUMNS * CHART);
    fprintf(
        to,
        "set terminal svg noenhanced size %d,%g dynamic font 'sans,10' background rgb 'white'\nset output '%s'\nset multiplot\n",
        WIDTH, total < CHART ? CHART : total, file);
    if (rows)
        ratio_chart(b, go, rows, 1, above / total, to);
    int n = 0;
    for (int i = 0; i < b->figures_n; i++) {
        int length = curve_length(b, i);
        if (!length)
            continue;
        double h = CHART / total, w = 1.0 / COLUMNS;
        curve_chart(b, i, length, n % COLUMNS * w, 1 - above / total - (n / COLUMNS + 1) * h, w, h, to);
        n++;
        i += length - 1;
    }
    fputs("unset multiplot\n", to);
}

bool bench_plot(const struct bench *b, const char *file)
{
    if (!find_program("gnuplot")) {
        say("bench: the plot is drawn by gnuplot, which is not installed (apt-get install gnuplot-nox)");
        return false;
    }
    char *script = text("%s.%d.tmp", file, (int)getpid());
    FILE *to = fopen(script, "w");
    if (!to)
        die(STATUS_FAILED, "bench: can't write %s", script);
    draw(b, file, to);
    fclose(to);
    struct list argv = {0};
    int status;
    list_add(&argv, "gnuplot");
    list_add(&argv, script);
    char *said = output_of(argv.at, &status);
    if (status != 0)
        say("bench: gnuplot: %s", said);
    unlink(script);
    return status == 0;
}
