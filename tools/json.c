/* JSON: strings, and the events of `runnel test -json`.
 *
 * The events are those of `go test -json` (go doc test2json), one object a line, a test program in the place of a package:
 * what reads them for Go (gotestsum, which writes JUnit's XML, and others) reads them from here. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Bytes of the character in UTF-8 at s; 0: it is none. */
static size_t character(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool longer_than_needed = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool none = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f); /* a surrogate, beyond U+10FFFF */
    return longer_than_needed || none ? 0 : n;
}

void json_text(FILE *to, const char *s)
{
    fputc('"', to);
    for (size_t n; *s; s += n ? n : 1) {
        n = character((const unsigned char *)s);
        if (*s == '"' || *s == '\\')
            fprintf(to, "\\%c", *s);
        else if ((unsigned char)*s < ' ')
            fprintf(to, "\\u%04x", *s);
        else if (n == 0)
            fputs("\\ufffd", to);
        else
            fwrite(s, 1, n, to);
    }
    fputc('"', to);
}

static void pair(const char *key, const char *value)
{
    printf(",\"%s\":", key);
    json_text(stdout, value);
}

void json_event(const char *action, const char *program, const char *test, const char *line, double seconds)
{
    struct timespec now;
    struct tm utc;
    char when[32];
    clock_gettime(CLOCK_REALTIME, &now);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    printf("{\"Time\":\"%s.%06ldZ\",\"Action\":\"%s\"", when, now.tv_nsec / 1000, action);
    pair("Package", program);
    if (test)
        pair("Test", test);
    if (line)
        pair("Output", text("%s\n", line));
    if (seconds >= 0)
        printf(",\"Elapsed\":%.4f", seconds);
    puts("}");
    fflush(stdout);
}
