/* What valgrind is told and asked, where its headers were there when the library was built. */
#ifndef RN_BASE_VALGRIND_H
#define RN_BASE_VALGRIND_H

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(lo, hi) ((void)(lo), (void)(hi), 0)
#define VALGRIND_MAKE_MEM_UNDEFINED(at, n) ((void)(at), (void)(n), 0)
#endif

#endif
