/* What a failing schedule forced, in words; and the token that repeats it.
 *
 * A token is name:seed:steps (behind the seed "+" and -faults, if there were any), with each step as
 * goroutine.choice.value, joined by commas: characters that no shell minds.  It stays good as long as the program does what it did up to each step. */
#define _GNU_SOURCE 1
#include "test/explore.h"

#ifdef RN_EXPLORE
#include "base/hooks.h"
#include "sched/sched.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT = 512 };

/* ---- places ------------------------------------------------------------------------------------------- */

/* Where a goroutine is: the innermost place of its trace that is the program's own. */
static bool place_of(const struct rn_explore_who *who, char *where, char *function)
{
    char full[TEXT], cwd[PATH_MAX];
    for (int i = 0; i < who->frames; i++)
        if (rn__hooks.place && rn__hooks.place(who->trace[i], full, function, TEXT)) {
            size_t n = getcwd(cwd, sizeof cwd) ? strlen(cwd) : 0;
            bool below = n && strncmp(full, cwd, n) == 0 && full[n] == '/';
            snprintf(where, TEXT, "%s", full + (below ? n + 1 : 0));
            return true;
        }
    return false;
}

static void say_who(FILE *to, const struct rn_explore_who *who)
{
    char where[TEXT], function[TEXT];
    fprintf(to, "goroutine %" PRIu32, who->id);
    if (who->name[0])
        fprintf(to, " \"%s\"", who->name);
    else if (who->id == 1)
        fputs(" (the test)", to);
    else if (rn__hooks.place && rn__hooks.place(who->entry, where, function, TEXT))
        fprintf(to, " (%s)", function);
}

static void say_where(FILE *to, const struct rn_explore_who *who, const char *before)
{
    char where[TEXT], function[TEXT];
    if (place_of(who, where, function))
        fprintf(to, "%s%s (in %s)", before, where, function);
}

/* ---- one choice ----------------------------------------------------------------------------------------- */

static const char *ordinal(uint32_t n, char text[24])
{
    static const char *const ends[] = {"th", "st", "nd", "rd"};
    bool teen = n / 10 % 10 == 1;
    snprintf(text, 24, "%" PRIu32 "%s", n, n % 10 < 4 && !teen ? ends[n % 10] : "th");
    return text;
}

/* What happens to simulated I/O. */
static void say_io(FILE *to, const struct rn_explore_told *t)
{
    static const char *const faults[] = {"", "travels for two seconds", "is lost: the connection is reset",
                                         "waits: the network is cut for a minute"};
    if (t->what == RN_AT_SHARE) {
        say_who(to, &t->self);
        fprintf(to, " reads %s of what has come", t->value == 1 ? "the first byte" : "half");
    } else {
        fputs("what ", to);
        say_who(to, &t->self);
        fprintf(to, " sends %s", t->what == RN_AT_LATENCY ? "travels for a millisecond" : faults[t->value & 3]);
    }
    say_where(to, &t->self, " at ");
}

static void say_index(FILE *to, const struct rn_explore_told *t)
{
    char nth[24];
    if (t->what == RN_AT_SHARE || t->what == RN_AT_LATENCY || t->what == RN_AT_FAULT) {
        say_io(to, t);
        return;
    }
    if (t->what == RN_AT_TIME && t->of == 2 && t->value == 1) {
        fputs("timers of one moment: the rest fire later, when those that they woke have run", to);
    } else if (t->what == RN_AT_TIME) {
        fprintf(to, "timers of one moment: the %s of %" PRIu32 " fires first", ordinal(t->value + 1, nth), t->of);
    } else {
        say_who(to, &t->self);
        fprintf(to, " takes the %s of %" PRIu32 " ready cases", ordinal(t->value + 1, nth), t->of);
        say_where(to, &t->self, " of its select at ");
    }
}

static void say_why(FILE *to, const struct rn_explore_told *t)
{
    if (!t->g) {
        fputs("time has passed", to);
        return;
    }
    say_who(to, &t->self);
    switch (t->what) {
    case RN_AT_BLOCK:
        fprintf(to, " waits (%s)", rn__wait_text((enum rn_wait)t->why));
        break;
    case RN_AT_END:
        fputs(" has ended", to);
        return;
    case RN_AT_YIELD:
        fputs(" yields", to);
        break;
    case RN_AT_MEMORY:
        fputs(" is stopped before it touches shared memory", to);
        break;
    default:
        fprintf(to, " is stopped %s %s", t->what >= RN_AFTER_GO ? "after" : "before",
                rn__point_text((enum rn_point)t->what));
    }
    say_where(to, &t->self, " at ");
}

void rn__explore_duration(char *text, size_t n, rn_duration d)
{
    static const struct {
        rn_duration unit;
        const char *name;
    } units[] = {{RN_MINUTE, "min"}, {RN_SECOND, "s"}, {RN_MILLISECOND, "ms"}, {RN_MICROSECOND, "us"}, {1, "ns"}};
    size_t i = 0;
    while (d < units[i].unit && units[i].unit > 1)
        i++;
    snprintf(text, n, "%.4g%s", (double)d / (double)units[i].unit, units[i].name);
}

static void say_late(FILE *to, const struct rn_explore_told *t)
{
    char late[32];
    rn__explore_duration(late, sizeof late, t->late);
    fprintf(to, "%s pass before anybody goes on, and the next deadline comes", late);
    if (t->other.id == 0) {
        fputs(" (a context's, or a timer's)", to);
        return;
    }
    if (t->other.id == t->self.id) {
        fputs(": its own", to);
        return;
    }
    fputs(": that of ", to);
    say_who(to, &t->other);
    say_where(to, &t->other, ", which is at ");
}

static void say_switch(FILE *to, const struct rn_explore_told *t)
{
    say_why(to, t);
    fputs(";\n         ", to);
    if (t->late) {
        say_late(to, t);
        return;
    }
    if (t->other.id == 0) {
        fputs("a moment passes, and the timer that is due next fires", to);
        return;
    }
    if (t->other.id == t->self.id && t->g) {
        fputs("it goes on all the same", to);
        return;
    }
    say_who(to, &t->other);
    fputs(t->other.frames ? " goes on" : " begins", to);
    say_where(to, &t->other, " from ");
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

static const char *advice(enum rn_failure kind)
{
    static const char *const text[] = {
        [RN_FAILED_CHECK] = "what it had read or checked before that place need not hold after it",
        [RN_FAILED_PANIC] = "what it had read or checked before that place need not hold after it",
        [RN_FAILED_DEADLOCK] = "and, in the listing below, who should have woken the goroutine that waits there",
        [RN_FAILED_LEAK] = "and, in the listing below, who should have woken the goroutines that are left",
        [RN_FAILED_RACE] = "and the two accesses in the report below",
        [RN_FAILED_ENDLESS] = "and what the goroutines that run in circles wait for",
        [RN_FAILED_TIMEOUT] = "and which call in the listing below blocks its thread",
        [RN_FAILED_OTHERWISE] = "what it had read or checked before that place need not hold after it",
    };
    return text[kind];
}

static void say_first(FILE *to, const struct rn_outcome *f)
{
    const struct rn_explore_shared *s = rn__plan;
    char where[TEXT], function[TEXT];
    for (uint32_t i = 0; i < s->told_n; i++)
        if (place_of(&s->told[i].self, where, function)) {
            const char *what = s->told[i].late
                                   ? "and at what who waits, and who is late, do when the deadline comes first"
                                   : advice(f->kind);
            fprintf(to, "  look first at: %s, %s\n", where, what);
            return;
        }
    if (s->told_n && s->told[0].late && place_of(&s->told[0].other, where, function)) {
        fprintf(to, "  look first at: %s, and at what who waits there, and who is late, do when its time is over\n",
                where);
        return;
    }
    if (s->taken == 0)
        fputs("  look first at: the failure itself, which the default schedule has, too\n", to);
}

char *rn__explore_words(const struct rn_outcome *f)
{
    const struct rn_explore_shared *s = rn__plan;
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    if (!to)
        return NULL;
    if (s->taken)
        fprintf(to,
                "  forced: | # all else is the default: who runs goes on until it waits; then who could run longest\n");
    for (uint32_t i = 0; i < s->told_n; i++) {
        fprintf(to, "    %3" PRIu32 ". ", i + 1);
        if (s->told[i].index)
            say_index(to, &s->told[i]);
        else
            say_switch(to, &s->told[i]);
        fputc('\n', to);
    }
    if (s->taken > s->told_n)
        fprintf(to, "    ... and %" PRIu32 " more\n", s->taken - s->told_n);
    say_first(to, f);
    fclose(to);
    return text;
}

/* ---- tokens ------------------------------------------------------------------------------------------------- */

char *rn__token_make(const struct rn_test *t, const struct rn_schedule *s)
{
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    if (!to)
        return NULL;
    fprintf(to, "%s:%" PRIx64, t->name, s->seed);
    if (rn__plan->faults)
        fprintf(to, "+%" PRIx32, rn__plan->faults);
    fputc(':', to);
    for (uint32_t i = 0; i < s->n; i++)
        fprintf(to, "%s%" PRIu32 ".%" PRIu32 ".%" PRIu32, i ? "," : "", s->steps[i].g, s->steps[i].nth,
                s->steps[i].value);
    fclose(to);
    return text;
}

bool rn__token_read(const char *token, char *name, size_t n, struct rn_schedule *s)
{
    const char *colon = strchr(token, ':');
    int used = 0;
    if (!colon || (size_t)(colon - token) >= n || sscanf(colon, ":%" SCNx64 "%n", &s->seed, &used) != 1)
        return false;
    int faults = 0;
    if (sscanf(colon + used, "+%" SCNx32 "%n", &rn__plan->faults, &faults) == 1)
        used += faults;
    if (colon[used++] != ':')
        return false;
    memcpy(name, token, (size_t)(colon - token));
    name[colon - token] = 0;
    s->n = 0;
    for (const char *at = colon + used; *at; at += *at == ',') {
        struct rn_explore_step *step = &s->steps[s->n];
        if (s->n++ == RN_EXPLORE_STEPS ||
            sscanf(at, "%" SCNu32 ".%" SCNu32 ".%" SCNu32 "%n", &step->g, &step->nth, &step->value, &used) != 3)
            return false;
        at += used;
        if (*at && *at != ',')
            return false;
    }
    return true;
}

#endif
