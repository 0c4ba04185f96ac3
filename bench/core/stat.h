/* What the workloads of runnel include. */
#ifndef RUNNEL_BENCH_CORE_STAT_H
#define RUNNEL_BENCH_CORE_STAT_H

#include "../stat.h"
#include <runnel.h>

#endif
