/* For tests that misuse something on purpose, in a way that the race detector reports, rightly. */
#ifndef TESTS_ON_PURPOSE_H
#define TESTS_ON_PURPOSE_H

#include <runnel/test.h>

#ifdef RN_RACE
#define RACES_ON_PURPOSE() rn_test_skip("a race on purpose, which the race detector reports")
#else
#define RACES_ON_PURPOSE() ((void)0)
#endif

#endif
