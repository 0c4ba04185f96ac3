/* What the files of the `runnel` command share.
 *
 * The command is a short-lived process: memory that lives until its end is not freed.  A message is
 * one line, "runnel: …", on stderr.  Exit statuses: 0; 1 what was asked for failed; 2 a command line
 * that makes no sense; 127 no compiler; `run` has the program's own. */
#ifndef RUNNEL_TOOL_H
#define RUNNEL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_NO_COMPILER = 127 };

/* ---- util.c ------------------------------------------------------------------------------- */

/* Prints "runnel: …" and a newline. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and exits with the status. */
_Noreturn void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* printf into new memory. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool ends_with(const char *s, const char *end);

/* A growing list of strings that can serve as argv: at[n] is NULL. */
struct list {
    char **at;
    int n, room;
};
void list_add(struct list *l, const char *s);
void list_add_all(struct list *l, const struct list *from);
/* Adds the words of s: split at white space; '…' and "…" keep it. */
void list_add_words(struct list *l, const char *s);

/* The whole file; NULL (and errno) when it can't be read.  A NUL follows. */
char *read_file(const char *path, size_t *size);
/* Writes through a temporary file beside it and a rename; 0 or -1 (and errno). */
int write_file(const char *path, const void *bytes, size_t n, mode_t mode);
int make_dirs(const char *path); /* mkdir -p; 0 or -1 */
void remove_tree(const char *path);
const char *base_name(const char *path);
char *dir_name(const char *path);
char *absolute(const char *path);
/* The program's path by PATH, NULL when there is none. */
char *find_program(const char *name);

/* ---- process.c ---------------------------------------------------------------------------- */

/* Starts argv[0] (by PATH); out and err are descriptors or -1 for this process's own.  dir is the
 * working directory or NULL.  Never fails: what can't be executed exits with 127. */
pid_t start(char *const argv[], const char *dir, int out, int err);
/* The same, with an alarm that the program takes back (rn_test_main does), or is ended by; 0: none. */
pid_t start_within(unsigned seconds, char *const argv[], const char *dir, int out, int err);
/* The exit status, or 128 + signal. */
int wait_for(pid_t pid);
/* *pid -1: for any child; then it is the one that has ended. */
int wait_for_any(pid_t *pid);
/* start and wait_for. */
int call(char *const argv[], const char *dir);
/* Runs it with stdout and stderr in a file that is returned as text. */
char *output_of(char *const argv[], int *status);
/* While children work, an interrupt is theirs: it must not keep this process from tidying up.
 * hold_interrupts(false) lets it through again, and delivers what a child died of. */
void hold_interrupts(bool hold);

/* ---- hash.c ------------------------------------------------------------------------------- */

struct hash {
    unsigned __int128 h;
};
void hash_init(struct hash *h);
void hash_bytes(struct hash *h, const void *bytes, size_t n);
void hash_text(struct hash *h, const char *s); /* with its end, so that "ab","c" is not "a","bc" */
/* The file's contents; false when it can't be read. */
bool hash_file(struct hash *h, const char *path);
/* What tells one version of a big file from another without reading it: path, size, time. */
bool hash_identity(struct hash *h, const char *path);
enum { HASH_TEXT = 33 };
void hash_show(const struct hash *h, char to[HASH_TEXT]);

/* ---- toolchain.c -------------------------------------------------------------------------- */

/* Where things are: the compiler and this installation of runnel. */
struct toolchain {
    bool race, explore, asan;
    char *root;         /* the source tree when the command stands in its build tree; else NULL */
    char *include;      /* directory of runnel.h */
    char *library;      /* librunnel.a */
    char *http;         /* librunnel_http.a, which need not be there */
    struct list cc;     /* the compiler: its path, and arguments if CC has some */
    struct list second; /* the compiler to try when cc can't compile the program; empty: none */
    char *linker;       /* the compiler that links, if it is another one; else NULL */
    struct list cflags; /* of the user */
    struct list ldflags, ldlibs;
};
/* Compiler's and linker's options on runnel's own command line: -asan; -I, -D, -U; -L, -l. */
struct flags {
    bool asan;
    struct list compile, link, libraries;
};
/* Takes argv[*i], and the value behind it where that stands apart, if it is such an option. */
bool take_compiler_flag(int argc, char **argv, int *i, const char *command, struct flags *f);
/* Fills it in, or dies with a line that says what is missing. */
void toolchain_find(struct toolchain *t, bool race, bool explore, const struct flags *f);
/* The directory in which the command stands. */
char *own_dir(void);
/* The source tree, or NULL when this is an installed command. */
char *source_tree(void);

/* ---- diagnose.c --------------------------------------------------------------------------- */

/* Prints a compiler's messages without what comes from inside of runnel's macros, and what they may mean; include:
 * the directory of runnel.h. */
void diagnose(const char *messages, const char *include);

/* ---- hints.c ------------------------------------------------------------------------------ */

/* n bytes of messages, with the types of channels as the user has written them. */
char *readable_types(const char *message, size_t n);
/* What to do about a message; NULL: nothing is known. */
const char *hint_for(const char *message);
/* The header that declares the name which the message does not know, and the name; NULL: none of runnel's. */
char *header_of(const char *message, const char *include, char **name);

/* ---- compile.c ---------------------------------------------------------------------------- */

/* A program to be made. */
struct program {
    struct list sources; /* its files */
    struct list library; /* files whose objects the linker takes only when it needs them */
    const char *name;    /* of the executable */
};
/* Compiles and links in `dir`; dir/out/<name> is the executable, and every file that was read is added to deps.  False
 * when the compiler has refused (and said why). */
bool compile(const struct toolchain *t, const struct program *p, const char *dir, struct list *deps);

/* ---- cache.c ------------------------------------------------------------------------------ */

/* Where things that can be made again may be kept; dies when there is no such place. */
char *cache_dir(void);
/* The path of the program's executable, from the cache or freshly made; NULL when it doesn't
 * compile.  Dies when there is no place to put it. */
char *cached(const struct toolchain *t, const struct program *p);

/* ---- tidy.c ------------------------------------------------------------------------------- */

/* Holds off others who remove from the cache, with `alone` also those who look programs up, until the descriptor is
 * closed.  Negative: there is no lock to be had, and one goes on without. */
int cache_lock(const char *cache, bool alone);
/* Removes what must go.  Dies when RUNNEL_CACHE_SIZE makes no sense. */
void cache_tidy(const char *cache);

/* ---- the commands ------------------------------------------------------------------------- */

int command_run(int argc, char **argv);
int command_build(int argc, char **argv);
int command_test(int argc, char **argv);
int command_new(int argc, char **argv);
int command_vet(int argc, char **argv);
int command_bench(int argc, char **argv);
/* Takes the sources at the front of argv; dies when there is none or one is missing.  Returns how
 * many arguments it took, a "--" after them included. */
int take_sources(int argc, char **argv, const char *command, struct list *sources);

/* ---- json.c ------------------------------------------------------------------------------- */

/* A string with its quotes; what is no UTF-8 in it becomes U+FFFD. */
void json_text(FILE *to, const char *s);
/* Prints an event; NULL, and negative seconds: it has no such field. */
void json_event(const char *action, const char *program, const char *test, const char *line, double seconds);

/* ---- project.c, tap.c --------------------------------------------------------------------- */

/* The tests of runnel's own source tree. */
int test_project(const char *root, bool full, bool race, const char *pattern);

/* A test program to run: `runnel test` runs several at once, and prints one TAP document, or events as JSON. */
struct tap_program {
    const char *label;   /* before each test's name */
    const char *dir;     /* its working directory, or NULL */
    unsigned start_most; /* seconds after which it is ended unless its main has begun; 0: as long as it takes */
    struct list argv;
};
struct tap_totals {
    int passed, failed, skipped;
    int number; /* of the last test printed */
    bool json;
};
void tap_begin(const struct tap_totals *totals);
void tap_run(const struct tap_program *programs, int n, int at_once, struct tap_totals *totals);
/* One result that is not a program's: that something did not compile, say. */
void tap_point(struct tap_totals *totals, bool ok, const char *name, const char *why);
void tap_end(const struct tap_totals *totals);

#endif
