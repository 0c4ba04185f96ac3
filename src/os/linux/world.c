/* Stopping the world by a signal, and the copy of the process; see os/world.h.
 *
 * The signal is SIGURG, which nobody gets by accident and which is ignored when it comes late.  Its handler is
 * installed for the length of a stop only, by the system call itself: sanitizers put off the handlers that they know
 * of until the thread calls something that they intercept, which a thread that waits here may never do.
 *
 * What always holds:
 *  - epoch is odd while the world is stopped.  A handler that finds it even, or finds no slot for its thread,
 *    returns at once: the signal was late.
 *  - A handler fills in its own slot, says so by `state`, and does not touch it afterwards.
 *  - The list of threads is read again until it holds nobody new: who was stopped starts no more.
 */
#define _GNU_SOURCE 1
#include "os/world.h"
#include "base/mark.h"
#include "os/linux/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { ASKED = 1, ARRIVED = 2, GONE = 3 }; /* rn_os_stopped.state */
#define STOP_LIMIT (10 * RN_SECOND)

static rn_atomic(uint32_t) epoch;
static rn_atomic(uint32_t) arrived; /* counts up with each */
static struct rn_os_stopped *slots;
static int slots_room;
static rn_atomic(int) slots_n;

/* ---- the handler ------------------------------------------------------------------------------- */

static uintptr_t thread_pointer(void)
{
    uintptr_t tp;
#if defined(__x86_64__)
    __asm__("movq %%fs:0, %0" : "=r"(tp));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(tp));
#endif
    return tp;
}

/* Not by memcpy: the thread may have been in the middle of a sanitizer's runtime, which puts its own in the place of
 * libc's.  Hence the volatile: compilers would make it one. */
static void copy_words(struct rn_os_stopped *s, const void *from, size_t bytes)
{
    const volatile uintptr_t *word = from;
    for (size_t n = bytes / sizeof *word; n > 0 && s->n < RN_OS_REGS; n--)
        s->regs[s->n++] = *word++;
}

static void copy_registers(struct rn_os_stopped *s, const ucontext_t *uc)
{
    s->n = 0;
#if defined(__x86_64__)
    enum { LEGACY = 512, SIZE_AT = 468, MAGIC_AT = 464, MAGIC = 0x46505853 };
    const char *fp = (const char *)uc->uc_mcontext.fpregs;
    uint32_t magic = 0, size = LEGACY;
    s->sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
    copy_words(s, uc->uc_mcontext.gregs, sizeof uc->uc_mcontext.gregs);
    s->kept = s->n; /* no call keeps a vector register */
    if (!fp)
        return;
    memcpy(&magic, fp + MAGIC_AT, sizeof magic);
    if (magic == MAGIC)
        memcpy(&size, fp + SIZE_AT, sizeof size);
    copy_words(s, fp, size);
#else
    enum { FPSIMD = 528 };
    s->sp = uc->uc_mcontext.sp;
    copy_words(s, uc->uc_mcontext.regs, sizeof uc->uc_mcontext.regs);
    copy_words(s, uc->uc_mcontext.__reserved, FPSIMD);
    s->kept = s->n;
#endif
}

static struct rn_os_stopped *slot_of(int tid)
{
    int n = rn_load_acquire(&slots_n); /* pairs with the release in ask */
    for (int i = 0; i < n; i++)
        if (slots[i].tid == tid)
            return &slots[i];
    return NULL;
}

/* Nothing that is instrumented is called: this thread may be in the middle of ThreadSanitizer's runtime, which was then found
 * in another state than before (it ended the program by a failed CHECK). */
static void on_stop(int signo, siginfo_t *info, void *uc)
{
    (void)signo, (void)info;
    int saved = errno;
    uint32_t now = rn_load_acquire(&epoch); /* pairs with the release in rn_os_world_stop */
    struct rn_os_stopped *s = now & 1 ? slot_of((int)syscall(SYS_gettid)) : NULL;
    if (s && rn_load_relaxed(&s->state) == ASKED) { /* relaxed: written before the signal was sent */
        const stack_t *alt = &((const ucontext_t *)uc)->uc_stack;
        copy_registers(s, uc);
        s->tp = thread_pointer();
        s->altstack = rn_os_altstack();
        if (s->sp - (uintptr_t)alt->ss_sp < alt->ss_size && !(alt->ss_flags & SS_DISABLE)) {
            s->alt_lo = (uintptr_t)alt->ss_sp;
            s->alt_hi = s->alt_lo + alt->ss_size;
        }
        rn_store_release(&s->state, ARRIVED); /* pairs with the acquire in all_arrived: the slot is complete */
        rn_add_release(&arrived, 1);
        syscall(SYS_futex, (uint32_t *)&arrived, 129, 1, NULL, NULL, 0); /* FUTEX_WAKE_PRIVATE */
        while (rn_load_acquire(&epoch) == now)                           /* pairs with the release in rn_os_world_go */
            syscall(SYS_futex, (uint32_t *)&epoch, 128, now, NULL, NULL, 0); /* FUTEX_WAIT_PRIVATE */
    }
    errno = saved;
}

/* ---- the action, by the system call ------------------------------------------------------------- */

struct action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
#if defined(__x86_64__)
    void (*restorer)(void);
#endif
    uint64_t mask;
};

#if defined(__x86_64__)
enum { RESTORER = 0x04000000 };
void rn__os_restorer(void);
__asm__(".pushsection .text\n"
        ".hidden rn__os_restorer\n"
        ".globl rn__os_restorer\n"
        ".type rn__os_restorer, @function\n"
        "rn__os_restorer:\n"
        "\tmovl $15, %eax\n" /* rt_sigreturn */
        "\tsyscall\n"
        ".size rn__os_restorer, .-rn__os_restorer\n"
        ".popsection\n");
#endif

static struct action before;

static void action_install(int signo, void (*f)(int, siginfo_t *, void *), uint64_t mask, unsigned long flags,
                           struct action *old)
{
    struct action a = {.handler = f, .flags = flags, .mask = mask};
#if defined(__x86_64__)
    a.flags |= RESTORER;
    a.restorer = rn__os_restorer;
#endif
    syscall(SYS_rt_sigaction, signo, &a, old, sizeof a.mask);
}

/* ---- asking everybody ----------------------------------------------------------------------------- */

struct entry { /* of getdents64 */
    uint64_t inode;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[];
};

static int number(const char *s)
{
    int n = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (*s - '0');
    return *s ? 0 : n;
}

/* Adds a thread and sends it the signal; true when it was new and matters. */
static bool ask(int dir, const char *name)
{
    int tid = number(name), n = rn_load_relaxed(&slots_n); /* relaxed: only this thread writes it */
    if (tid == 0 || tid == (int)syscall(SYS_gettid) || slot_of(tid) || !rn__os_thread_matters(dir, name))
        return false;
    if (n < slots_room) {
        slots[n].tid = tid;
        rn_store_relaxed(&slots[n].state, ASKED); /* relaxed: published by slots_n */
        rn_store_release(&slots_n, n + 1);        /* pairs with the acquire in slot_of */
        if (syscall(SYS_tgkill, getpid(), tid, SIGURG) != 0)
            rn_store_relaxed(&slots[n].state, GONE); /* relaxed: it will never run again */
    }
    return true;
}

/* How many threads were new; -ENOSPC. */
static int ask_all(void)
{
    _Alignas(struct entry) char bytes[4096];
    int dir = rn__os_open(AT_FDCWD, "/proc/self/task"), fresh = 0;
    long n;
    if (dir < 0)
        return -errno;
    while ((n = syscall(SYS_getdents64, dir, bytes, sizeof bytes)) > 0)
        for (long at = 0; at < n; at += ((struct entry *)(void *)(bytes + at))->length)
            fresh += ask(dir, ((struct entry *)(void *)(bytes + at))->name);
    rn__os_close(dir);
    return fresh > 0 && rn_load_relaxed(&slots_n) == slots_room ? -ENOSPC : fresh; /* relaxed: as in ask */
}

static uintptr_t hex(const char **at)
{
    uintptr_t n = 0;
    for (;; ++*at) {
        char c = **at;
        if (c >= '0' && c <= '9')
            n = n * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n * 16 + (uintptr_t)(c - 'a' + 10);
        else
            return n;
    }
}

static bool all_arrived(void)
{
    int n = rn_load_relaxed(&slots_n); /* relaxed: as in ask */
    for (int i = 0; i < n; i++)
        if (rn_load_acquire(&slots[i].state) == ASKED) { /* pairs with the release in on_stop */
            if (syscall(SYS_tgkill, getpid(), slots[i].tid, 0) == 0)
                return false;
            rn_store_relaxed(&slots[i].state, GONE); /* relaxed: it has ended */
        }
    return true;
}

/* Is a thread that has not answered one that never will?  One that only waits for its turn on a busy machine does not
 * block the signal. */
static bool blocks_signal(int tid)
{
    static const char field[] = "\nSigBlk:\t";
    char path[] = "/proc/self/task/0000000000/status", text[2048], *digit = path + sizeof "/proc/self/task/" + 8;
    for (int left = tid; left > 0; left /= 10) /* no printf: as in rn__os_open */
        *digit-- = (char)('0' + left % 10);
    memmove(path + sizeof "/proc/self/task", digit + 1, strlen(digit + 1) + 1);
    int fd = rn__os_open(AT_FDCWD, path);
    ssize_t n = fd < 0 ? -1 : rn__os_read(fd, text, sizeof text - 1);
    if (fd >= 0)
        rn__os_close(fd);
    if (n <= 0)
        return true;
    text[n] = 0;
    const char *at = text;
    while (*at && strncmp(at, field, sizeof field - 1) != 0)
        at++;
    if (!*at)
        return true;
    at += sizeof field - 1;
    return hex(&at) >> (SIGURG - 1) & 1;
}

static bool somebody_blocks(void)
{
    int n = rn_load_relaxed(&slots_n); /* relaxed: as in ask */
    for (int i = 0; i < n; i++)
        if (rn_load_relaxed(&slots[i].state) == ASKED && blocks_signal(slots[i].tid)) /* relaxed: only a guess */
            return true;
    return false;
}

static int wait_for_all(rn_time start)
{
    for (rn_time patience = RN_SECOND;;) {
        uint32_t seen = rn_load_acquire(&arrived); /* before the look: a later one ends the wait */
        if (all_arrived())
            return 0;
        rn_time now = rn_os_now();
        if (now - start > patience) {
            if (patience >= STOP_LIMIT || somebody_blocks())
                return -ETIMEDOUT;
            patience += RN_SECOND;
        }
        rn_os_futex_wait(&arrived, seen, now + RN_MILLISECOND);
    }
}

static sigset_t own_mask;

int rn_os_world_stop(struct rn_os_stopped *threads, int room)
{
    sigset_t all;
    int err;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &own_mask);
    slots = threads;
    slots_room = room;
    rn_store_relaxed(&slots_n, 0); /* relaxed: published by epoch */
    action_install(SIGURG, on_stop, ~UINT64_C(0), SA_SIGINFO | SA_ONSTACK | SA_RESTART, &before);
    rn_add_release(&epoch, 1); /* pairs with the acquire in on_stop */
    rn_time start = rn_os_now();
    while ((err = ask_all()) > 0)
        if ((err = wait_for_all(start)) < 0)
            break;
    if (err < 0) {
        rn_os_world_go();
        return err;
    }
    return rn_load_relaxed(&slots_n); /* relaxed: as in ask */
}

void rn_os_world_go(void)
{
    syscall(SYS_rt_sigaction, SIGURG, &before, NULL, sizeof before.mask);
    rn_add_release(&epoch, 1);                                           /* pairs with the acquires in on_stop */
    syscall(SYS_futex, (uint32_t *)&epoch, 129, 1 << 30, NULL, NULL, 0); /* FUTEX_WAKE_PRIVATE */
    pthread_sigmask(SIG_SETMASK, &own_mask, NULL);
}

/* ---- the copy ---------------------------------------------------------------------------------------- */

/* Where to go on after a fault. */
static struct rn_mark back;

static bool (*mend)(void *addr);

static void on_fault(int signo, siginfo_t *info, void *uc)
{
    (void)signo, (void)uc;
    if (!mend || !mend(info->si_addr))
        rn__arch_go_back(&back);
}

_Noreturn static void be_copy(bool (*f)(void *), void *arg)
{
    uint64_t none = 0;
    struct action old;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    action_install(SIGSEGV, on_fault, 0, SA_SIGINFO | SA_NODEFER, &old);
    action_install(SIGBUS, on_fault, 0, SA_SIGINFO | SA_NODEFER, &old);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
    bool ok = rn__arch_mark(&back) == 0 && f(arg);
    syscall(SYS_exit_group, ok ? 0 : 1);
    __builtin_unreachable();
}

static int wait_for_copy(long pid, rn_duration limit)
{
    rn_time deadline = rn_os_now() + limit;
    bool late = false;
    int status = 0;
    for (;;) {
        long got = waitpid((pid_t)pid, &status, __WALL | (late ? 0 : WNOHANG));
        if (got == pid)
            break;
        if (got < 0 && errno != EINTR)
            return -errno;
        if (!late && rn_os_now() > deadline) {
            kill((pid_t)pid, SIGKILL);
            late = true;
        } else if (!late) {
            rn_os_nap(200 * RN_MICROSECOND);
        }
    }
    if (late)
        return -ETIMEDOUT;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int rn_os_snapshot(bool (*f)(void *arg), void *arg, bool (*touched)(void *addr), rn_duration limit)
{
    mend = touched;
    /* No exit signal: the program's own waits and its SIGCHLD handler do not see it.  The system call itself: libc's
     * fork would wait for the locks of threads that are stopped. */
    long pid = syscall(SYS_clone, 0UL, NULL, NULL, NULL, NULL);
    if (pid == 0)
        be_copy(f, arg);
    int err = pid < 0 ? -errno : 0;
    rn_os_world_go();
    return err ? err : wait_for_copy(pid, limit);
}

void *rn_os_map_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool rn_os_try(bool (*f)(void *arg), void *arg)
{
    struct rn_mark outer = back;
    bool ok = false;
    if (rn__arch_mark(&back) == 0)
        ok = f(arg);
    back = outer;
    return ok;
}

/* ---- what is mapped ------------------------------------------------------------------------------------ */

static bool is_plain(const struct rn_os_mapping *m)
{
    return !m->file && !m->bss && !m->shared && !m->stack && !m->sealed;
}

enum { SEALED_MOST = 16 << 20 };

/* What the kernel keeps apart only because of a fork between two growths of a heap is one. */
struct joining {
    struct rn_os_mapping last;   /* end 0: none */
    struct rn_os_mapping before; /* the line before, whether it counts or not */
    void (*f)(const struct rn_os_mapping *, void *);
    void *arg;
};

static void join(struct joining *j, const struct rn_os_mapping *m)
{
    if (j->last.end == m->start && is_plain(&j->last) && is_plain(m) && j->last.heap == m->heap) {
        j->last.end = m->end;
        return;
    }
    if (j->last.end)
        j->f(&j->last, j->arg);
    j->last = *m;
}

/* "start-end rwxp offset dev inode   path" */
static bool parse_mapping(const char *at, struct rn_os_mapping *m)
{
    m->start = hex(&at);
    at++;
    m->end = hex(&at);
    static uintptr_t barred_end; /* of the one before that nobody may touch */
    m->guarded = m->start == barred_end;
    if (at[1] == '-' && at[2] == '-')
        barred_end = m->end;
    m->sealed = at[1] == 'r' && at[2] == '-' && at[3] == '-';
    bool seen = at[1] == 'r' && (at[2] == 'w' || m->sealed);
    m->shared = at[4] == 's';
    at += 5;
    for (int field = 0; field < 3; field++)
        for (at++; *at && *at != ' '; at++)
            continue;
    while (*at == ' ')
        at++;
    m->file = *at == '/';
    m->heap = strncmp(at, "[heap]", 6) == 0;
    m->stack = strncmp(at, "[stack]", 7) == 0;
    return seen && (strncmp(at, "[v", 2) != 0 || !m->sealed); /* [vvar] is the kernel's */
}

/* A program may seal a page of its variables: what follows within the zeroed rest is still that. */
static bool is_bss(const struct rn_os_mapping *m, const struct rn_os_mapping *before)
{
    if (m->file || m->heap || m->stack || m->start != before->end)
        return false;
    return (before->file && !before->shared) || (before->bss && (m->sealed || before->sealed));
}

/* Of files that are only read, those that are as large as an object's data may be: others have no variables. */
static bool is_seen(const struct rn_os_mapping *m)
{
    return !m->sealed || !m->file || (!m->shared && m->end - m->start <= SEALED_MOST);
}

static void map_line(const char *line, struct joining *j)
{
    struct rn_os_mapping m = {0};
    bool readable = parse_mapping(line, &m);
    m.bss = is_bss(&m, &j->before);
    j->before = m;
    if (readable && is_seen(&m))
        join(j, &m);
}

int rn_os_mappings(void (*f)(const struct rn_os_mapping *m, void *arg), void *arg)
{
    static char bytes[16384]; /* one caller at a time */
    struct joining j = {.f = f, .arg = arg};
    size_t have = 0;
    ssize_t n;
    int fd = rn__os_open(AT_FDCWD, "/proc/self/maps");
    if (fd < 0)
        return -errno;
    while ((n = rn__os_read(fd, bytes + have, sizeof bytes - 1 - have)) > 0) {
        char *line = bytes, *end;
        have += (size_t)n;
        bytes[have] = 0;
        for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = 0;
            map_line(line, &j);
        }
        have -= (size_t)(line - bytes);
        memmove(bytes, line, have);
    }
    rn__os_close(fd);
    if (j.last.end)
        f(&j.last, arg);
    return n < 0 ? -EIO : 0;
}

/* ---- pages ------------------------------------------------------------------------------------------------ */

static int pagemap = -1;

static void page(uintptr_t from, uintptr_t to, void (*f)(uintptr_t, uintptr_t, void *), void *arg)
{
    if (rn__arch_mark(&back) == 0)
        f(from, to, arg);
}

/* A bit per page in the answer: present or swapped out.  Unknown: all of them. */
static void read_pagemap(uintptr_t first, size_t n, uint64_t *to)
{
    ssize_t got = syscall(SYS_pread64, pagemap, to, n * sizeof *to, (off_t)(first * sizeof *to));
    for (size_t i = got > 0 ? (size_t)got / sizeof *to : 0; i < n; i++)
        to[i] = ~UINT64_C(0);
}

void rn_os_pages(uintptr_t start, uintptr_t end, void (*f)(uintptr_t from, uintptr_t to, void *arg), void *arg)
{
    enum { BATCH = 512, FEW = 16 };
    const uint64_t there = UINT64_C(3) << 62;
    uint64_t bits[BATCH];
    struct rn_mark outer = back;
    bool all = end - start < FEW * rn_os_page;
    if (!all && pagemap < 0)
        pagemap = rn__os_open(AT_FDCWD, "/proc/self/pagemap");
    uintptr_t first = start / rn_os_page, last = (end + rn_os_page - 1) / rn_os_page;
    for (volatile uintptr_t at = first; at < last; at += BATCH) {
        size_t n = last - at < BATCH ? last - at : BATCH;
        if (!all)
            read_pagemap(at, n, bits);
        for (volatile size_t i = 0; i < n; i++) {
            uintptr_t from = (at + i) * rn_os_page, to = from + rn_os_page;
            if (all || (bits[i] & there))
                page(from > start ? from : start, to < end ? to : end, f, arg);
        }
    }
    back = outer;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static void (*on_request)(void);

static void request_handler(int signo)
{
    int saved = errno;
    (void)signo;
    on_request();
    errno = saved;
}

bool rn__os_is_request_handler(const struct sigaction *a)
{
    return !(a->sa_flags & SA_SIGINFO) && a->sa_handler == request_handler;
}

int rn_os_request_install(void (*f)(void))
{
    struct sigaction now, ours = {.sa_handler = request_handler, .sa_flags = SA_RESTART | SA_ONSTACK};
    if (sigaction(SIGUSR2, NULL, &now) != 0)
        return -errno;
    if (now.sa_handler != SIG_DFL)
        return 0;
    on_request = f;
    return sigaction(SIGUSR2, &ours, NULL) == 0 ? 0 : -errno;
}

uint64_t rn_os_request_signal(void)
{
    struct sigaction now;
    bool ours =
        sigaction(SIGUSR2, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == request_handler;
    return ours ? UINT64_C(1) << (SIGUSR2 - 1) : 0;
}

void rn_os_request_uninstall(void)
{
    if (rn_os_request_signal())
        signal(SIGUSR2, SIG_DFL);
}
