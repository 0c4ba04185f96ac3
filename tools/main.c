/* runnel: to C what the `go` command is to Go.  This file: which command, version and help. */
#include "tool.h"
#include <stdio.h>
#include <string.h>

static int command_version(int argc, char **argv);
static int command_help(int argc, char **argv);

static const struct command {
    const char *name, *arguments, *what, *more;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "[-race|-asan] [-lLIBRARY] FILE.c... [ARGUMENT...]", "compile, link and run a program",
     "The arguments after the files are the program's; \"--\" ends the files, for arguments that end in .c.\n"
     "The program is kept in a cache: the next run of the same files starts at once.\n"
     "Its exit status is the program's own.\n"
     "  -race  report data races (ThreadSanitizer; needs clang)\n"
     "  -asan  report misuse of memory and undefined behaviour (AddressSanitizer, UndefinedBehaviorSanitizer)\n"
     "  -lLIBRARY, -LDIR, -IDIR, -DNAME[=VALUE], -UNAME  as for the compiler\n"
     "CC, CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS are respected; RUNNEL_PROCS=N limits the program to N processors.\n",
     command_run},
    {"build", "[-race|-asan] [-o FILE] FILE.c... [-lLIBRARY]", "compile and link a program",
     "  -o FILE  the program's name; without it the first file's, without .c\n"
     "  -race    report data races when it runs (needs clang)\n"
     "  -asan    report misuse of memory and undefined behaviour when it runs\n"
     "  -lLIBRARY, -LDIR, -IDIR, -DNAME[=VALUE], -UNAME  as for the compiler\n"
     "CC, CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS are respected (LDFLAGS=-static for a program that needs no library).\n",
     command_build},
    {"test", "[-race|-asan] [-run PATTERN] [-explore N] [-bench PATTERN] [FILE.c...]", "build and run the tests",
     "Every *_test.c in and below this directory is a test program (see runnel/test.h); the other .c files\n"
     "beside it are linked to it as far as it needs them.  With FILEs: these; one that is no *_test.c is a program\n"
     "of one file, whose rn_main is the test: it must return 0; or it has TESTs and BENCHes.  Prints TAP.\n"
     "  -run PATTERN  only tests whose name contains it, or matches it as a regular expression\n"
     "  -race         report data races (needs clang)\n"
     "  -asan         report misuse of memory and undefined behaviour\n"
     "  -json         print events as go test -json does, one object a line, for gotestsum and the like\n"
     "  -lLIBRARY, -LDIR, -IDIR, -DNAME[=VALUE], -UNAME  as for the compiler\n"
     "  -explore N    run each test under N schedules, one goroutine at a time and with a virtual clock\n"
     "  -strategy S   of -explore: random, pct, dfs (all schedules, simple ones first); else mixed (of all)\n"
     "  -seed S       of -explore: a whole number; the same seed tries the same schedules; else 1\n"
     "  -depth D      of -explore: the depth of bugs that pct looks for; else 3\n"
     "  -steps N      of -explore: switching points after which a schedule counts as endless; else 10000000\n"
     "  -faults LIST  of -explore: what may happen to I/O within the program: delay,reset,partition\n"
     "  -replay TOKEN repeat the schedule of a failure that -explore has printed\n"
     "  -bench PATTERN run the benchmarks (BENCH in a *_test.c) with such a name and no tests; \".\": all\n"
     "  -count N      of -bench: each N times, for benchstat\n"
     "  -cpuprofile FILE of -bench: where the time goes, for go tool pprof\n"
     "In runnel's own source tree: runnel's tests; -full also with the sanitizers and in the debug build.\n",
     command_test},
    {"vet", "[-json] [-I DIR] [-D NAME] [-p DIR] FILE.c...", "find mistakes in how sources use runnel",
     "Prints each as a compiler would, with the rule's name, and exits with 1 when there is one.  Files of which\n"
     "at most one has main or rn_main are looked at as one program.\n"
     "  -I DIR, -D NAME[=VALUE], -U, -include, -isystem, -std=: as for the compiler\n"
     "  -p DIR        flags from DIR/compile_commands.json, and without FILE its files; else the nearest one above\n"
     "                the first file\n"
     "  -- FLAGS      any other flags of the compiler\n"
     "  -stack SIZE   of goroutines, for the check of large frames; else RUNNEL_STACK, or 64K\n"
     "  -json         print a JSON array\n"
     "A comment `vet: ignore RULE because REASON` on the line or alone above it silences that rule there.\n",
     command_vet},
    {"bench", "[NAME...] [-n PROCESSES] [-json]", "compare runnel with Go and other peers",
     "In runnel's own source tree.  Builds and runs the workloads whose name begins with NAME (a, b_pingpong, net ...; all\n"
     "without one) for runnel and for every peer that is installed, by turns, and prints medians, spreads and ratios.\n"
     "  -n PROCESSES  of each side; else 4\n"
     "  -r ROUNDS     that each process measures; else 7; -quick: 3\n"
     "  -t MINUTES    begin nothing more after that\n"
     "  -p 1,2,4      numbers of processors; else powers of two up to the machine's\n"
     "  -most N       where curves over goroutines and timers end; else 1000000 (10000000 takes 10 GB)\n"
     "  -peer NAME    only that peer (may be repeated; \"none\": no peer)\n"
     "  -json         print JSON\n"
     "  -plot FILE    draw ratios and curves as SVG (needs gnuplot)\n"
     "  -write-docs   write docs/performance.md and docs/performance.svg\n",
     command_bench},
    {"new", "DIR", "make a new project", "A program, a test, a CMakeLists.txt that uses the installed library.\n",
     command_new},
    {"version", "", "print the version", "", command_version},
    {"help", "[COMMAND]", "say how it is used", "", command_help},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int command_version(int argc, char **argv)
{
    if (argc > 1)
        die(STATUS_USAGE, "version: unknown argument %s", argv[1]);
#if defined(__x86_64__)
    const char *machine = "x86_64";
#elif defined(__aarch64__)
    const char *machine = "aarch64";
#endif
    printf("runnel %s linux/%s\n", RN_VERSION, machine);
    return STATUS_OK;
}

static void overview(void)
{
    printf("runnel runs C programs that use goroutines and channels.\n\nusage: runnel COMMAND [ARGUMENT...]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-8s %s\n", commands[i].name, commands[i].what);
    printf("\n\"runnel help COMMAND\" tells its arguments and options; runnel(1) tells it all.\n");
}

static int command_help(int argc, char **argv)
{
    if (argc < 2) {
        overview();
        return STATUS_OK;
    }
    const struct command *c = find(argv[1]);
    if (!c)
        die(STATUS_USAGE, "unknown command %s (see: runnel help)", argv[1]);
    printf("usage: runnel %s%s%s\n\n%c%s.\n%s", c->name, *c->arguments ? " " : "", c->arguments, c->what[0] - 'a' + 'A',
           c->what + 1, c->more);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        overview();
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        argv[1] = "help";
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = "version";
    const struct command *c = find(argv[1]);
    if (!c && argv[1][0] == '-')
        die(STATUS_USAGE, "unknown option %s (see: runnel help)", argv[1]);
    if (!c)
        die(STATUS_USAGE, "unknown command %s (see: runnel help)", argv[1]);
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return command_help(2, argv);
    return c->run(argc - 1, argv + 1);
}
