/* Requests that smuggle, break or abuse, and the status that each is refused with.
 *
 * Behind each one comes a second request, for /next.  A request that is refused ends the connection: nobody may
 * answer what follows it, since where it begins is in doubt.  One that is taken (200) must have been
 * read in exactly one way: its body comes back, and the second request is answered. */
#include "../http/peer.h"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"

static const struct hostile {
    const char *what;
    int status;
    const char *request;
    size_t n; /* where there is a NUL in it */
} list[] = {
#define WHOLE(s) (s), sizeof(s) - 1
    /* lines */
    {"bare LF after the request line", 400, "GET / HTTP/1.1\nHost: h\r\n\r\n", 0},
    {"bare LF after a header", 400, "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 0},
    {"bare LF everywhere", 400, "GET / HTTP/1.1\nHost: h\n\n", 0},
    {"bare LF as the empty line", 400, GET "\n", 0},
    {"bare CR in a header", 400, GET "X: a\rb\r\n\r\n", 0},
    {"bare CR in the request line", 400, "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"bare CR as the end of a header", 400, GET "X: a\rY: b\r\n\r\n", 0},
    {"CR CR LF", 400, GET "X: a\r\r\n\r\n", 0},
    {"bare LF before the request line", 400, "\n" GET "\r\n", 0},
    {"an empty line and a bare LF before", 400, "\r\n\n" GET "\r\n", 0},
    {"a blank before the request line", 400, " " GET "\r\n", 0},
    {"a folded header", 400, GET "X: a\r\n b\r\n\r\n", 0},
    {"a folded header, by tab", 400, GET "X: a\r\n\tb\r\n\r\n", 0},
    {"a fold before the first header", 400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 0},
    /* request line */
    {"HTTP/0.9", 400, "GET /\r\n\r\n", 0},
    {"no target", 400, "GET  HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"no version", 400, "GET / \r\nHost: h\r\n\r\n", 0},
    {"two blanks before the target", 400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"two blanks before the version", 400, "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a blank after the version", 400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 0},
    {"a tab for a blank", 400, "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a blank in the target", 400, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"HTTP/2.0 by words", 505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 0},
    {"HTTP/3.0", 505, "GET / HTTP/3.0\r\nHost: h\r\n\r\n", 0},
    {"HTTP/0.9 with a version", 505, "GET / HTTP/0.9\r\nHost: h\r\n\r\n", 0},
    {"HTTP/2.1", 505, "GET / HTTP/2.1\r\nHost: h\r\n\r\n", 0},
    {"HTTP/9.9", 505, "GET / HTTP/9.9\r\nHost: h\r\n\r\n", 0},
    {"HTTP/2.0 for PRI, not as a preface", 505, "PRI /x HTTP/2.0\r\nHost: h\r\n\r\n", 0},
    {"HTTP/1.2 without a Host", 400, "GET / HTTP/1.2\r\n\r\n", 0},
    {"HTTP/1.2 twice", 400, "GET / HTTP/1.2 HTTP/1.2\r\nHost: h\r\n\r\n", 0},
    {"HTTP/1.:", 400, "GET / HTTP/1.:\r\nHost: h\r\n\r\n", 0},
    {"HTTP/1.10", 400, "GET / HTTP/1.10\r\nHost: h\r\n\r\n", 0},
    {"HTTP/1", 400, "GET / HTTP/1\r\nHost: h\r\n\r\n", 0},
    {"http/1.1", 400, "GET / http/1.1\r\nHost: h\r\n\r\n", 0},
    {"HTTP/+1.1", 400, "GET / HTTP/+1.1\r\nHost: h\r\n\r\n", 0},
    {"another protocol", 400, "GET / ICE/1.0\r\nHost: h\r\n\r\n", 0},
    {"RTSP", 400, "OPTIONS / RTSP/1.0\r\nHost: h\r\n\r\n", 0},
    {"an unknown method", 501, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a method in lower case", 501, "get / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a method that is no token", 400, "G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"CONNECT", 501, "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a target without a slash", 400, "GET index.html HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"the authority alone", 400, "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a star for GET", 400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a fragment", 400, "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a byte above 127 in the target", 400, "GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a control byte in the target", 400, "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"DEL in the target", 400, "GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a half percent sign", 400, "GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a percent sign that is none", 400, "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"an encoded NUL in the path", 400, "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"an absolute target with a user", 400, "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"an absolute target of another scheme", 400, "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a NUL in the request line", 400, WHOLE("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n")},
    {"a TLS handshake", 400, WHOLE("\x16\x03\x01\x00\x05\x01\r\n\r\n")},
    /* headers */
    {"a blank before the colon", 400, GET "Content-Length : 5\r\n\r\nhello", 0},
    {"a tab before the colon", 400, GET "X\t: y\r\n\r\n", 0},
    {"a name with a blank in it", 400, GET "X y: z\r\n\r\n", 0},
    {"an empty name", 400, GET ": y\r\n\r\n", 0},
    {"a line without a colon", 400, GET "nothing\r\n\r\n", 0},
    {"a name that is no token", 400, GET "X(y): z\r\n\r\n", 0},
    {"a NUL in a value", 400, WHOLE(GET "X: a\0b\r\n\r\n")},
    {"a NUL in a name", 400, WHOLE(GET "X\0y: a\r\n\r\n")},
    {"a control byte in a value", 400, GET "X: a\x01\r\n\r\n", 0},
    {"DEL in a value", 400, GET "X: a\x7f\r\n\r\n", 0},
    {"a byte above 127 in a name", 400, GET "X\xe9: a\r\n\r\n", 0},
    {"no Host", 400, "GET / HTTP/1.1\r\n\r\n", 0},
    {"an empty Host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
    {"two Hosts", 400, GET "Host: h\r\n\r\n", 0},
    {"two different Hosts", 400, GET "Host: other\r\n\r\n", 0},
    {"a Host with a blank", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0},
    {"a Host with a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0},
    {"a Host with a port that is none", 400, "GET / HTTP/1.1\r\nHost: h:http\r\n\r\n", 0},
    {"a Host with a signed port", 400, "GET / HTTP/1.1\r\nHost: h:-80\r\n\r\n", 0},
    {"a Host with two ports", 400, "GET / HTTP/1.1\r\nHost: h:80:80\r\n\r\n", 0},
    {"a port alone", 400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 0},
    {"half an IPv6 address", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 0},
    {"an IPv6 address with a tail", 400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 0},
    {"brackets within a Host", 400, "GET / HTTP/1.1\r\nHost: a[b]\r\n\r\n", 0},
    {"two Hosts with an absolute target", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nHost: x\r\n\r\n", 0},
    {"no Host with an absolute target", 400, "GET http://h/ HTTP/1.1\r\n\r\n", 0},
    {"an absolute target without a host", 400, "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"an absolute target with a bad port", 400, "GET http://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    {"a Host with a user", 400, "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 0},
    {"a Host list", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 0},
    {"an expectation nobody knows", 417, GET "Expect: miracles\r\n\r\n", 0},
    /* lengths */
    {"Content-Length and Transfer-Encoding", 400,
     POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0},
    {"Transfer-Encoding and Content-Length", 400,
     POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 0},
    {"the same with length 0", 400, POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0},
    {"two different lengths", 400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 0},
    {"the same length twice", 400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"a list of lengths", 400, POST "Content-Length: 5, 5\r\n\r\nhello", 0},
    {"a signed length", 400, POST "Content-Length: +5\r\n\r\nhello", 0},
    {"a negative length", 400, POST "Content-Length: -5\r\n\r\nhello", 0},
    {"an empty length", 400, POST "Content-Length:\r\n\r\nhello", 0},
    {"a length in hex", 400, POST "Content-Length: 0x5\r\n\r\nhello", 0},
    {"a length with a blank in it", 400, POST "Content-Length: 1 0\r\n\r\nhello", 0},
    {"a length beyond 64 bits", 400, POST "Content-Length: 18446744073709551621\r\n\r\nhello", 0},
    {"a length of many digits", 400, POST "Content-Length: 99999999999999999999999999\r\n\r\nhello", 0},
    {"a length with a fraction", 400, POST "Content-Length: 5.0\r\n\r\nhello", 0},
    {"a length beyond the limit", 413, POST "Content-Length: 999999999999\r\n\r\nhello", 0},
    /* transfer codings */
    {"an unknown coding", 400, POST "Transfer-Encoding: gzip\r\n\r\nhello", 0},
    {"chunked that is not the last", 400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 0},
    {"chunked with another", 501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0},
    {"chunked twice", 400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 0},
    {"two Transfer-Encodings", 400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     0},
    {"identity and chunked", 501, POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0},
    {"identity", 400, POST "Transfer-Encoding: identity\r\n\r\n", 0},
    {"xchunked", 400, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0},
    {"chunked with a vertical tab", 400, POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 0},
    {"chunked in quotes", 400, POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 0},
    {"chunked with a parameter", 400, POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 0},
    {"chunked, then another field of codings", 400,
     POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 0},
    {"another coding, with a length", 400, POST "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"chunked with a comma behind it", 400, POST "Transfer-Encoding: chunked,\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0},
    {"chunked with a form feed", 400, POST "Transfer-Encoding: chunked\f\r\n\r\n0\r\n\r\n", 0},
    {"chunked with a NUL", 400, WHOLE(POST "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n")},
    {"Transfer_Encoding and a length", 200, POST "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"chunked with a blank before the colon", 400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 0},
    {"chunked and a length in HTTP/1.0", 400,
     "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"an empty coding", 400, POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n", 0},
    {"chunked in HTTP/1.0", 400, "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0},
/* chunks */
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
    {"a chunk size that is none", 400, CHUNKED "x\r\nhello\r\n0\r\n\r\n", 0},
    {"an empty chunk size", 400, CHUNKED "\r\nhello\r\n0\r\n\r\n", 0},
    {"a signed chunk size", 400, CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 0},
    {"a negative chunk size", 400, CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 0},
    {"a chunk size with 0x", 400, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 0},
    {"a blank before the chunk size", 400, CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 0},
    {"a blank behind the chunk size", 400, CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 0},
    {"a chunk size beyond 64 bits", 400, CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", 0},
    {"a chunk size of many zeros", 400, CHUNKED "00000000000000000000005\r\nhello\r\n0\r\n\r\n", 0},
    {"a bare LF behind the chunk size", 400, CHUNKED "5\nhello\r\n0\r\n\r\n", 0},
    {"a NUL behind the chunk size", 400, WHOLE(CHUNKED "5\0\r\nhello\r\n0\r\n\r\n")},
    {"a tab behind the chunk size", 400, CHUNKED "5\t\r\nhello\r\n0\r\n\r\n", 0},
    {"two CR behind the chunk size", 400, CHUNKED "5\r\r\nhello\r\n0\r\n\r\n", 0},
    {"a chunk size in UTF-8's wide digits", 400, CHUNKED "\xef\xbc\x95\r\nhello\r\n0\r\n\r\n", 0},
    {"a chunk size with an underscore", 400, CHUNKED "0_5\r\nhello\r\n0\r\n\r\n", 0},
    {"a chunk size with an h", 400, CHUNKED "5h\r\nhello\r\n0\r\n\r\n", 0},
    {"a chunk without its end", 400, CHUNKED "5\r\nhello0\r\n\r\n", 0},
    {"a chunk that is shorter than it says", 400, CHUNKED "6\r\nhello\r\n0\r\n\r\n", 0},
    {"a NUL in a trailer", 400, WHOLE(CHUNKED "5\r\nhello\r\n0\r\nX: \0\r\n\r\n")},
    {"a bare CR in a trailer", 400, CHUNKED "5\r\nhello\r\n0\r\nX: a\rb\r\n\r\n", 0},
    {"a bare LF behind the chunk", 400, CHUNKED "5\r\nhello\n0\r\n\r\n", 0},
    {"a chunk that is longer than it says", 400, CHUNKED "4\r\nhello\r\n0\r\n\r\n", 0},
    {"a bare CR in a chunk extension", 400, CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n", 0},
    {"a bare LF in a chunk extension", 400, CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n", 0},
    {"a NUL in a chunk extension", 400, WHOLE(CHUNKED "5;a\0b\r\nhello\r\n0\r\n\r\n")},
    {"a bare LF in the trailers", 400, CHUNKED "5\r\nhello\r\n0\r\nX: y\n\r\n", 0},
    {"a blank before the colon of a trailer", 400, CHUNKED "5\r\nhello\r\n0\r\nX : y\r\n\r\n", 0},
    {"a folded trailer", 400, CHUNKED "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", 0},
    {"a trailer without a colon", 400, CHUNKED "5\r\nhello\r\n0\r\nXy\r\n\r\n", 0},
    /* what is taken */
    {"one empty line before", 200, "\r\n" POST "Content-Length: 5\r\n\r\nhello", 0},
    {"many empty lines before", 200, "\r\n\r\n\r\n\r\n\r\n" POST "Content-Length: 5\r\n\r\nhello", 0},
    {"an empty line behind the body", 200, POST "Content-Length: 5\r\n\r\nhello\r\n", 0},
    {"HTTP/1.2", 200, "POST / HTTP/1.2\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"HTTP/1.9, in chunks", 200,
     "POST / HTTP/1.9\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0},
    {"blanks around a value", 200, POST "X:\t \ty\t \t\r\nContent-Length:   5  \r\n\r\nhello", 0},
    {"a header without a blank", 200, POST "Content-Length:5\r\n\r\nhello", 0},
    {"an empty value", 200, POST "X:\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"bytes above 127 in a value", 200, POST "X: caf\xc3\xa9\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"chunked in capitals", 200, POST "TRANSFER-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0},
    {"chunks with extensions", 200, CHUNKED "5;a=b;c=\"d e\"\r\nhello\r\n0;z\r\n\r\n", 0},
    {"chunks with zeros before the size", 200, CHUNKED "0005\r\nhello\r\n000\r\n\r\n", 0},
    {"trailers", 200, CHUNKED "5\r\nhello\r\n0\r\nX: y\r\nZ: \r\n\r\n", 0},
    {"chunks of one byte", 200, CHUNKED "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n", 0},
    {"a length in the trailers", 200, CHUNKED "5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n", 0},
    {"Host with a port", 200, "POST / HTTP/1.1\r\nHost: h:8080\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"Host in IPv6", 200, "POST / HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"an escaped slash", 200, "POST /a%2fb HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"an absolute target", 200, "POST http://other/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 0},
    {"a length with zeros before it", 200, POST "Content-Length: 000005\r\n\r\nhello", 0},
};

static void echo(http_writer *w, const http_request *r)
{
    char piece[64];
    if (strcmp(r->path, "/next") == 0) {
        http_puts(w, "next");
        return;
    }
    for (ptrdiff_t n; (n = http_read(r, piece, sizeof piece)) > 0;)
        http_write(w, piece, (size_t)n);
}

static void try(const struct peer_server *s, const struct hostile *h)
{
    static const char next[] = "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    char request[1024];
    size_t n = h->n ? h->n : strlen(h->request);
    memcpy(request, h->request, n);
    memcpy(request + n, next, sizeof next);
    const char *answer = peer_ask_bytes(s, request, n + sizeof next - 1);
    int status = peer_status(answer), responses = peer_responses(answer);
    if (status != h->status)
        FAIL("%s: status %d, expected %d", h->what, status, h->status);
    else if (responses != (h->status == 200 ? 2 : 1))
        FAIL("%s: %d responses:\n%s", h->what, responses, answer);
    else if (h->status == 200 && strncmp(peer_body(answer), "hello", 5) != 0)
        FAIL("%s: the body is wrong:\n%s", h->what, answer);
    else if (h->status != 200 && !strstr(answer, "\r\nConnection: close\r\n"))
        FAIL("%s: the end is not announced:\n%s", h->what, answer);
}

TEST(hostile_requests_are_refused)
{
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = echo});
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        try(&s, &list[i]);
    CHECK(sizeof list / sizeof *list >= 60);
    peer_stop(&s);
}

/* The same, a byte at a time: where a message is cut in packets makes no difference. */
TEST(hostile_requests_in_single_bytes)
{
    struct peer_server s;
    static char answer[8192];
    peer_serve(&s, &(http_options){.handler = echo});
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const struct hostile *h = &list[i];
        rn_conn *c = peer_connect(&s);
        size_t n = h->n ? h->n : strlen(h->request);
        for (size_t k = 0; k < n && net_write(c, h->request + k, 1) == 1; k++)
            rn_yield();
        net_close_write(c);
        ssize_t got = peer_read_all(c, answer, sizeof answer);
        if (got >= 0 && peer_status(answer) != h->status) /* an early end may reset what came late */
            FAIL("%s, by bytes: status %d, expected %d", h->what, peer_status(answer), h->status);
        net_free(c);
    }
    peer_stop(&s);
}

static void fill(char *to, size_t n, const char *begin)
{
    size_t length = strlen(begin);
    memcpy(to, begin, length);
    memset(to + length, 'a', n - length);
    to[n] = 0;
}

TEST(heads_beyond_the_limits)
{
    static char request[200000];
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = echo, .max_header_bytes = 16384, .max_headers = 20});
    fill(request, 30000, "GET /");
    CHECK_EQ(peer_status(peer_ask(&s, request)), 414);
    fill(request, 30000, GET "X: ");
    CHECK_EQ(peer_status(peer_ask(&s, request)), 431);
    fill(request, 16000, GET "X: ");
    strcat(request, "\r\n\r\n");
    CHECK_EQ(peer_status(peer_ask(&s, request)), 200);
    strcpy(request, GET);
    for (int i = 0; i < 20; i++)
        strcat(request, "X: y\r\n");
    strcat(request, "\r\n");
    CHECK_EQ(peer_status(peer_ask(&s, request)), 431);
    peer_stop(&s);
}

/* A body is read into what room the head has left: there must be some, wherever the head ends. */
static void try_length(const struct peer_server *s, size_t n, const char *framing, const char *body)
{
    static char request[80000];
    int begun = snprintf(request, sizeof request, "POST / HTTP/1.1\r\nHost: h\r\n%s\r\nX: ", framing);
    memset(request + begun, 'a', n - (size_t)begun - 4);
    snprintf(request + n - 4, sizeof request - n + 4, "\r\n\r\n%sGET /next HTTP/1.1\r\nHost: h\r\n\r\n", body);
    const char *answer = peer_ask(s, request);
    if (peer_responses(answer) != 2 || !strstr(answer, "0123456789"))
        FAIL("a head of %zu bytes, %s: %.60s", n, framing, answer);
}

TEST(bodies_behind_heads_of_every_length)
{
    static const size_t around[] = {8192, 16384, 32768, 65536 - 32};
    static const char chunks[] = "5;why=none\r\n01234\r\n5\r\n56789\r\n0\r\nTrailer: one\r\n\r\n";
    struct peer_server s;
    peer_serve(&s, &(http_options){.handler = echo});
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        for (size_t n = around[i] - 40; n < around[i] + 4; n++) {
            try_length(&s, n, "Content-Length: 10", "0123456789");
            try_length(&s, n, "Transfer-Encoding: chunked", chunks);
        }
    peer_stop(&s);
}
