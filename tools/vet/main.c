/* runnel-vet, what `runnel vet` runs: reads C sources with libclang and reports what is most likely
 * wrong in how they use runnel.
 *
 * Files that form one program (at most one of them has main or rn_main) are looked at together.  A
 * file that does not include a header of runnel has nothing to report. */
#define _GNU_SOURCE 1
#include "vet.h"
#include <clang-c/CXCompilationDatabase.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct list files, flags;
    char *include;  /* directory of runnel.h */
    char *database; /* directory of compile_commands.json, or NULL */
    bool json;
} options;
static bool failed; /* a file could not be parsed */

static _Noreturn void usage(const char *what)
{
    die(STATUS_USAGE, "vet: %s (see: runnel help vet)", what);
}

/* -I DIR and -IDIR; -Wall. */
static int take_flag(int argc, char **argv, int i)
{
    static const char *const two[] = {"-I", "-D", "-U", "-o", "-include", "-isystem", "-iquote", "-idirafter", "-MF"};
    bool alone = true;
    list_add(&options.flags, argv[i]);
    for (size_t k = 0; k < sizeof two / sizeof *two; k++)
        alone &= strcmp(argv[i], two[k]) != 0;
    if (alone)
        return i;
    if (i + 1 >= argc)
        usage(text("%s needs an argument", argv[i]));
    list_add(&options.flags, argv[i + 1]);
    return i + 1;
}

static void take_stack(const char *s)
{
    char *end;
    long long n = strtoll(s, &end, 10);
    if (*end == 'K' || *end == 'k')
        n <<= 10, end++;
    else if (*end == 'M' || *end == 'm')
        n <<= 20, end++;
    if (*end || n <= 0)
        usage(text("-stack: not a size: %s", s));
    program.stack = n;
}

/* Without files: those that the compiler was called for. */
static void take_files_of_database(void)
{
    CXCompilationDatabase_Error error;
    CXCompilationDatabase database = clang_CompilationDatabase_fromDirectory(options.database, &error);
    if (!database)
        die(STATUS_FAILED, "vet: no compile_commands.json in %s", options.database);
    CXCompileCommands all = clang_CompilationDatabase_getAllCompileCommands(database);
    for (unsigned i = 0; i < clang_CompileCommands_getSize(all); i++) {
        CXCompileCommand c = clang_CompileCommands_getCommand(all, i);
        const char *file = spelling(clang_CompileCommand_getFilename(c));
        if (file[0] != '/')
            file = text("%s/%s", spelling(clang_CompileCommand_getDirectory(c)), file);
        bool there = !ends_with(file, ".c");
        for (int k = 0; k < options.files.n && !there; k++)
            there = strcmp(options.files.at[k], file) == 0;
        if (!there)
            list_add(&options.files, file);
    }
    clang_CompileCommands_dispose(all);
    clang_CompilationDatabase_dispose(database);
}

static void take_options(int argc, char **argv)
{
    bool flags = false; /* behind --: the compiler's */
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *option = a[0] == '-' && a[1] == '-' ? a + 1 : a;
        if (a[0] != '-')
            list_add(&options.files, a);
        else if (strcmp(a, "--") == 0)
            flags = true;
        else if (flags)
            i = take_flag(argc, argv, i);
        else if (strcmp(option, "-json") == 0)
            options.json = true;
        else if (strcmp(option, "-stack") == 0 && i + 1 < argc)
            take_stack(argv[++i]);
        else if (strcmp(option, "-p") == 0 && i + 1 < argc)
            options.database = argv[++i];
        else if (strcmp(option, "-runnel-include") == 0 && i + 1 < argc)
            options.include = argv[++i];
        else if (a[1] && strchr("IDU", a[1]))
            i = take_flag(argc, argv, i);
        else if (strcmp(a, "-include") == 0 || strcmp(a, "-isystem") == 0)
            i = take_flag(argc, argv, i);
        else if (strncmp(a, "-std=", 5) == 0 || strcmp(a, "-pthread") == 0)
            list_add(&options.flags, a);
        else
            usage(text("unknown option %s", a));
    }
    if (options.files.n == 0 && options.database)
        take_files_of_database();
    if (options.files.n == 0)
        usage("no file given");
    for (int i = 0; i < options.files.n; i++) {
        const char *f = options.files.at[i];
        if (!ends_with(f, ".c"))
            usage(text("not a .c file: %s", f));
        if (access(f, R_OK) < 0)
            die(STATUS_FAILED, "vet: %s: %s", f, strerror(errno));
    }
}

/* ---- flags ------------------------------------------------------------------------------------- */

static char *directory_with(const char *name)
{
    char *dir = dir_name(absolute(options.files.at[0]));
    for (;;) {
        if (access(text("%s/%s", dir, name), R_OK) == 0)
            return dir;
        if (strcmp(dir, "/") == 0 || !*dir)
            return NULL;
        dir = dir_name(dir);
    }
}

/* Its -I, -D and the like, with paths made absolute. */
static void flags_from_command(CXCompileCommand c, struct list *to)
{
    char *dir = text("%s", spelling(clang_CompileCommand_getDirectory(c)));
    unsigned n = clang_CompileCommand_getNumArgs(c);
    for (unsigned i = 1; i < n; i++) {
        const char *a = spelling(clang_CompileCommand_getArg(c, i));
        const char *next = i + 1 < n ? spelling(clang_CompileCommand_getArg(c, i + 1)) : "";
        if (strcmp(a, "-isystem") == 0 || strcmp(a, "-include") == 0 || strcmp(a, "-iquote") == 0) {
            list_add(to, a);
            list_add(to, next[0] == '/' ? next : text("%s/%s", dir, next));
            i++;
        } else if (strncmp(a, "-I", 2) == 0) {
            const char *where = a[2] ? a + 2 : next;
            i += !a[2];
            list_add(to, where[0] == '/' ? text("-I%s", where) : text("-I%s/%s", dir, where));
        } else if (strncmp(a, "-D", 2) == 0 || strncmp(a, "-U", 2) == 0) {
            list_add(to, a[2] ? a : text("%s%s", a, next));
            i += !a[2];
        } else if (strncmp(a, "-std=", 5) == 0) {
            list_add(to, a);
        }
    }
}

static void flags_for(const char *file, CXCompilationDatabase database, struct list *to)
{
    list_add_words(to, "-xc -std=gnu11 -pthread -Wno-everything -Wformat -Wunused-result -Wno-format-nonliteral "
                       "-Wno-format-security -Wno-format-extra-args");
    CXCompileCommands all = database ? clang_CompilationDatabase_getCompileCommands(database, absolute(file)) : NULL;
    if (all && clang_CompileCommands_getSize(all) > 0)
        flags_from_command(clang_CompileCommands_getCommand(all, 0), to);
    if (all)
        clang_CompileCommands_dispose(all);
    list_add_all(to, &options.flags);
    list_add(to, text("-I%s", options.include));
}

/* ---- one program ------------------------------------------------------------------------------- */

static const char *unit_file; /* as it was named */

static bool is_own(const char *file)
{
    size_t n = strlen(options.include);
    return !(strncmp(file, options.include, n) == 0 && file[n] == '/' &&
             (strncmp(file + n, "/runnel/", 8) == 0 || strcmp(file + n, "/runnel.h") == 0));
}

static void see_inclusion(CXFile file, CXSourceLocation *stack, unsigned depth, CXClientData data)
{
    (void)stack, (void)depth;
    if (!is_own(spelling(clang_getFileName(file))))
        *(bool *)data = true;
}

static bool in_macro_of_runnel(CXDiagnostic d)
{
    CXFile file;
    clang_getSpellingLocation(clang_getDiagnosticLocation(d), &file, NULL, NULL, NULL);
    return file && !is_own(spelling(clang_getFileName(file)));
}

static void pass_on_diagnostic(CXDiagnostic d, bool uses_runnel)
{
    struct place p = {0};
    CXFile file;
    const char *option = spelling(clang_getDiagnosticOption(d, NULL)), *said = spelling(clang_getDiagnosticSpelling(d));
    clang_getExpansionLocation(clang_getDiagnosticLocation(d), &file, &p.line, &p.column, &p.offset);
    p.file = file ? spelling(clang_getFileName(file)) : unit_file;
    if (clang_getDiagnosticSeverity(d) >= CXDiagnostic_Error) {
        fprintf(stderr, "%s:%u:%u: error: %s\n", p.file, p.line, p.column, said);
        failed = true;
    } else if (uses_runnel && is_own(p.file) && !in_macro_of_runnel(d)) {
        if (strcmp(option, "-Wunused-result") == 0)
            report(&p, "unusedresult", "%s; look at what it returns", said);
        else if (strncmp(option, "-Wformat", 8) == 0)
            report(&p, "printf", "%s", said);
    }
}

static CXTranslationUnit parse(CXIndex index, CXCompilationDatabase database, const char *file)
{
    static struct CXUnsavedFile *unsaved;
    static unsigned unsaved_n;
    CXTranslationUnit unit;
    struct list flags = {0};
    bool uses_runnel = false;
    if (!unsaved)
        unsaved = overlay(options.include, &unsaved_n);
    flags_for(file, database, &flags);
    unit_file = file;
    enum CXErrorCode err =
        clang_parseTranslationUnit2(index, file, (const char *const *)flags.at, flags.n, unsaved, unsaved_n, 0, &unit);
    if (err) {
        say("vet: %s: libclang can't read it (error %d)", file, (int)err);
        failed = true;
        return NULL;
    }
    clang_getInclusions(unit, see_inclusion, &uses_runnel);
    unsigned errors = 0;
    for (unsigned i = 0; i < clang_getNumDiagnostics(unit); i++) {
        CXDiagnostic d = clang_getDiagnostic(unit, i);
        errors += clang_getDiagnosticSeverity(d) >= CXDiagnostic_Error;
        if (errors <= 5 || clang_getDiagnosticSeverity(d) < CXDiagnostic_Error)
            pass_on_diagnostic(d, uses_runnel);
        clang_disposeDiagnostic(d);
    }
    if (errors)
        fprintf(stderr,
                "%s: not vetted: it does not parse; pass its -I and -D, or -p DIR for DIR/compile_commands.json\n",
                file);
    if (errors || !uses_runnel) {
        clang_disposeTranslationUnit(unit);
        return NULL;
    }
    return unit;
}

static void check_program(void)
{
    for (int i = 0; i < program.functions; i++)
        summarize(program.function[i]);
    for (int i = 0; i < program.functions; i++) {
        struct function *f = program.function[i];
        check_copies(f);
        check_defers(f);
        check_readers(f);
        check_frees(f);
        check_answers(f);
        check_main(f);
        check_signals(f);
        check_flow(f);
        check_contexts_in_loops(f);
        check_polling(f);
    }
    check_values();
    check_closers();
    check_waitgroups();
    check_stacks();
}

static void vet(CXIndex index, CXCompilationDatabase database, char *const *files, int n)
{
    CXTranslationUnit *units = calloc((size_t)n, sizeof *units);
    if (!units)
        die(STATUS_FAILED, "out of memory");
    for (int i = 0; i < n; i++)
        if ((units[i] = parse(index, database, files[i])))
            parse_unit(units[i], is_own);
    check_program();
    forget_names();
    for (int i = 0; i < n; i++)
        if (units[i])
            clang_disposeTranslationUnit(units[i]);
    free(units);
}

static bool has_main(const char *file)
{
    char *all = read_file(file, NULL);
    bool has = all && (strstr(all, "int main(") || strstr(all, "int rn_main(") || strstr(all, "\nmain(") ||
                       strstr(all, "runnel/test.h"));
    free(all);
    return has;
}

int main(int argc, char **argv)
{
    CXCompilationDatabase_Error error;
    CXCompilationDatabase database = NULL;
    int mains = 0;
    program.stack = 64 << 10;
    if (getenv("RUNNEL_STACK"))
        take_stack(getenv("RUNNEL_STACK"));
    take_options(argc, argv);
    char *real = options.include ? realpath(options.include, NULL) : NULL;
    if (!real)
        die(STATUS_FAILED, "vet: runnel's headers are not there: %s", options.include ? options.include : "?");
    options.include = real;
    char *dir = options.database ? options.database : directory_with("compile_commands.json");
    if (dir)
        database = clang_CompilationDatabase_fromDirectory(dir, &error);
    if (options.database && !database)
        die(STATUS_FAILED, "vet: no compile_commands.json in %s", dir);
    for (int i = 0; i < options.files.n; i++)
        mains += has_main(options.files.at[i]);
    CXIndex index = clang_createIndex(0, 0);
    int at_once = mains > 1 ? 1 : options.files.n;
    for (int i = 0; i < options.files.n; i += at_once)
        vet(index, database, options.files.at + i, at_once);
    int found = print_reports(options.json);
    fflush(stdout);
    return found || failed ? STATUS_FAILED : STATUS_OK;
}
