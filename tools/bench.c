/* runnel bench: the workloads below bench/ for runnel, Go and the other peers that are installed, by turns
 * (A B A B), each in several processes of several rounds.  Only ratios count on a machine that others use too, so
 * each is taken from the two processes that ran next to each other, and their spread is shown.
 *
 * Of two comparisons at a time each would measure the other: build/bench/lock lets one through. */
#define _GNU_SOURCE 1
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct bench_options {
    struct list names, peers;
    const char *plot;
    bool json, docs;
};

static const char *value_of(int argc, char **argv, int *i)
{
    if (*i + 1 == argc)
        die(STATUS_USAGE, "bench: %s needs a value (see: runnel help bench)", argv[*i]);
    return argv[++*i];
}

static double number_of(const char *option, const char *value, double most)
{
    char *end;
    double n = strtod(value, &end);
    if (end == value || *end || n < 1 || n > most)
        die(STATUS_USAGE, "bench: %s %s: want a number from 1 to %g", option, value, most);
    return n;
}

/* "1,2,4" as "1 2 4". */
static char *procs_of(const char *value)
{
    char *procs = text("%s", value);
    if (strspn(procs, "0123456789,") != strlen(procs) || *procs == 0)
        die(STATUS_USAGE, "bench: -p %s: want numbers of processors, such as 1,2,4", value);
    for (char *at = procs; *at; at++)
        if (*at == ',')
            *at = ' ';
    return procs;
}

static void take_options(int argc, char **argv, struct bench *b, struct bench_options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i] + (strncmp(argv[i], "--", 2) == 0);
        if (strcmp(option, "-json") == 0)
            o->json = true;
        else if (strcmp(option, "-write-docs") == 0)
            o->docs = true;
        else if (strcmp(option, "-quick") == 0)
            b->rounds = 3;
        else if (strcmp(option, "-plot") == 0)
            o->plot = value_of(argc, argv, &i);
        else if (strcmp(option, "-n") == 0)
            b->processes = (int)number_of("-n", value_of(argc, argv, &i), PROCESSES);
        else if (strcmp(option, "-r") == 0)
            b->rounds = (int)number_of("-r", value_of(argc, argv, &i), 1000);
        else if (strcmp(option, "-t") == 0)
            b->minutes = number_of("-t", value_of(argc, argv, &i), 1e6);
        else if (strcmp(option, "-p") == 0)
            b->procs = procs_of(value_of(argc, argv, &i));
        else if (strcmp(option, "-most") == 0)
            setenv("BENCH_MOST", text("%.0f", number_of("-most", value_of(argc, argv, &i), 1e8)), 1);
        else if (strcmp(option, "-peer") == 0)
            list_add(&o->peers, value_of(argc, argv, &i));
        else if (*option == '-')
            die(STATUS_USAGE, "bench: unknown option %s (see: runnel help bench)", argv[i]);
        else
            list_add(&o->names, argv[i]);
    }
}

static bool chosen(const struct list *names, const char *workload)
{
    for (int i = 0; i < names->n; i++)
        if (strncmp(base_name(workload), names->at[i], strlen(names->at[i])) == 0 ||
            strncmp(workload, names->at[i], strlen(names->at[i])) == 0)
            return true;
    return names->n == 0;
}

static void find_workloads(struct bench *b, const struct list *names)
{
    struct list all = {0};
    list_add_words(
        &all,
        first_line_of(text("cd '%s/bench' && { ls core/?_*.c; ls net/*.sh 2>/dev/null | sed s/sh$/c/; } | tr '\\n' ' '",
                           b->root)));
    for (int i = 0; i < all.n; i++) {
        all.at[i][strlen(all.at[i]) - 2] = 0;
        if (chosen(names, all.at[i]))
            list_add(&b->workloads, all.at[i]);
    }
    if (b->workloads.n == 0)
        die(STATUS_USAGE, "bench: no workload begins with %s; bench/core and bench/net have them",
            names->n ? names->at[0] : "it");
}

static char *load_now(void)
{
    return first_line_of("cut -d' ' -f1-3 /proc/loadavg");
}

static void describe_machine(struct bench *b)
{
    char date[64];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    b->date = text("%s", date);
    b->machine = text("%s, %ld processors, %s GiB", first_line_of("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo"),
                      sysconf(_SC_NPROCESSORS_ONLN),
                      first_line_of("awk '/^MemTotal/ { printf \"%.0f\", $2 / 1048576 }' /proc/meminfo"));
    b->kernel = first_line_of("uname -srm");
    b->compiler = first_line_of("${CC:-cc} --version");
}

/* 1 2 4 … up to what the machine has. */
static char *usual_procs(void)
{
    long most = sysconf(_SC_NPROCESSORS_ONLN);
    char *procs = text("1");
    for (long p = 2; p <= most; p *= 2)
        procs = text("%s %ld", procs, p);
    return procs;
}

static void wait_for_turn(const struct bench *b)
{
    char *dir = text("%s/build/bench", b->root);
    int fd = make_dirs(dir) == 0 ? open(text("%s/lock", dir), O_CREAT | O_RDWR | O_CLOEXEC, 0666) : -1;
    if (fd < 0)
        die(STATUS_FAILED, "bench: can't write to %s: %s", dir, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        say("bench: waiting for another comparison to end");
        flock(fd, LOCK_EX);
    }
}

int command_bench(int argc, char **argv)
{
    struct bench b = {.root = source_tree(), .processes = 4, .rounds = 7, .procs = usual_procs()};
    struct bench_options o = {0};
    take_options(argc, argv, &b, &o);
    if (!b.root)
        die(STATUS_USAGE, "bench: is for runnel's own source tree; for your programs: runnel test -bench PATTERN");
    find_workloads(&b, &o.names);
    wait_for_turn(&b);
    bench_find_sides(&b, &o.peers);
    bench_build(&b);
    describe_machine(&b);
    b.load_before = load_now();
    bench_run(&b);
    b.load_after = load_now();
    bench_sort(&b);
    (o.json ? bench_print_json : bench_print)(&b, stdout);
    if (o.plot && !bench_plot(&b, o.plot))
        return STATUS_FAILED;
    if (o.docs)
        bench_write_docs(&b);
    return b.failures ? STATUS_FAILED : STATUS_OK;
}
