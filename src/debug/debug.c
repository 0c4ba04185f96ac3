/* How src/debug takes part: the hooks, and what is printed for faults, SIGQUIT and SIGABRT.
 *
 * The handlers run on the alternate signal stack, at any instruction.  They print the line that matters first,
 * with nothing but write(2), and then the listing, which is not async-signal-safe (libdw allocates): when the
 * signal has interrupted the heap or the loader, it does without libdw; should it fail, rn__dying on
 * the second way in ends the program.
 */
#include "debug/debug.h"
#include "debug/lock_order.h"
#include "arch/unwind.h"
#include "base/hooks.h"
#include "debug/out.h"
#include "debug/symbol.h"
#include "sched/panic.h"
#include "sched/rt.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rn__with_room(void (*f)(void *arg), void *arg)
{
    enum { STACK = 1 << 20 };
    char *stack = rn_os_map(STACK, rn_os_page);
    if (!stack)
        return false;
    rn__arch_call_on(stack + STACK, f, arg);
    rn_os_unmap(stack, STACK);
    return true;
}

/* ---- panics ---------------------------------------------------------------------------------- */

/* As Go does. */
void rn__print_text(const char *text)
{
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1)
        rn__out("%.*s\n\t", (int)(end - text), text);
    for (; strlen(text) > 1000; text += 1000)
        rn__out("%.1000s", text);
    rn__out("%s", text);
}

static bool raised_again(const struct rn_panic *p, const struct rn_panic *by)
{
    return by && p->recovered && p->value == by->value && strcmp(p->text, by->text) == 0;
}

static void print_chain(const struct rn_panic *p, const struct rn_panic *by)
{
    if (p->up) {
        print_chain(p->up, p);
        if (raised_again(p->up, p))
            return;
        if (!p->up->is_exit)
            rn__out("\t");
    }
    if (p->is_exit)
        return;
    rn__out("panic: ");
    rn__print_text(p->text);
    rn__out("%s\n", raised_again(p, by) ? " [recovered, repanicked]" : p->recovered ? " [recovered]" : "");
}

void rn__print_panics(struct rn_panic *newest)
{
    print_chain(newest, NULL);
    rn__out_flush();
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void stack_remedy(const struct rn_g *g, size_t bytes)
{
    size_t more = 4 * bytes;
    const char *quote = g->name ? "\"" : "";
    rn__out("runtime: goroutine %llu%s%s%s%s needs more: ", (unsigned long long)g->id, g->name ? " " : "", quote,
            g->name ? g->name : "", quote);
    if (g->id == RN_MAIN_ID)
        rn__out("let one of its own go that deep, by rn_go_with((.stack = %zu), f, ...)\n", more);
    else if (more > RN_STACK_LARGEST)
        rn__out("start it by rn_go_with((.stack = %zu), f, ...)\n", more);
    else
        rn__out("start it by rn_go_with((.stack = %zu), f, ...), or for all rn_set_stack(%zu) before rn_run, or "
                "RUNNEL_STACK=%zuk in the environment\n",
                more, more, more >> 10);
}

static void stack_overflow(struct rn_g *g, void *uc)
{
    /* What was asked for: a stack of its own size has a page more. */
    size_t own = (size_t)(g->stack_hi - g->stack_lo) - rn_os_page;
    size_t bytes = g->flags & RN_G_OWN_STACK ? own : rn__sched.stack_default;
    rn__dying();
    rn__out("runtime: goroutine stack exceeds %zu-byte limit\n", bytes);
    stack_remedy(g, bytes);
    rn__out("fatal error: stack overflow\n\n");
    rn__out_flush();
    rn__die(g, uc);
}

static const char *fault_name(int signo)
{
    switch (signo) {
    case SIGBUS:
        return "SIGBUS: bus error";
    case SIGFPE:
        return "SIGFPE: division by zero, or another arithmetic error";
    case SIGILL:
        return "SIGILL: illegal instruction, or a trap of the compiler's";
    default:
        return "SIGSEGV: segmentation violation";
    }
}

static void unexpected_fault(struct rn_g *g, void *addr, void *uc, int signo)
{
    rn__dying();
    if (signo == SIGSEGV || signo == SIGBUS) /* the others' is that of the instruction */
        rn__out("unexpected fault address %#zx\n", (size_t)addr);
    rn__out("fatal error: fault\n[signal %s]\n\n", fault_name(signo));
    rn__out_flush();
    rn__dump(g, uc);
}

/* The goroutine that runs on this thread's own stack; NULL on a worker's own stack and a stranger's thread. */
static struct rn_g *current(void)
{
    struct rn_g *g = rn__self_or_null();
    return g && g->id && rn__is_goroutine(g) ? g : NULL;
}

/* True: the access is to be tried again.  False: the previous action follows, a core dump by default. */
static bool on_fault(void *addr, void *uc, int signo)
{
    if (rn__hib_fault(addr)) /* a goroutine's stack that was put away */
        return true;
    struct rn_g *g = current();
    const struct rn_m *m = rn__m();
    if (rn__is_dying())
        rn__dying();
    if (!g && m && !m->external && rn_os_fault_is_default(signo)) /* a worker between two goroutines */
        unexpected_fault(NULL, addr, uc, signo);
    if (!g)
        return false;
    struct rn_g *of = rn__g_of_address(addr);
    if (of && (const char *)addr < of->stack_lo)
        stack_overflow(g, uc);
    if (rn_os_fault_is_default(signo))
        unexpected_fault(g, addr, uc, signo);
    return false;
}

/* False: an abort has its previous action, a core dump by default. */
static bool on_quit(void *uc, int signo)
{
    rn__dying();
    rn__out(signo == SIGQUIT ? "SIGQUIT: quit\n\n" : "SIGABRT: abort\n\n");
    rn__out_flush();
    if (signo == SIGQUIT)
        rn__die(current(), uc);
    rn__dump(current(), uc);
    return false;
}

/* ---- start and end --------------------------------------------------------------------------- */

static int trace(void **pc, int n)
{
    struct rn_cursor c;
    int i = 0;
    rn_cursor_from_here(&c);
    while (i < n && rn_cursor_step(&c) > 0)
        pc[i++] = (void *)c.regs[RN_REG_PC]; /* NOLINT(performance-no-int-to-ptr) */
    return i;
}

static bool place(uintptr_t pc, char *where, char *function, size_t n)
{
    enum { INLINED = 8 };
    struct rn_place places[INLINED];
    int found = rn__symbolize(pc, places, INLINED), i = 0;
    while (i < found && rn__place_is_internal(&places[i]))
        i++;
    if (i == found)
        return false;
    snprintf(function, n, "%s", places[i].function ? places[i].function : "?");
    if (places[i].file)
        snprintf(where, n, "%s:%d", places[i].file, places[i].line);
    else
        snprintf(where, n, "%s+%#zx", places[i].object ? places[i].object : "", (size_t)places[i].offset);
    return true;
}

/* Panics of plain threads before any run are reported as well. */
__attribute__((constructor)) static void hook(void)
{
    rn__hooks.dump = rn__dump;
    rn__hooks.print_panics = rn__print_panics;
    rn__hooks.tell_panic = rn__tell_panic;
    rn__hooks.trace = trace;
    rn__hooks.place = place;
    rn__lock_order_start();
    rn__race_report_use();
}

void rn__debug_start(void)
{
    rn__dump_prepare();
    rn_os_faults_install(on_fault, on_quit);
    rn__leaks_start();
}

void rn__debug_stop(void)
{
    rn__leaks_stop();
    rn_os_faults_uninstall();
}
