/* Building and running the programs that `runnel bench` compares.
 *
 * bench/core and bench/net hold runnel's, one file each.  A peer is a folder bench/peers/<name> with a script
 * `peer`: "peer version" prints one line, or says on stderr what is missing and fails; "peer build DIR NAME…"
 * makes DIR/NAME for those of the workloads that it has.  Where a file <workload>.sh stands beside runnel's
 * source, `sh <workload>.sh PROGRAM` runs either side's program, with the clients that it needs.
 * A program ends with a failure when the result of its work is wrong. */
#define _GNU_SOURCE 1
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char *first_line_of(const char *command)
{
    struct list argv = {0};
    int status;
    list_add_words(&argv, "sh -c");
    list_add(&argv, command);
    char *said = output_of(argv.at, &status);
    said[strcspn(said, "\n")] = 0;
    return status == 0 ? said : text("%s", "");
}

/* Runs bench/peers/<name>/peer with the words. */
static char *ask_peer(const struct bench *b, const char *name, const struct list *words, int *status)
{
    struct list argv = {0};
    list_add_words(&argv, "sh");
    list_add(&argv, text("%s/bench/peers/%s/peer", b->root, name));
    list_add_all(&argv, words);
    return output_of(argv.at, status);
}

static void add_side(struct bench *b, const char *name, char *version)
{
    if (b->sides_n == SIDES)
        die(STATUS_FAILED, "bench: there are more than %d sides", SIDES);
    char *dir = text("%s/build/bench/%s", b->root, name);
    if (make_dirs(dir) < 0)
        die(STATUS_FAILED, "bench: can't make %s", dir);
    b->sides[b->sides_n++] = (struct side){.name = text("%s", name), .version = version, .dir = dir};
}

static void add_peer(struct bench *b, const char *name)
{
    struct list words = {0};
    int status;
    list_add(&words, "version");
    char *said = ask_peer(b, name, &words, &status);
    said[strcspn(said, "\n")] = 0;
    if (status == 0)
        add_side(b, name, said);
    else
        say("bench: %s is left out: %s", name, said);
}

static bool has(const struct list *l, const char *word)
{
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->at[i], word) == 0)
            return true;
    return false;
}

void bench_find_sides(struct bench *b, const struct list *wanted)
{
    struct list peers = {0};
    char *names = first_line_of(text("cd '%s/bench/peers' && ls -d */peer | tr '\\n' ' '", b->root));
    list_add_words(&peers, names);
    add_side(b, "runnel", text("runnel %s", RN_VERSION));
    for (int i = 0; i < peers.n; i++)
        peers.at[i] = dir_name(peers.at[i]);
    for (int i = 0; i < wanted->n; i++)
        if (!has(&peers, wanted->at[i]) && strcmp(wanted->at[i], "none") != 0)
            die(STATUS_USAGE, "bench: there is no peer %s (bench/peers has: %s)", wanted->at[i], names);
    if (has(&peers, "go") && (wanted->n == 0 || has(wanted, "go")))
        add_peer(b, "go"); /* the one that targets are about comes first */
    for (int i = 0; i < peers.n; i++)
        if (strcmp(peers.at[i], "go") != 0 && (wanted->n == 0 || has(wanted, peers.at[i])))
            add_peer(b, peers.at[i]);
}

static void build_own(struct bench *b, const struct toolchain *t, const char *workload)
{
    struct program p = {.name = base_name(workload)};
    size_t size;
    list_add(&p.sources, text("%s/bench/%s.c", b->root, workload));
    char *path = cached(t, &p);
    char *program = path ? read_file(path, &size) : NULL;
    if (!program || write_file(text("%s/%s", b->sides[0].dir, p.name), program, size, 0777) < 0)
        die(STATUS_FAILED, "bench: %s was not built", workload);
}

void bench_build(struct bench *b)
{
    struct toolchain t;
    toolchain_find(&t, false, false, &(struct flags){0});
    for (int w = 0; w < b->workloads.n; w++)
        build_own(b, &t, b->workloads.at[w]);
    for (int s = 1; s < b->sides_n; s++) {
        struct list words = {0};
        int status;
        list_add(&words, "build");
        list_add(&words, b->sides[s].dir);
        for (int w = 0; w < b->workloads.n; w++)
            list_add(&words, base_name(b->workloads.at[w]));
        char *said = ask_peer(b, b->sides[s].name, &words, &status);
        if (status == 0)
            continue;
        fputs(said, stderr);
        say("bench: %s does not build: what it has is measured", b->sides[s].name);
        b->failures++;
    }
}

static void measure(struct bench *b, int side, int process, const char *workload)
{
    char *program = text("%s/%s", b->sides[side].dir, base_name(workload));
    char *driver = text("%s/bench/%s.sh", b->root, workload);
    struct list argv = {0};
    int status;
    if (access(program, X_OK) < 0)
        return; /* a workload that this peer does not have */
    list_add_words(&argv, "timeout -k 5 300");
    if (access(driver, R_OK) == 0) {
        list_add(&argv, "sh");
        list_add(&argv, driver);
    }
    list_add(&argv, program);
    char *said = output_of(argv.at, &status);
    if (status == 0) {
        bench_take(b, side, process, said);
        return;
    }
    fprintf(stderr, "%.2000s", said);
    say("bench: %s of %s failed with status %d", workload, b->sides[side].name, status);
    b->failures++;
}

static double minutes_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) / 60 + (double)(now.tv_nsec - start->tv_nsec) / 6e10;
}

/* One workload for everybody.  Who begins changes, so that nobody always runs behind the same one.  Targets are about
 * Go, the second side: the others run every other time. */
static void measure_sides(struct bench *b, const char *workload)
{
    for (int k = 0; k < b->sides_n; k++) {
        int side = (k + b->processes) % b->sides_n;
        if (side < 2 || b->processes % 2 == 0)
            measure(b, side, b->processes, workload);
    }
}

void bench_run(struct bench *b)
{
    struct timespec start;
    int wanted = b->processes;
    bool tell = isatty(STDERR_FILENO), late = false;
    clock_gettime(CLOCK_MONOTONIC, &start);
    setenv("ROUNDS", text("%d", b->rounds), 1);
    setenv("BENCH_PROCS", b->procs, 1);
    for (b->processes = 0; b->processes < wanted && !late; b->processes++)
        for (int w = 0; w < b->workloads.n && !late; w++) {
            if (tell)
                fprintf(stderr, "\r\033[Kprocess %d of %d: %s", b->processes + 1, wanted, b->workloads.at[w]);
            measure_sides(b, b->workloads.at[w]);
            late = b->minutes > 0 && minutes_since(&start) >= b->minutes;
        }
    if (tell)
        fputs("\r\033[K", stderr);
    if (late)
        say("bench: the time is up, in the middle of process %d", b->processes);
}
