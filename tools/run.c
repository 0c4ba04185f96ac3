/* runnel run, runnel build. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int take_sources(int argc, char **argv, const char *command, struct list *sources)
{
    int i = 0;
    for (; i < argc && ends_with(argv[i], ".c"); i++) {
        struct stat st;
        if (stat(argv[i], &st) < 0)
            die(STATUS_FAILED, "%s: %s", argv[i], strerror(errno));
        if (S_ISDIR(st.st_mode))
            die(STATUS_FAILED, "%s is a directory", argv[i]);
        list_add(sources, argv[i][0] == '-' ? text("./%s", argv[i]) : argv[i]); /* else an option for the compiler */
    }
    if (i == 0 && argc > 0)
        die(STATUS_USAGE, "%s: not a .c file: %s (see: runnel help %s)", command, argv[0], command);
    if (i == 0)
        die(STATUS_USAGE, "%s: no file given (see: runnel help %s)", command, command);
    return i + (i < argc && strcmp(argv[i], "--") == 0);
}

static void name_program(struct program *p)
{
    const char *base = base_name(p->sources.at[0]);
    p->name = text("%.*s", (int)strlen(base) - 2, base);
}

struct options {
    const char *command;
    bool race;
    bool can_name; /* -o FILE */
    const char *out;
    struct flags flags;
};

/* Takes the options that come next, and a "--" behind them; returns where something else begins. */
static int take_options(int argc, char **argv, int i, struct options *o)
{
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *option = argv[i] + (argv[i][1] == '-');
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (strcmp(option, "-race") == 0)
            o->race = true;
        else if (o->can_name && strcmp(argv[i], "-o") == 0 && i + 1 < argc)
            o->out = argv[++i];
        else if (o->can_name && strncmp(argv[i], "-o", 2) == 0 && argv[i][2])
            o->out = argv[i] + 2;
        else if (o->can_name && strcmp(argv[i], "-o") == 0)
            die(STATUS_USAGE, "%s: -o needs a value (see: runnel help %s)", o->command, o->command);
        else if (!take_compiler_flag(argc, argv, &i, o->command, &o->flags))
            die(STATUS_USAGE, "%s: unknown option %s (see: runnel help %s)", o->command, argv[i], o->command);
    }
    return i;
}

int command_run(int argc, char **argv)
{
    struct program p = {0};
    struct toolchain t;
    struct options o = {.command = "run"};
    int i = take_options(argc, argv, 1, &o);
    i += take_sources(argc - i, argv + i, "run", &p.sources);
    name_program(&p);
    toolchain_find(&t, o.race, false, &o.flags);
    for (int attempt = 0; attempt < 2; attempt++) {
        char *path = cached(&t, &p);
        if (!path)
            return STATUS_FAILED;
        argv[i - 1] = path;
        execv(path, argv + i - 1);
        if (errno != ENOENT) /* else tidied away by another command just now: once more */
            die(STATUS_FAILED, "can't run %s: %s", path, strerror(errno));
    }
    return STATUS_FAILED;
}

int command_build(int argc, char **argv)
{
    struct program p = {0};
    struct toolchain t;
    struct options o = {.command = "build", .can_name = true};
    int i = take_options(argc, argv, 1, &o);
    i += take_sources(argc - i, argv + i, "build", &p.sources);
    i = take_options(argc, argv, i, &o); /* as cc takes them: behind the files as well */
    if (i < argc)
        die(STATUS_USAGE, "build: not a .c file: %s (see: runnel help build)", argv[i]);
    name_program(&p);
    const char *out = o.out ? o.out : p.name;
    toolchain_find(&t, o.race, false, &o.flags);
    char *path = cached(&t, &p);
    size_t size;
    char *program = path ? read_file(path, &size) : NULL;
    if (!program)
        return STATUS_FAILED;
    if (write_file(out, program, size, 0777) < 0)
        die(STATUS_FAILED, "can't write %s: %s", out, strerror(errno));
    return STATUS_OK;
}
