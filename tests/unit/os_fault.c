/* Fault handlers: repair, refusal, the host's own handlers, the alternate stack. */
#define _GNU_SOURCE 1
#include "os/os.h"
#include <errno.h>
#include <runnel/test.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *page;
static rn_atomic(int) faults, quits, host_calls;
static char *volatile fault_stack; /* an address on the stack that the handler ran on */

static bool repair(void *addr, void *uc, int signo)
{
    char here;
    fault_stack = &here;
    rn_add_relaxed(&faults, 1); /* relaxed: a counter */
    if (!uc || signo != SIGSEGV || (char *)addr < page || (char *)addr >= page + rn_os_page)
        return false;
    errno = 12345;
    return mprotect(page, rn_os_page, PROT_READ | PROT_WRITE) == 0;
}

static bool refuse(void *addr, void *uc, int signo)
{
    (void)addr, (void)uc, (void)signo;
    rn_add_relaxed(&faults, 1); /* relaxed: a counter */
    return false;
}

static bool count_quit(void *uc, int signo)
{
    rn_add_relaxed(&quits, uc != NULL); /* relaxed: a counter */
    return signo == SIGQUIT;
}

static void map_page(void)
{
    rn_os_init();
    page = rn_os_map(rn_os_page, rn_os_page);
    REQUIRE(page != NULL);
    REQUIRE(mprotect(page, rn_os_page, PROT_NONE) == 0);
}

TEST_PLAIN(a_repaired_fault_goes_on_and_keeps_errno)
{
    map_page();
    REQUIRE(rn_os_faults_install(repair, count_quit) == 0);
    errno = 77;
    *(volatile char *)(page + 100) = 5;
    CHECK_EQ(errno, 77);
    CHECK_EQ(page[100], 5);
    CHECK_EQ(faults, 1);
    rn_os_faults_uninstall();
}

TEST_PLAIN(handlers_run_on_the_alternate_stack)
{
    stack_t alt;
    map_page();
    CHECK_EQ(rn_os_altstack_set(), 0);
    CHECK_EQ(rn_os_altstack_set(), 0);
    REQUIRE(sigaltstack(NULL, &alt) == 0);
    CHECK(!(alt.ss_flags & SS_DISABLE));
    REQUIRE(rn_os_faults_install(repair, count_quit) == 0);
    *(volatile char *)page = 5;
#ifndef __SANITIZE_ADDRESS__ /* ASan may keep locals elsewhere */
    CHECK(fault_stack > (char *)alt.ss_sp && fault_stack < (char *)alt.ss_sp + alt.ss_size);
#endif
    rn_os_faults_uninstall();
    rn_os_altstack_drop();
    rn_os_altstack_drop();
}

TEST_PLAIN(an_alternate_stack_of_the_host_is_kept)
{
    static char mine[64 * 1024];
    stack_t alt = {.ss_sp = mine, .ss_size = sizeof mine}, now;
    rn_os_init();
    REQUIRE(sigaltstack(&alt, NULL) == 0);
    CHECK_EQ(rn_os_altstack_set(), 0);
    sigaltstack(NULL, &now);
    CHECK_EQ(now.ss_sp, mine);
    rn_os_altstack_drop();
    sigaltstack(NULL, &now);
    CHECK_EQ(now.ss_sp, mine);
}

TEST_PLAIN(quit_is_told)
{
    rn_os_init();
    REQUIRE(rn_os_faults_install(refuse, count_quit) == 0);
    CHECK(!rn_os_signal_handlers(0));
    raise(SIGQUIT);
    CHECK_EQ(quits, 1);
    rn_os_faults_uninstall();
}

static void host_quit(int signo)
{
    rn_add_relaxed(&host_calls, signo == SIGQUIT || signo == SIGABRT); /* relaxed: a counter */
}

TEST_PLAIN(the_hosts_quit_handler_stays)
{
    signal(SIGQUIT, host_quit);
    signal(SIGABRT, host_quit);
    REQUIRE(rn_os_faults_install(refuse, count_quit) == 0);
    raise(SIGQUIT);
    raise(SIGABRT);
    CHECK_EQ(host_calls, 2);
    CHECK_EQ(quits, 0);
    rn_os_faults_uninstall();
    CHECK(signal(SIGQUIT, SIG_DFL) == host_quit);
    CHECK(signal(SIGABRT, SIG_DFL) == host_quit);
}

TEST_PLAIN_DIES(an_abort_that_is_told_kills_all_the_same, 128 + SIGABRT, "")
{
    rn_os_init();
    rn_os_faults_install(refuse, count_quit);
    abort();
}

static void host_fault(int signo, siginfo_t *info, void *uc)
{
    rn_add_relaxed(&host_calls, signo == SIGSEGV && uc && info->si_addr == page + 8); /* relaxed: a counter */
    mprotect(page, rn_os_page, PROT_READ | PROT_WRITE);
}

static void host_fault_plain(int signo)
{
    rn_add_relaxed(&host_calls, signo == SIGSEGV); /* relaxed: a counter */
}

TEST_PLAIN(what_is_not_ours_goes_to_the_hosts_handler)
{
    struct sigaction host = {.sa_sigaction = host_fault, .sa_flags = SA_SIGINFO}, now;
    map_page();
    sigaction(SIGSEGV, &host, NULL);
    REQUIRE(rn_os_faults_install(refuse, count_quit) == 0);
    *(volatile char *)(page + 8) = 1;
    CHECK_EQ(faults, 1);
    CHECK_EQ(host_calls, 1);
    rn_os_faults_uninstall();
    sigaction(SIGSEGV, NULL, &now);
    CHECK(now.sa_sigaction == host_fault);
}

TEST_PLAIN(a_sent_signal_is_not_a_fault)
{
    rn_os_init();
    signal(SIGSEGV, host_fault_plain);
    REQUIRE(rn_os_faults_install(refuse, count_quit) == 0);
    raise(SIGSEGV);
    CHECK_EQ(faults, 0);
    CHECK_EQ(host_calls, 1);
    rn_os_faults_uninstall();
}

TEST_PLAIN(a_handler_that_replaced_ours_is_kept)
{
    rn_os_init();
    REQUIRE(rn_os_faults_install(refuse, count_quit) == 0);
    signal(SIGSEGV, host_fault_plain);
    rn_os_faults_uninstall();
    CHECK(signal(SIGSEGV, SIG_DFL) == host_fault_plain);
}

TEST_PLAIN_DIES(without_any_other_handler_the_signal_kills, 128 + SIGSEGV, "")
{
    map_page();
    signal(SIGSEGV, SIG_DFL);
    rn_os_faults_install(refuse, count_quit);
    *(volatile char *)(page + 8) = 1;
}

TEST_PLAIN_DIES(flags_beside_the_default_are_no_handler, 128 + SIGSEGV, "")
{
    struct sigaction a = {.sa_flags = SA_SIGINFO};
    a.sa_handler = SIG_DFL;
    sigaction(SIGSEGV, &a, NULL);
    map_page();
    rn_os_faults_install(refuse, count_quit);
    CHECK(rn_os_fault_is_default(SIGSEGV));
    *(volatile char *)(page + 8) = 1;
}

TEST_PLAIN_DIES(a_sent_signal_kills_too, 128 + SIGBUS, "")
{
    rn_os_init();
    signal(SIGBUS, SIG_DFL);
    rn_os_faults_install(refuse, count_quit);
    raise(SIGBUS);
}

TEST_PLAIN_DIES(last_words_are_written_whole, 3, "the end of a long text")
{
    static char text[300000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\n';
    rn_os_write_stderr(text, sizeof text);
    rn_os_write_stderr("the end of a long text\n", 23);
    _exit(3);
}
