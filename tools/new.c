/* runnel new: a project that builds, runs and passes its test. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name, *contents;
} files[] = {
    {"main.c", "/* Squares the numbers on the command line, all at the same time. */\n"
               "#include \"squares.h\"\n"
               "#include <stdio.h>\n"
               "#include <stdlib.h>\n"
               "\n"
               "int rn_main(int argc, char **argv)\n"
               "{\n"
               "    chan(long) results = chan_make(long, 0);\n"
               "    defer(chan_free, results);\n"
               "    for (int i = 1; i < argc; i++)\n"
               "        go(square, strtol(argv[i], NULL, 10), results);\n"
               "    long sum = 0;\n"
               "    for (int i = 1; i < argc; i++)\n"
               "        sum += chan_recv(results);\n"
               "    printf(\"the squares' sum is %ld\\n\", sum);\n"
               "    return 0;\n"
               "}\n"},
    {"squares.h", "#ifndef SQUARES_H\n"
                  "#define SQUARES_H\n"
                  "\n"
                  "#include <runnel.h>\n"
                  "\n"
                  "/* Sends n * n. */\n"
                  "void square(long n, chan_send_only(long) out);\n"
                  "\n"
                  "#endif\n"},
    {"squares.c", "#include \"squares.h\"\n"
                  "\n"
                  "void square(long n, chan_send_only(long) out)\n"
                  "{\n"
                  "    chan_send(out, n * n);\n"
                  "}\n"},
    {"squares_test.c", "#include \"squares.h\"\n"
                       "#include <runnel/test.h>\n"
                       "\n"
                       "TEST(a_number_is_squared)\n"
                       "{\n"
                       "    chan(long) out = chan_make(long, 1);\n"
                       "    go(square, 12, out);\n"
                       "    CHECK_EQ(chan_recv(out), 144);\n"
                       "    chan_free(out);\n"
                       "}\n"},
    {"CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\n"
                       "project(%s LANGUAGES C)\n"
                       "find_package(runnel 0.1 REQUIRED)\n"
                       "\n"
                       "set(CMAKE_C_STANDARD 11)\n"
                       "add_executable(%s main.c squares.c)\n"
                       "target_link_libraries(%s PRIVATE runnel::runnel)\n"
                       "\n"
                       "enable_testing()\n"
                       "add_executable(squares_test squares_test.c squares.c)\n"
                       "target_link_libraries(squares_test PRIVATE runnel::runnel)\n"
                       "add_test(NAME squares_test COMMAND squares_test)\n"},
    {"README.md", "# %s\n"
                  "\n"
                  "`runnel run main.c squares.c 3 4` runs it, `runnel test` tests it, and\n"
                  "`cmake -B build && cmake --build build` builds it with an installed runnel.\n"},
    {".gitignore", "/build/\n"},
};

/* A name that CMake takes for a target. */
static char *target_name(const char *dir)
{
    char *copy = absolute(dir);
    while (ends_with(copy, "/"))
        copy[strlen(copy) - 1] = 0;
    char *name = text("%s", base_name(copy));
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *c))
            *c = '_';
    if (!*name || strcmp(name, "test") == 0 || strcmp(name, "all") == 0 || strcmp(name, "squares_test") == 0)
        return text("program");
    return name;
}

/* The contents with each %s replaced by the project's name. */
static char *fill_in(const char *contents, const char *name)
{
    char *all = text("%s", "");
    for (const char *hole; (hole = strstr(contents, "%s")); contents = hole + 2)
        all = text("%s%.*s%s", all, (int)(hole - contents), contents, name);
    return text("%s%s", all, contents);
}

/* Takes back what was made: the first n files, and the directory if nothing else is there. */
_Noreturn static void give_up(const char *dir, size_t n, bool own, int err)
{
    for (size_t i = 0; i < n; i++)
        unlink(text("%s/%s", dir, files[i].name));
    if (own)
        rmdir(dir);
    die(STATUS_FAILED, "new: can't write %s/%s: %s; nothing was left behind", dir, files[n].name, strerror(err));
}

int command_new(int argc, char **argv)
{
    if (argc == 2 && argv[1][0] == '-')
        die(STATUS_USAGE, "new: unknown option %s (see: runnel help new)", argv[1]);
    if (argc != 2 || !*argv[1])
        die(STATUS_USAGE, "new: give one directory (see: runnel help new)");
    const char *dir = argv[1];
    char *name = target_name(dir);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (access(text("%s/%s", dir, files[i].name), F_OK) == 0)
            die(STATUS_FAILED, "new: %s/%s exists already; nothing was changed", dir, files[i].name);
    bool own = access(dir, F_OK) < 0;
    if (make_dirs(dir) < 0)
        die(STATUS_FAILED, "new: can't make %s: %s", dir, strerror(errno));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = text("%s/%s", dir, files[i].name);
        char *contents = fill_in(files[i].contents, name);
        if (write_file(path, contents, strlen(contents), 0666) < 0)
            give_up(dir, i, own, errno);
    }
    printf("%s is ready: cd %s && runnel run main.c squares.c 3 4 && runnel test\n", name, dir);
    return STATUS_OK;
}
