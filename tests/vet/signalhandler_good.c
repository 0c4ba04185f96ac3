/* Handlers of signals that call nothing that waits. */
#include <runnel.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

static rn_atomic_int caught;
static volatile sig_atomic_t stopped;

static void on_hangup(int signo)
{
    rn_atomic_add(&caught, signo);
}

static void on_user(int signo)
{
    int saved = errno;
    (void)signo;
    stopped = 1;
    (void)!write(STDERR_FILENO, "stop\n", 5);
    errno = saved;
}

int rn_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct sigaction user = {.sa_handler = on_user};
    chan(int) hangups = chan_make(int, 1);
    defer(chan_free, hangups);
    signal(SIGHUP, on_hangup);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGUSR1, &user, NULL);
    return chan_try_recv(hangups, NULL) == 0 || stopped;
}
