/* Addresses: their text, and the kernel's form.  Numeric only; names are lookup.c's. */
#include "net/socket.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* ---- text to address ---------------------------------------------------------------------------- */

static int parse_port(const char *text, uint16_t *port)
{
    unsigned long n = 0;
    if (!*text || strlen(text) > 5)
        return RN_EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return RN_EINVAL;
        n = n * 10 + (unsigned long)(*text - '0');
    }
    *port = (uint16_t)n;
    return n <= UINT16_MAX ? 0 : RN_EINVAL;
}

/* "eth0" or "3". */
static int parse_zone(const char *text, uint32_t *zone)
{
    char *end;
    if (!*text)
        return RN_EINVAL;
    *zone = if_nametoindex(text);
    if (*zone)
        return 0;
    unsigned long n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (n == 0 || n > UINT32_MAX || *end)
        return RN_EINVAL;
    *zone = (uint32_t)n;
    return 0;
}

/* An IP address alone, in `text`, which is changed. */
static int parse_ip(char *text, rn_addr *a)
{
    if (inet_pton(AF_INET, text, a->ip) == 1) {
        a->family = RN_ADDR_IP4;
        return 0;
    }
    char *zone = strchr(text, '%');
    if (zone)
        *zone++ = 0;
    if (inet_pton(AF_INET6, text, a->ip) != 1)
        return RN_EINVAL;
    a->family = RN_ADDR_IP6;
    return zone ? parse_zone(zone, &a->zone) : 0;
}

int rn__addr_path(const char *text, rn_addr *a)
{
    *a = (rn_addr){0};
    size_t n = strlen(text);
    bool abstract = *text == '@';
    if (n == 0 || n > RN_ADDR_PATH || (!abstract && n >= RN_ADDR_PATH) || (abstract && n < 2))
        return RN_EINVAL;
    a->family = RN_ADDR_UNIX;
    a->path_len = (uint8_t)n;
    memcpy(a->path, text, n);
    if (abstract)
        a->path[0] = 0;
    return 0;
}

int rn_addr_split(const char *text, char *host, char *port)
{
    const char *colon = strrchr(text, ':'), *begin = text, *end = colon;
    if (!colon || strlen(colon + 1) >= 32)
        return RN_EINVAL;
    if (*text == '[') {
        begin = text + 1;
        end = strchr(text, ']');
        if (!end || end + 1 != colon)
            return RN_EINVAL;
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return RN_EINVAL; /* an IPv6 address without brackets */
    }
    if ((size_t)(end - begin) >= RN_ADDR_HOST || memchr(begin, '[', (size_t)(end - begin)) ||
        memchr(begin, ']', (size_t)(end - begin)))
        return RN_EINVAL;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = 0;
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return 0;
}

int rn_addr_parse(const char *text, rn_addr *out)
{
    char host[RN_ADDR_HOST], port[32];
    rn_addr a = {0};
    int err;
    if (*text == '/' || *text == '@') {
        err = rn__addr_path(text, &a);
    } else if (rn_addr_split(text, host, port) == 0) {
        err = parse_port(port, &a.port);
        if (!err)
            err = parse_ip(host, &a);
        if (!err && a.family == RN_ADDR_IP4 && *text == '[')
            err = RN_EINVAL;
    } else {
        size_t n = strlen(text);
        bool brackets = n > 2 && *text == '[' && text[n - 1] == ']';
        if (n >= RN_ADDR_HOST)
            return RN_EINVAL;
        memcpy(host, text + brackets, n - 2 * brackets);
        host[n - 2 * brackets] = 0;
        err = parse_ip(host, &a);
    }
    if (!err)
        *out = a;
    return err;
}

/* ---- address to text ---------------------------------------------------------------------------- */

static bool is_wrapped_ip4(const rn_addr *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return a->family == RN_ADDR_IP6 && memcmp(a->ip, prefix, sizeof prefix) == 0;
}

static void format_ip6(const rn_addr *a, char *text)
{
    char ip[INET6_ADDRSTRLEN], name[IF_NAMESIZE], zone[IF_NAMESIZE + 1] = "";
    inet_ntop(AF_INET6, a->ip, ip, sizeof ip);
    if (a->zone && if_indextoname(a->zone, name))
        snprintf(zone, sizeof zone, "%%%s", name);
    else if (a->zone)
        snprintf(zone, sizeof zone, "%%%u", (unsigned)a->zone);
    snprintf(text, RN_ADDR_TEXT, "[%s%s]:%u", ip, zone, a->port);
}

const char *rn_addr_format(const rn_addr *a, char *text)
{
    text[0] = 0;
    if (a->family == RN_ADDR_IP4 || is_wrapped_ip4(a)) {
        const uint8_t *ip = a->family == RN_ADDR_IP4 ? a->ip : a->ip + 12;
        snprintf(text, RN_ADDR_TEXT, "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3], a->port);
    } else if (a->family == RN_ADDR_IP6) {
        format_ip6(a, text);
    } else if (a->family == RN_ADDR_UNIX && a->path_len) {
        memcpy(text, a->path, a->path_len);
        text[a->path_len] = 0;
        for (size_t i = 0; i < a->path_len; i++) /* an abstract name's 0 bytes */
            if (!text[i])
                text[i] = '@';
    }
    return text;
}

bool rn_addr_equal(const rn_addr *a, const rn_addr *b)
{
    if (a->family != b->family)
        return false;
    if (a->family == RN_ADDR_UNIX)
        return a->path_len == b->path_len && memcmp(a->path, b->path, a->path_len) == 0;
    if (a->family == RN_ADDR_NONE)
        return true;
    return a->port == b->port && memcmp(a->ip, b->ip, a->family == RN_ADDR_IP4 ? 4 : 16) == 0 &&
           (a->family == RN_ADDR_IP4 || a->zone == b->zone);
}

/* ---- the kernel's form -------------------------------------------------------------------------- */

socklen_t rn__addr_to_kernel(const rn_addr *a, struct sockaddr_storage *to)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)to;
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)to;
    memset(to, 0, sizeof *to);
    switch (a->family) {
    case RN_ADDR_IP4:
        in4->sin_family = AF_INET;
        in4->sin_port = htons(a->port);
        memcpy(&in4->sin_addr, a->ip, 4);
        return sizeof *in4;
    case RN_ADDR_IP6:
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(a->port);
        in6->sin6_scope_id = a->zone;
        memcpy(&in6->sin6_addr, a->ip, 16);
        return sizeof *in6;
    case RN_ADDR_UNIX:
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, a->path, a->path_len);
        /* A path counts with its ending 0, an abstract name without. */
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + a->path_len + (a->path_len && a->path[0] != 0));
    default:
        return 0;
    }
}

static void from_unix(const struct sockaddr_un *un, socklen_t len, rn_addr *to)
{
    size_t n = len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path) : 0;
    if (n > RN_ADDR_PATH)
        n = RN_ADDR_PATH;
    if (n && un->sun_path[0])
        n = strnlen(un->sun_path, n);
    to->family = RN_ADDR_UNIX;
    to->path_len = (uint8_t)n;
    memcpy(to->path, un->sun_path, n);
}

void rn__addr_from_kernel(const struct sockaddr_storage *from, socklen_t len, rn_addr *to)
{
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)from;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
    *to = (rn_addr){0};
    if (len < sizeof from->ss_family)
        return;
    switch (from->ss_family) {
    case AF_INET:
        to->family = RN_ADDR_IP4;
        to->port = ntohs(in4->sin_port);
        memcpy(to->ip, &in4->sin_addr, 4);
        break;
    case AF_INET6:
        to->family = RN_ADDR_IP6;
        to->port = ntohs(in6->sin6_port);
        to->zone = in6->sin6_scope_id;
        memcpy(to->ip, &in6->sin6_addr, 16);
        break;
    case AF_UNIX:
        from_unix((const struct sockaddr_un *)(const void *)from, len, to);
        break;
    default:
        break;
    }
}
