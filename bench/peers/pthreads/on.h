/* Lets this process run on so many processors, as the others' option of that name does. */
#include <sched.h>

static inline void run_on(int processors)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < processors; i++)
        CPU_SET(i, &set);
    sched_setaffinity(0, sizeof set, &set);
}
