/* Durations in the units, and the int, that system calls and libraries take. */
#ifndef RN_BASE_UNITS_H
#define RN_BASE_UNITS_H

#include <limits.h>
#include <runnel/base.h>

/* Rounded up, so that a wait does not end early; INT_MAX where it is longer than that. */
static inline int rn__in_units(rn_duration d, rn_duration unit)
{
    rn_duration n = d / unit + (d % unit > 0);
    return n < INT_MAX ? (int)n : INT_MAX;
}

#endif
