/* Handlers of signals that call into runnel. */
#include <runnel.h>
#include <signal.h>

static rn_mutex mu;
static chan(int) caught;
static int reloads;

static void count(void)
{
    mutex_lock(&mu); // want signalhandler
    reloads++;
    mutex_unlock(&mu);
}

static void on_hangup(int signo)
{
    (void)signo;
    count();
}

static void on_user(int signo)
{
    (void)chan_try_send(caught, signo); // want signalhandler
}

static void work(int signo)
{
    reloads += signo;
}

static void on_child(int signo, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    go(work, signo); // want signalhandler
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct sigaction user = {.sa_handler = on_user}, child = {.sa_flags = SA_SIGINFO};
    child.sa_sigaction = on_child;
    caught = chan_make(int, 1);
    defer(chan_free, caught);
    signal(SIGHUP, on_hangup);
    sigaction(SIGUSR1, &user, NULL);
    sigaction(SIGCHLD, &child, NULL);
    return chan_recv(caught) ? 0 : 1;
}
