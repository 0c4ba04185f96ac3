/* main, for a program that defines rn_main.  Linked only into programs that have no main. */
#include "sched/rt.h"

extern bool rn__main_is_ours;

#pragma weak rn_main

int main(int argc, char **argv);
RN_PUBLIC int main(int argc, char **argv)
{
    if (!rn_main) {
        static const char text[] = "runnel: the program defines neither main nor rn_main\n";
        rn_os_write_stderr(text, sizeof text - 1);
        return 2;
    }
    rn__main_is_ours = true;
    return rn_run(rn_main, argc, argv);
}
