#include "base/hooks.h"
__attribute__((weak)) void rn__debug_start(void)
{
}
__attribute__((weak)) void rn__debug_stop(void)
{
}
