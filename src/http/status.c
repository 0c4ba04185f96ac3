/* The words of statuses, and the dates of HTTP. */
#define _GNU_SOURCE 1
#include "http/exchange.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* clang-format off */
const char *rn_http_status_text(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 418: return "I'm a teapot";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
    }
}
/* clang-format on */

int64_t rn__http_wall(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return now.tv_sec;
}

static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Day, month and year of a day since 1970 (the usual arithmetic of the Gregorian calendar, in eras of 400 years
 * that begin in March). */
static void civil(int64_t day, int *y, int *m, int *d)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    int of_era = (int)(day - era * 146097);
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100), shifted = (5 * of_year + 2) / 153;
    *d = of_year - (153 * shifted + 2) / 5 + 1;
    *m = shifted < 10 ? shifted + 3 : shifted - 9;
    *y = (int)(year + era * 400) + (*m <= 2);
}

static int64_t day_of(int y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int year = (int)(y - era * 400), of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + year * 365 + year / 4 - year / 100 + of_year - 719468;
}

void rn__http_date(char to[RN__HTTP_DATE], int64_t seconds)
{
    int y, m, d, rest = (int)(((seconds % 86400) + 86400) % 86400);
    int64_t day = (seconds - rest) / 86400;
    civil(day, &y, &m, &d);
    snprintf(to, RN__HTTP_DATE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * (((day + 4) % 7 + 7) % 7),
             (unsigned)d % 100, months + 3 * (m - 1), (unsigned)y % 10000, (unsigned)(rest / 3600 % 24),
             (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
}

/* What a date says; the month by its name. */
struct date {
    int d, y, h, min, s;
    char month[4];
};

/* The three forms of RFC 9110, 5.6.7: its own, that of RFC 850, whose year has two digits, and asctime's. */
static bool read_date(const char *text, struct date *t)
{
    int used = 0;
    if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT%n", &t->d, t->month, &t->y, &t->h, &t->min, &t->s, &used) == 6)
        return used > 0;
    if (sscanf(text, "%*9[A-Za-z], %2d-%3s-%2d %2d:%2d:%2d GMT%n", &t->d, t->month, &t->y, &t->h, &t->min, &t->s,
               &used) == 6) {
        t->y += t->y < 69 ? 2000 : 1900; /* as Go */
        return used > 0;
    }
    return sscanf(text, "%*3s %3s %2d %2d:%2d:%2d %4d", t->month, &t->d, &t->h, &t->min, &t->s, &t->y) == 6;
}

int64_t rn__http_parse_date(const char *text)
{
    struct date t;
    if (!read_date(text, &t))
        return -1;
    const char *m = strstr(months, t.month);
    if (strlen(t.month) != 3 || !m || (m - months) % 3 || t.d < 1 || t.d > 31 || t.h > 23 || t.min > 59 || t.s > 60 ||
        t.y < 1601)
        return -1;
    return day_of(t.y, (int)(m - months) / 3 + 1, t.d) * 86400 + t.h * 3600 + t.min * 60 + t.s;
}
