/* runnel.h: the whole core.  Each type also has its own header in runnel/, for those who want less.  Not in here, to be
 * included by who uses them: runnel/net.h, reader.h, file.h, process.h, signal.h, fd.h, http.h, websocket.h; by tests, test.h. */
#ifndef RUNNEL_H
#define RUNNEL_H

#include <runnel/base.h>
#include <runnel/go.h>
#include <runnel/time.h>
#include <runnel/chan.h>
#include <runnel/select.h>
#include <runnel/timer.h>
#include <runnel/sync.h>
#include <runnel/context.h>
#include <runnel/scope.h>
#if __has_include(<runnel/debug.h>)
#include <runnel/debug.h>
#endif

#endif
