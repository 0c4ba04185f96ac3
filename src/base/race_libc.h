/* Included before every C file of the library in the race build (cmake/RunnelLibrary.cmake).
 *
 * The library is not instrumented there, but the detector also watches memcpy and its like, whoever
 * calls them, and so would the compiler's own calls of them be watched, for copies of structs.  Here
 * these names are made to stand for others, in this object file only: src/base/race_libc.c.  Nor may the detector's
 * runtime be entered while the other threads are stopped (os/world.h): one of them may hold its locks.  And the
 * poller orders nothing: epoll_ctl, which the detector takes for a release, is called past it.
 *
 * Functions that race_libc.c defines, for programs, get another name by the preprocessor: it could not name them else. */
__asm__("memcpy = rn__own_memcpy\n"
        "memmove = rn__own_memmove\n"
        "memset = rn__own_memset\n"
        "memcmp = rn__own_memcmp\n"
        "strcmp = rn__own_strcmp\n"
        "strncmp = rn__own_strncmp\n"
        "strlen = rn__own_strlen\n"
        "strchr = rn__own_strchr\n"
        "strrchr = rn__own_strrchr\n"
        "epoll_ctl = rn__own_epoll_ctl\n");
#define atoi rn__own_atoi
#define atoll rn__own_atoll
#define strtod rn__own_strtod
#define strtok_r rn__own_strtok_r
#define strtol rn__own_strtol
#define strtoll rn__own_strtoll
#define strtoul rn__own_strtoul
#define strtoull rn__own_strtoull
