/* runnel.h: the whole core.  Each type also has its own header in runnel/, for those who want less;
 * the heavier ones (runnel/test.h, and later the network) are included by name only. */
#ifndef RUNNEL_H
#define RUNNEL_H

#include <runnel/base.h>
#include <runnel/go.h>
#include <runnel/chan.h>
#include <runnel/select.h>
#if __has_include(<runnel/time.h>)
#include <runnel/time.h>
#endif
#if __has_include(<runnel/timer.h>)
#include <runnel/timer.h>
#endif
#if __has_include(<runnel/sync.h>)
#include <runnel/sync.h>
#endif
#if __has_include(<runnel/context.h>)
#include <runnel/context.h>
#endif
#if __has_include(<runnel/scope.h>)
#include <runnel/scope.h>
#endif
#if __has_include(<runnel/debug.h>)
#include <runnel/debug.h>
#endif

#endif
