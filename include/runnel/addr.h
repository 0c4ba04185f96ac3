/* runnel/addr.h: network addresses as values, and their text.
 *
 *     rn_addr a;
 *     char text[RN_ADDR_TEXT];
 *     if (addr_parse("[fe80::1%eth0]:8080", &a) == 0)
 *         puts(addr_format(&a, text));
 *
 * Text is numeric: nothing here asks a name server (net_lookup in runnel/net.h does).  What is
 * understood: "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%eth0]:80" (zone by name or number), the
 * same without a port (then 0), "/path/of/a/socket", "@name" (Linux's abstract sockets).
 *
 * All of these may be called from anywhere and never block.
 */
#ifndef RUNNEL_ADDR_H
#define RUNNEL_ADDR_H

#include <runnel/base.h>

RN_EXTERN_C_BEGIN

enum rn_addr_family { RN_ADDR_NONE, RN_ADDR_IP4, RN_ADDR_IP6, RN_ADDR_UNIX };
enum {
    RN_ADDR_PATH = 108, /* bytes that a unix address can have, the ending 0 included */
    RN_ADDR_TEXT = 128, /* bytes that hold any address's text, the ending 0 included */
    RN_ADDR_HOST = 256  /* the same for a host name */
};

/* Two addresses are the same when rn_addr_equal says so; padding and unused bytes do not matter. */
typedef struct rn_addr {
    uint8_t family;          /* enum rn_addr_family */
    uint8_t path_len;        /* RN_ADDR_UNIX: bytes in path; 0: a socket without a name */
    uint16_t port;           /* as a number, not in network order */
    uint32_t zone;           /* RN_ADDR_IP6: the interface's index; 0: none */
    uint8_t ip[16];          /* in network order; RN_ADDR_IP4 uses the first 4 */
    char path[RN_ADDR_PATH]; /* not ended by 0 unless there is room; abstract names begin with a 0 byte */
} rn_addr;

/* Reads an address as above.  0, or RN_EINVAL and *out is untouched. */
RN_PUBLIC int rn_addr_parse(const char *text, rn_addr *out) RN_MUST_USE;
/* Writes a's text, at most RN_ADDR_TEXT bytes with the ending 0, and returns `text`.  An IPv4 address
 * that is wrapped in IPv6 (::ffff:192.0.2.1) is written as IPv4.  RN_ADDR_NONE gives "". */
RN_PUBLIC const char *rn_addr_format(const rn_addr *a, char *text);
RN_PUBLIC bool rn_addr_equal(const rn_addr *a, const rn_addr *b);

/* Splits "host:port", "[v6]:port" or ":port" (an empty host) at the right colon.  host has room for RN_ADDR_HOST
 * bytes and port for 32.  0, or RN_EINVAL when there is no port or the text makes no sense. */
RN_PUBLIC int rn_addr_split(const char *text, char *host, char *port) RN_MUST_USE;

RN_EXTERN_C_END

#ifndef RN_NO_SHORT_NAMES
#define addr_parse rn_addr_parse
#define addr_format rn_addr_format
#define addr_equal rn_addr_equal
#define addr_split rn_addr_split
#endif

#endif
