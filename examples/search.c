/* search PATTERN DIR…: searches whole trees with all processors, as `grep -rn PATTERN DIR…` does.
 *
 * The lesson: a pipeline whose stages run side by side and whose output still comes in order.
 *
 *     list     one goroutine for each directory reads its names; a semaphore bounds how many at once
 *     feed     walks the tree in the order of the paths and sends every file to two channels:
 *     search     jobs: a pool of workers takes the files as they come, and finishes in any order
 *     print      order: main takes the same files in order and waits for each one's result
 *
 * `order` has a capacity, so at most that many results are held: when the reader of our output is
 * slow, print waits, then feed, then the workers.
 *
 * Output is path:line:text, sorted by path, then by line.  PATTERN is a basic regular expression, as regcomp
 * has them, over bytes (as under LC_ALL=C); one that is plain text, or that must contain some, is looked for with memmem,
 * and regexec sees only the lines that are left.  A file with a zero byte is binary: when it
 * matches, one line on stderr says so.  Exit status: 0 found, 1 not found, 2 trouble. */
#define _GNU_SOURCE /* memmem, memrchr */
#include <runnel.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 96 * 1024,         /* bytes read at a time; whether they are binary is judged for each chunk */
    HELD = 4096,               /* files between feed and print */
    WORKERS_PER_PROCESSOR = 4, /* more than one, so that a slow disk has several reads to do */
    WORKER_STACK = 256 * 1024, /* regexec takes more stack than the default leaves */
};

/* A file or a directory.  Written by the goroutine that lists or searches it; everybody else
 * waits for `ready` first. */
struct node {
    char *path;
    bool is_dir;
    bool unnamed;        /* the only argument, and a file: its lines carry no path, as with grep */
    int err;             /* errno of opening or reading it, or 0 */
    rn_waitgroup ready;  /* 1 until it is listed or searched */
    struct node **child; /* of a directory: sorted by path */
    size_t children;
    char *text; /* of a file: its matching lines, ready to print */
    size_t length;
    bool binary; /* it matches, and is not text */
};

/* The pattern, read by all. */
struct pattern {
    char *source;
    const char *essence; /* what of it decides; points into it */
    char *literal;       /* every match contains this text ("" when we know of none) */
    size_t length;
    bool plain; /* the literal is all there is to it */
};

/* Bytes that grow. */
struct bytes {
    char *at;
    size_t length, room;
};

/* What each worker has for itself.  (glibc's regexec locks its regex_t: one for each.) */
struct searcher {
    const struct pattern *pattern;
    regex_t regex;
    struct bytes in, out;
    size_t line; /* number of the line at `counted` */
    const char *counted;
};

static atomic_size_t searched; /* files, for the progress line */
static rn_mutex terminal;      /* so that lines and progress don't mix */
static bool progress_shown;    /* guarded by terminal */

/* ---- small things -------------------------------------------------------------------------- */

static void *need(void *p)
{
    if (!p)
        rn_fatal("search: out of memory");
    return p;
}

static void reserve(struct bytes *b, size_t more)
{
    if (b->length + more <= b->room)
        return;
    b->room = (b->length + more) * 2;
    b->at = need(realloc(b->at, b->room));
}

static void append(struct bytes *b, const char *text, size_t n)
{
    memcpy(b->at + b->length, text, n);
    b->length += n;
}

static void append_number(struct bytes *b, size_t v)
{
    char digits[24];
    size_t n = 0;
    do
        digits[sizeof digits - ++n] = (char)('0' + v % 10);
    while (v /= 10);
    append(b, digits + sizeof digits - n, n);
}

/* ---- the pattern --------------------------------------------------------------------------- */

/* The end of the bracket expression that starts at p, one past its ']'. */
static const char *skip_bracket(const char *p)
{
    p++;
    if (*p == '^')
        p++;
    if (*p == ']')
        p++;
    while (*p && *p != ']') {
        if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
            const char *end = strstr(p + 2, (char[]){p[1], ']', 0});
            p = end ? end + 1 : p;
        }
        p++;
    }
    return *p ? p + 1 : p;
}

/* If one plain character stands at p: NULL.  Otherwise the end of what stands there instead.  *depth
 * counts open groups; *optional says that the character before p may be missing in a match. */
static const char *skip_special(const char *p, int *depth, bool *optional)
{
    *optional = *p == '*';
    if (*p == '[')
        return skip_bracket(p);
    if (*p != '\\')
        return strchr(".^$*", *p) ? p + 1 : NULL;
    switch (p[1]) {
    case '(':
    case ')':
        *depth += p[1] == '(' ? 1 : -1;
        return p + 2;
    case '{':
        *optional = true;
        p = strstr(p, "\\}");
        return p ? p + 2 : "";
    case '?':
        *optional = true;
        return p + 2;
    default:
        return strchr(".[]*^$\\/", p[1]) ? NULL : p + 2;
    }
}

static void keep_longest(struct pattern *pat, const char *run, size_t n)
{
    if (n <= pat->length)
        return;
    memcpy(pat->literal, run, n);
    pat->length = n;
}

/* Finds the longest run of plain characters, outside of groups, that every match must contain. */
static void find_literal(struct pattern *pat)
{
    size_t room = strlen(pat->essence) + 1, n = 0;
    char *run = need(malloc(room));
    pat->literal = need(calloc(1, room));
    pat->plain = !strstr(pat->essence, "\\|"); /* alternatives need not share anything */
    int depth = 0;
    for (const char *p = pat->plain ? pat->essence : ""; *p;) {
        bool optional;
        const char *after = skip_special(p, &depth, &optional);
        if (after) {
            pat->plain = false;
            keep_longest(pat, run, n - (optional && n > 0)); /* "colou*r": only "colo" is sure */
            n = 0;
            p = after;
        } else {
            p += *p == '\\';
            if (depth == 0)
                run[n++] = *p;
            p++;
        }
    }
    keep_longest(pat, run, n);
    free(run);
}

/* Whether a line matches does not depend on an "x*" at the start of the pattern, which may match nothing;
 * regexec would try it at every place.  Returns the pattern without. */
static const char *skip_leading_stars(const char *source)
{
    const char *p = source;
    while (*p && !strchr("^*\\", *p) && !strstr(source, "\\|")) {
        const char *star = *p == '[' ? skip_bracket(p) : p + 1;
        if (*star != '*' || (star[1] && strchr("^*\\", star[1])))
            break;
        p = star + 1;
    }
    return p;
}

/* grep takes a list of patterns, one a line: the same as alternatives. */
static char *join_lines(const char *source)
{
    char *joined = need(calloc(2, strlen(source) + 1)), *to = joined;
    for (; *source; source++) {
        if (*source == '\n')
            *to++ = '\\';
        *to++ = (char)(*source == '\n' ? '|' : *source);
    }
    return joined;
}

/* ---- list ---------------------------------------------------------------------------------- */

static struct node *new_node(const char *dir, const char *name, bool is_dir)
{
    struct node *n = need(calloc(1, sizeof *n));
    size_t dir_length = strlen(dir), room = dir_length + strlen(name) + 2;
    const char *slash = dir_length && dir[dir_length - 1] != '/' ? "/" : "";
    n->path = need(malloc(room));
    snprintf(n->path, room, "%s%s%s", dir, slash, name);
    n->is_dir = is_dir;
    wg_add(&n->ready, 1);
    return n;
}

static void free_node(struct node *n)
{
    free(n->path);
    free(n->child);
    free(n->text);
    free(n);
}

/* The order of whole paths: a directory counts as its name and a slash. */
static int by_path(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    const char *p = x->path, *q = y->path;
    while (*p && *p == *q)
        p++, q++;
    int c = *p ? (unsigned char)*p : x->is_dir ? '/' : 0;
    int d = *q ? (unsigned char)*q : y->is_dir ? '/' : 0;
    return c - d;
}

/* Directories and regular files are searched; symbolic links, devices and sockets are not. */
static void add_entry(struct node *dir, DIR *stream, const struct dirent *entry)
{
    int type = entry->d_type;
    struct stat st;
    if (type == DT_UNKNOWN && fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
    if (type != DT_DIR && type != DT_REG)
        return;
    if ((dir->children & (dir->children + 1)) == 0) /* full: room for twice as many */
        dir->child = need(realloc(dir->child, (dir->children * 2 + 1) * sizeof *dir->child));
    dir->child[dir->children++] = new_node(dir->path, entry->d_name, type == DT_DIR);
}

static void read_names(struct node *dir)
{
    DIR *stream = opendir(*dir->path ? dir->path : ".");
    if (!stream) {
        dir->err = errno;
        return;
    }
    for (struct dirent *entry; errno = 0, (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add_entry(dir, stream, entry);
    dir->err = errno;
    closedir(stream);
}

/* Lists a directory, and starts a goroutine for each directory in it. */
static void list(struct node *dir, chan(rn_unit) slots)
{
    chan_send(slots, RN_UNIT);
    read_names(dir);
    chan_recv(slots);

    qsort(dir->child, dir->children, sizeof *dir->child, by_path);
    for (size_t i = 0; i < dir->children; i++)
        if (dir->child[i]->is_dir)
            go(list, dir->child[i], slots);
    wg_done(&dir->ready);
}

/* ---- feed ---------------------------------------------------------------------------------- */

/* Sends the files under n to both channels, in the order of their paths.  Directories that could
 * not be read go to the printer, who reports them in their place. */
static void feed(struct node *n, chan_send_only(struct node *) jobs, chan_send_only(struct node *) order)
{
    if (!n->is_dir) {
        chan_send(jobs, n);
        chan_send(order, n);
        return;
    }
    wg_wait(&n->ready);
    for (size_t i = 0; i < n->children; i++)
        feed(n->child[i], jobs, order);
    if (n->err)
        chan_send(order, n);
    else
        free_node(n);
}

static void feed_all(struct node **root, size_t roots, chan_send_only(struct node *) jobs,
                     chan_send_only(struct node *) order)
{
    for (size_t i = 0; i < roots; i++)
        feed(root[i], jobs, order);
    chan_close(jobs);
    chan_close(order);
}

/* ---- search -------------------------------------------------------------------------------- */

/* The next place in [p, end) that may match; NULL when there is none.  p is the start of a line. */
static const char *next_candidate(struct searcher *s, const char *p, const char *end)
{
    const struct pattern *pat = s->pattern;
    if (pat->length || pat->plain)
        return memmem(p, (size_t)(end - p), pat->literal, pat->length);
    regmatch_t span = {0, (regoff_t)(end - p)};
    return regexec(&s->regex, p, 1, &span, REG_STARTEND) == 0 ? p + span.rm_so : NULL;
}

/* Finds the next matching line in [*line, end), which starts a line; sets its bounds. */
static bool next_match(struct searcher *s, const char **line, const char **line_end, const char *end)
{
    for (const char *p = *line; p < end; p = *line_end + 1) {
        const char *hit = next_candidate(s, p, end);
        if (!hit || hit == end)
            return false;
        const char *newline = memrchr(p, '\n', (size_t)(hit - p));
        *line = newline ? newline + 1 : p;
        newline = memchr(hit, '\n', (size_t)(end - hit));
        *line_end = newline ? newline : end;
        regmatch_t span = {0, (regoff_t)(*line_end - *line)};
        if (s->pattern->plain || regexec(&s->regex, *line, 0, &span, REG_STARTEND) == 0)
            return true;
    }
    return false;
}

static void count_lines_to(struct searcher *s, const char *to)
{
    for (const char *p = s->counted; p < to && (p = memchr(p, '\n', (size_t)(to - p))); p++)
        s->line++;
    s->counted = to;
}

static void print_line(struct searcher *s, const struct node *file, const char *line, const char *end)
{
    size_t path = file->unnamed ? 0 : strlen(file->path), text = (size_t)(end - line);
    reserve(&s->out, path + text + 32);
    if (path) {
        append(&s->out, file->path, path);
        append(&s->out, ":", 1);
    }
    append_number(&s->out, s->line);
    append(&s->out, ":", 1);
    append(&s->out, line, text);
    append(&s->out, "\n", 1);
}

/* Searches [p, end), whole lines; false when the file needs no further search. */
static bool search_chunk(struct searcher *s, struct node *file, bool binary, const char *p, const char *end)
{
    s->counted = p;
    for (const char *line_end; next_match(s, &p, &line_end, end); p = line_end + 1) {
        if (binary) {
            file->binary = true;
            return false;
        }
        count_lines_to(s, p);
        print_line(s, file, p, line_end);
    }
    return true;
}

/* Reads n bytes, or up to the end of the file.  Returns how many, or -1 with errno. */
static ssize_t read_chunk(int fd, char *to, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, to + have, n - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* Zero bytes end a line, too, in a binary file. */
static bool replace_zeros(char *p, size_t n)
{
    bool found = false;
    for (char *end = p + n; (p = memchr(p, 0, (size_t)(end - p)));) {
        *p = '\n';
        found = true;
    }
    return found;
}

static void search_open_file(struct searcher *s, struct node *file, int fd)
{
    bool binary = false, more = true;
    s->in.length = 0;
    s->line = 1;
    while (more) {
        reserve(&s->in, CHUNK);
        ssize_t n = read_chunk(fd, s->in.at + s->in.length, CHUNK);
        if (n < 0) {
            file->err = errno;
            return;
        }
        binary |= replace_zeros(s->in.at + s->in.length, (size_t)n);
        s->in.length += (size_t)n;
        const char *begin = s->in.at, *end = begin + s->in.length;
        if (n == CHUNK) { /* the last line goes on in the next chunk */
            const char *newline = memrchr(begin, '\n', s->in.length);
            end = newline ? newline + 1 : begin;
        }
        more = search_chunk(s, file, binary, begin, end) && n == CHUNK;
        if (more)
            count_lines_to(s, end);
        s->in.length -= (size_t)(end - begin);
        memmove(s->in.at, end, s->in.length);
    }
}

static void search_file(struct searcher *s, struct node *file)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        file->err = errno;
        return;
    }
    s->out.length = 0;
    search_open_file(s, file, fd);
    close(fd);
    if (s->out.length) {
        file->text = need(malloc(s->out.length));
        file->length = s->out.length;
        memcpy(file->text, s->out.at, s->out.length);
    }
}

static void worker(const struct pattern *pattern, chan_recv_only(struct node *) jobs, rn_waitgroup *workers)
{
    struct searcher s = {.pattern = pattern};
    if (regcomp(&s.regex, pattern->essence, REG_NEWLINE) != 0)
        rn_fatal("search: out of memory");
    for (struct node *file; chan_next(jobs, &file);) {
        search_file(&s, file);
        atomic_fetch_add_explicit(&searched, 1, memory_order_relaxed);
        wg_done(&file->ready);
    }
    regfree(&s.regex);
    free(s.in.at);
    free(s.out.at);
    wg_done(workers);
}

/* ---- print --------------------------------------------------------------------------------- */

static void complain(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("search: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void hide_progress_locked(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

/* A line on the terminal that says how far we are, until stop is closed. */
static void show_progress(chan_recv_only(rn_unit) stop)
{
    while (chan_select(on_recv(stop, NULL), on_timeout(100 * RN_MILLISECOND)) == 1) {
        mutex_lock(&terminal);
        fprintf(stderr, "\r\033[K%zu files", atomic_load_explicit(&searched, memory_order_relaxed));
        progress_shown = true;
        mutex_unlock(&terminal);
    }
    mutex_lock(&terminal);
    hide_progress_locked();
    mutex_unlock(&terminal);
}

static void print(struct node *n, int *status)
{
    if (!n->is_dir)
        wg_wait(&n->ready);
    mutex_lock(&terminal);
    hide_progress_locked();
    if (n->length)
        fwrite(n->text, 1, n->length, stdout);
    if (n->binary)
        complain("%s: binary file matches", n->path);
    if ((n->length || n->binary) && *status == 1)
        *status = 0;
    if (n->err) {
        complain("%s: %s", n->path, strerror(n->err));
        *status = 2;
    }
    mutex_unlock(&terminal);
    free_node(n);
}

/* ---- main ---------------------------------------------------------------------------------- */

/* A DIR from the command line; here symbolic links are followed and files are welcome. */
static struct node *new_root(const char *path, chan(rn_unit) slots)
{
    struct stat st;
    bool is_dir = stat(*path ? path : ".", &st) == 0 && S_ISDIR(st.st_mode);
    struct node *n = new_node("", path, is_dir);
    if (is_dir) {
        for (size_t end = strlen(n->path); end > 1 && n->path[end - 1] == '/';)
            n->path[--end] = '\0';
        go(list, n, slots);
    }
    return n;
}

static int search_all(const struct pattern *pattern, char **dirs, size_t count)
{
    int pool = WORKERS_PER_PROCESSOR * rn_procs(), status = 1;
    chan(rn_unit) slots = chan_make(rn_unit, pool), stop = chan_make(rn_unit, 0);
    chan(struct node *) jobs = chan_make(struct node *, pool);
    chan(struct node *) order = chan_make(struct node *, HELD);
    rn_waitgroup workers = RN_WAITGROUP_INIT, progress = RN_WAITGROUP_INIT;

    if (isatty(STDERR_FILENO))
        wg_go(&progress, show_progress, stop);
    wg_add(&workers, pool);
    for (int i = 0; i < pool; i++)
        rn_go_with((.name = "search worker", .stack = WORKER_STACK), worker, pattern, jobs, &workers);
    struct node **root = need(calloc(count, sizeof *root));
    for (size_t i = 0; i < count; i++)
        root[i] = new_root(dirs[i], slots);
    root[0]->unnamed = count == 1;
    go(feed_all, root, count, jobs, order);

    for (struct node *n; chan_next(order, &n);)
        print(n, &status);

    wg_wait(&workers);
    chan_close(stop);
    wg_wait(&progress);
    chan_free(slots);
    chan_free(stop);
    chan_free(jobs);
    chan_free(order);
    free(root);
    return status;
}

/* Sets up the pattern, or says what is wrong with it. */
static bool read_pattern(struct pattern *pat, const char *source)
{
    regex_t regex;
    char text[256];
    pat->source = join_lines(source);
    int err = regcomp(&regex, pat->source, REG_NEWLINE);
    if (err) {
        regerror(err, &regex, text, sizeof text);
        complain("%s", text);
        return false;
    }
    regfree(&regex);
    pat->essence = skip_leading_stars(pat->source);
    find_literal(pat);
    return true;
}

int rn_main(int argc, char **argv)
{
    static char *here[] = {""};
    int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    if (argc <= first || (first == 1 && argv[1][0] == '-' && argv[1][1])) {
        fputs("Usage: search [--] PATTERN [DIR]...\n", stderr);
        return 2;
    }
    struct pattern pattern = {0};
    int status = 2;
    if (read_pattern(&pattern, argv[first])) {
        bool named = argc > first + 1;
        status = search_all(&pattern, named ? argv + first + 1 : here, named ? (size_t)(argc - first - 1) : 1);
    }
    if (fflush(stdout) != 0) {
        complain("write error: %s", strerror(errno));
        status = 2;
    }
    free(pattern.source);
    free(pattern.literal);
    return status;
}
