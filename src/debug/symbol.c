/* From a code address to function, file and line, with libdw's help when it is there.
 *
 * The core depends on libc alone, so libdw (elfutils) is looked for when the first report is printed, and its few
 * functions are found by name.  Their types are declared here as elfutils has had them since 0.158.
 * Without it dladdr gives the names of exported functions, and for others "object+offset".
 *
 * Results are kept by address: a report of many goroutines, and a server whose handlers panic again and again, ask for few
 * different ones.  Nothing is ever freed: there are no more than places in the program.
 */
#define _GNU_SOURCE
#include "debug/symbol.h"
#include "base/alloc.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* ---- libdw ----------------------------------------------------------------------------------- */

typedef struct dwfl Dwfl;
typedef struct dwfl_module Dwfl_Module;
typedef struct dwarf_line Dwarf_Line;
typedef struct dwarf_files Dwarf_Files;
typedef struct {
    void *addr, *cu, *abbrev;
    long padding;
} Dwarf_Die;
typedef struct {
    unsigned code, form;
    unsigned char *value;
    void *cu;
} Dwarf_Attribute;
typedef struct {
    int (*find_elf)(Dwfl_Module *, void **, const char *, uint64_t, char **, void **);
    int (*find_debuginfo)(Dwfl_Module *, void **, const char *, uint64_t, const char *, const char *, uint32_t,
                          char **);
    int (*section_address)(void);
    char **debuginfo_path;
} Dwfl_Callbacks;

enum {
    TAG_CLASS = 0x02,
    TAG_STRUCT = 0x13,
    TAG_UNION = 0x17,
    TAG_INLINED = 0x1d,
    TAG_SUBPROGRAM = 0x2e,
    TAG_NAMESPACE = 0x39
};
enum { AT_COMP_DIR = 0x1b, AT_CALL_FILE = 0x58, AT_CALL_LINE = 0x59 };
enum { SCOPES = 64 };

enum { ELF_C_FDREAD = 7, ELF_C_READ_MMAP_PRIVATE = 11 };

static struct {
    int (*proc_find_elf)(Dwfl_Module *, void **, const char *, uint64_t, char **, void **);
    void *(*elf_begin)(int, int, void *);
    int (*elf_cntl)(void *, int);
    Dwfl *(*begin)(const Dwfl_Callbacks *);
    int (*linux_proc_report)(Dwfl *, pid_t);
    int (*report_end)(Dwfl *, void *, void *);
    Dwfl_Module *(*addrmodule)(Dwfl *, uint64_t);
    const char *(*module_addrname)(Dwfl_Module *, uint64_t);
    Dwarf_Die *(*module_nextcu)(Dwfl_Module *, Dwarf_Die *, uint64_t *);
    int (*haspc)(Dwarf_Die *, uint64_t);
    Dwarf_Line *(*getsrc_die)(Dwarf_Die *, uint64_t);
    const char *(*linesrc)(Dwarf_Line *, uint64_t *, uint64_t *);
    int (*lineno)(Dwarf_Line *, int *);
    Dwarf_Die *(*module_addrdie)(Dwfl_Module *, uint64_t, uint64_t *);
    int (*child)(Dwarf_Die *, Dwarf_Die *);
    int (*siblingof)(Dwarf_Die *, Dwarf_Die *);
    const char *(*diename)(Dwarf_Die *);
    int (*tag)(Dwarf_Die *);
    Dwarf_Attribute *(*attr)(Dwarf_Die *, unsigned, Dwarf_Attribute *);
    int (*formudata)(Dwarf_Attribute *, uint64_t *);
    const char *(*formstring)(Dwarf_Attribute *);
    int (*getsrcfiles)(Dwarf_Die *, Dwarf_Files **, size_t *);
    const char *(*filesrc)(Dwarf_Files *, size_t, uint64_t *, uint64_t *);
} dw;

static const struct {
    const char *name;
    void *to;
} wanted[] = {
    {"dwfl_linux_proc_find_elf", &dw.proc_find_elf},
    {"elf_begin", &dw.elf_begin},
    {"elf_cntl", &dw.elf_cntl},
    {"dwfl_begin", &dw.begin},
    {"dwfl_linux_proc_report", &dw.linux_proc_report},
    {"dwfl_report_end", &dw.report_end},
    {"dwfl_addrmodule", &dw.addrmodule},
    {"dwfl_module_addrname", &dw.module_addrname},
    {"dwfl_module_nextcu", &dw.module_nextcu},
    {"dwarf_haspc", &dw.haspc},
    {"dwarf_getsrc_die", &dw.getsrc_die},
    {"dwarf_linesrc", &dw.linesrc},
    {"dwarf_lineno", &dw.lineno},
    {"dwfl_module_addrdie", &dw.module_addrdie},
    {"dwarf_child", &dw.child},
    {"dwarf_siblingof", &dw.siblingof},
    {"dwarf_diename", &dw.diename},
    {"dwarf_tag", &dw.tag},
    {"dwarf_attr", &dw.attr},
    {"dwarf_formudata", &dw.formudata},
    {"dwarf_formstring", &dw.formstring},
    {"dwarf_getsrcfiles", &dw.getsrcfiles},
    {"dwarf_filesrc", &dw.filesrc},
};

static Dwfl *dwfl; /* NULL: not there */
static bool opened, frugal;

void rn__symbolize_frugally(void)
{
    opened = frugal = true;
}

/* Opens a module's file, as libdw would, but keeps no descriptor: a program that goes on after a report may count its own, and
 * its children would have them too. */
static int find_elf(Dwfl_Module *m, void **data, const char *name, uint64_t base, char **file, void **elf)
{
    int fd = dw.proc_find_elf(m, data, name, base, file, elf);
    if (fd < 0 || *elf)
        return fd;
    *elf = dw.elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (!*elf || dw.elf_cntl(*elf, ELF_C_FDREAD) != 0)
        return fd;
    close(fd);
    return -1;
}

static bool load(Dwfl_Callbacks *callbacks)
{
    void *lib = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return false;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *f = dlsym(lib, wanted[i].name);
        if (!f)
            return false;
        memcpy(wanted[i].to, &f, sizeof f);
    }
    callbacks->find_elf = find_elf;
    *(void **)&callbacks->find_debuginfo = dlsym(lib, "dwfl_standard_find_debuginfo");
    return callbacks->find_debuginfo != NULL;
}

static void open_once(void)
{
    static Dwfl_Callbacks callbacks;
    if (opened)
        return;
    opened = true;
    if (getauxval(AT_BASE) == 0)
        return; /* a static program: libdw would bring a second libc */
    /* A dying program does not ask servers for debug information. */
    unsetenv("DEBUGINFOD_URLS");
    if (!load(&callbacks))
        return;
    Dwfl *d = dw.begin(&callbacks);
    if (d && dw.linux_proc_report(d, getpid()) == 0 && dw.report_end(d, NULL, NULL) == 0)
        dwfl = d;
}

bool rn__symbols_have_lines(void)
{
    open_once();
    return dwfl != NULL;
}

/* The whole path of a file that is named relative to where its unit was compiled. */
static const char *whole(Dwarf_Die *cu, const char *file)
{
    Dwarf_Attribute a;
    const char *dir = file && *file != '/' ? dw.formstring(dw.attr(cu, AT_COMP_DIR, &a)) : NULL;
    char *path = NULL;
    if (!dir || asprintf(&path, "%s/%s", dir, file) < 0)
        return file;
    return path;
}

/* Where an inlined call stands, in the function around it. */
static void call_site(Dwarf_Die *cu, Dwarf_Die *inlined, struct rn_place *around)
{
    Dwarf_Attribute a;
    Dwarf_Files *files;
    uint64_t file = 0, line = 0;
    size_t n;
    around->file = NULL;
    if (dw.formudata(dw.attr(inlined, AT_CALL_LINE, &a), &line) == 0)
        around->line = (int)line;
    if (dw.formudata(dw.attr(inlined, AT_CALL_FILE, &a), &file) == 0 && dw.getsrcfiles(cu, &files, &n) == 0 && file < n)
        around->file = whole(cu, dw.filesrc(files, file, NULL, NULL));
}

/* Has no code of its own, but may hold functions that have. */
static bool only_names(int tag)
{
    return tag == TAG_NAMESPACE || tag == TAG_CLASS || tag == TAG_STRUCT || tag == TAG_UNION;
}

/* What is below `die` and holds `at`, as the code nests it, innermost first; returns how many.  (dwarf_getscopes looks for
 * inlined functions in one unit alone, and -flto has them in another.) */
static int scopes_of(Dwarf_Die *die, uint64_t at, Dwarf_Die *scopes)
{
    Dwarf_Die below;
    for (int more = dw.child(die, &below); more == 0; more = dw.siblingof(&below, &below)) {
        bool holds = dw.haspc(&below, at) > 0;
        int n = holds || only_names(dw.tag(&below)) ? scopes_of(&below, at, scopes) : 0;
        if (holds && n < SCOPES)
            scopes[n++] = below;
        if (n > 0)
            return n;
    }
    return 0;
}

/* places[0] has file and line of pc; adds names and the functions that were inlined there. */
static int expand(Dwarf_Die *cu, uint64_t at, struct rn_place *places, int max)
{
    Dwarf_Die scopes[SCOPES];
    int found = 0, n = scopes_of(cu, at, scopes);
    for (int i = 0; i < n && found < max; i++) {
        int tag = dw.tag(&scopes[i]);
        if (tag != TAG_INLINED && tag != TAG_SUBPROGRAM)
            continue;
        places[found++].function = dw.diename(&scopes[i]);
        if (tag == TAG_SUBPROGRAM)
            break;
        if (found < max) {
            places[found] = places[found - 1];
            places[found].function = NULL;
            call_site(cu, &scopes[i], &places[found]);
        }
    }
    return found;
}

/* The compilation unit that holds pc.  addrdie goes by an index of addresses that gcc writes and clang does not, and
 * names a neighbour for what is missing in it. */
static Dwarf_Die *unit_of(Dwfl_Module *m, uintptr_t pc, uint64_t *bias)
{
    Dwarf_Die *cu = dw.module_addrdie(m, pc, bias);
    if (cu && dw.haspc(cu, pc - *bias) > 0)
        return cu;
    cu = NULL;
    while ((cu = dw.module_nextcu(m, cu, bias)) != NULL)
        if (dw.haspc(cu, pc - *bias) > 0)
            return cu;
    return NULL;
}

static int by_libdw(uintptr_t pc, struct rn_place *places, int max)
{
    Dwfl_Module *m = dw.addrmodule(dwfl, pc);
    if (!m)
        return 0;
    uint64_t bias;
    struct rn_place *p = &places[0];
    Dwarf_Die *cu = unit_of(m, pc, &bias);
    Dwarf_Line *line = cu ? dw.getsrc_die(cu, pc - bias) : NULL;
    if (line && dw.lineno(line, &p->line) == 0)
        p->file = whole(cu, dw.linesrc(line, NULL, NULL));
    int n = cu ? expand(cu, pc - bias, places, max) : 0;
    if (n > 0 && p->function)
        return n;
    p->function = dw.module_addrname(m, pc);
    return p->function ? 1 : 0;
}

/* ---- without it ------------------------------------------------------------------------------ */

static void by_dladdr(uintptr_t pc, struct rn_place *p)
{
    Dl_info info;
    p->offset = pc;
    if (!dladdr((void *)pc, &info)) /* NOLINT(performance-no-int-to-ptr) */
        return;
    const char *slash = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
    p->object = slash ? slash + 1 : info.dli_fname;
    p->offset = pc - (uintptr_t)info.dli_fbase;
    if (!p->function)
        p->function = info.dli_sname;
}

/* ---- kept results ---------------------------------------------------------------------------- */

enum { PLACES = 8, SLOTS = 1024 };
struct kept {
    struct kept *next;
    uintptr_t pc;
    int n;
    struct rn_place places[PLACES];
};
static struct kept *slots[SLOTS];

static int look_up(uintptr_t pc, struct rn_place *places)
{
    int n = 0;
    memset(places, 0, PLACES * sizeof *places);
    open_once();
    if (dwfl)
        n = by_libdw(pc, places, PLACES);
    if (n == 0 || !places[0].function) {
        by_dladdr(pc, &places[0]);
        n = 1;
    }
    return n;
}

int rn__symbolize(uintptr_t pc, struct rn_place *places, int max)
{
    struct kept **slot = &slots[(pc * 0x9e3779b97f4a7c15ull) >> 54];
    struct kept *k = *slot;
    while (k && k->pc != pc)
        k = k->next;
    if (!k) {
        static struct kept no_memory;
        k = frugal ? NULL : malloc(sizeof *k);
        if (k) {
            k->next = *slot;
            *slot = k;
        } else {
            k = &no_memory;
        }
        k->pc = pc;
        k->n = look_up(pc, k->places);
    }
    int n = k->n < max ? k->n : max;
    memcpy(places, k->places, (size_t)n * sizeof *places);
    return n;
}

/* ---- whose code ------------------------------------------------------------------------------ */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The folder of the library's sources, as debug information names it; "" when it does not. */
static const char *own_folder(void)
{
    static const char tail[] = "debug/symbol.c";
    static char *folder;
    struct rn_place here;
    if (folder || frugal)
        return folder ? folder : "";
    rn__symbolize((uintptr_t)own_folder, &here, 1);
    size_t n = here.file ? strlen(here.file) : 0;
    if (n < sizeof tail || strcmp(here.file + n - (sizeof tail - 1), tail) != 0)
        return "";
    folder = strdup(here.file);
    if (folder)
        folder[n - (sizeof tail - 1)] = '\0';
    return folder ? folder : "";
}

bool rn__place_is_internal(const struct rn_place *p)
{
    if (p->function && begins(p->function, "rn_") && strcmp(p->function, "rn_main") != 0)
        return true;
    if (!p->file)
        return false;
    static const char cxx[] = "/runnel/cxx.h"; /* the way of a C++ program's go and its like */
    size_t n = strlen(p->file);
    if (n >= sizeof cxx - 1 && strcmp(p->file + n - (sizeof cxx - 1), cxx) == 0)
        return true;
    const char *folder = own_folder();
    return *folder && begins(p->file, folder);
}
