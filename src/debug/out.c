#include "debug/out.h"
#include "os/os.h"
#include <stdarg.h>
#include <stdio.h>

enum { ROOM = 16384, PIECE = 1024 };
static char buffer[ROOM];
static size_t used;

void rn__out(const char *format, ...)
{
    va_list args;
    if (used > ROOM - PIECE)
        rn__out_flush();
    va_start(args, format);
    int n = vsnprintf(buffer + used, PIECE, format, args);
    va_end(args);
    if (n > 0)
        used += (size_t)n < PIECE ? (size_t)n : PIECE - 1;
}

void rn__out_flush(void)
{
    rn_os_write_stderr(buffer, used);
    used = 0;
}
