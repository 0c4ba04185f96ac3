/* main, for a program that defines rn_main.
 *
 * In the static library this is a member that the linker takes only when the program has no main;
 * when it has no rn_main either, it says so.  The shared library always has it, so there the
 * reference is weak: programs with a main of their own lack nothing. */
#include "sched/rt.h"

#ifdef RN_SHARED
#pragma weak rn_main
#endif

int main(int argc, char **argv);
RN_PUBLIC int main(int argc, char **argv)
{
#ifdef RN_SHARED
    if (!rn_main) {
        static const char text[] = "runnel: the program defines neither main nor rn_main\n";
        rn_os_write_stderr(text, sizeof text - 1);
        return 2;
    }
#endif
    rn_os_open_std();
    rn__main_is_ours = true;
    return rn_run(rn_main, argc, argv);
}
