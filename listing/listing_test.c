#include <runnel.h>
#include <runnel/test.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void tell_slowly(int signo)
{
    (void)signo;
    for (int i = 0; i < 5; i++) {
        sleep(1);
        (void)!write(2, &"12345"[i], 1);
    }
    _exit(2);
}
TEST(hangs)
{
    signal(SIGQUIT, tell_slowly);
    rn_sleep(RN_HOUR);
}
