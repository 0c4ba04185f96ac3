/* The HTTP client without memory: each of the library's own requests fails once.  (libcurl's own are tested by its authors.) */
#include "nth.h"

#include "../http/bad_server.h"
#include <netdb.h>
#include <runnel/http_client.h>

/* In the second run nothing fails, and what failed in the first must not be felt. */
static bool went_well(int err, int *runs)
{
    CHECK(err == 0 || err == RN_ENOMEM);
    if (++*runs == 2)
        CHECK_EQ(err, 0);
    return err == 0;
}

FAULT_TEST(a_get)
{
    static int runs;
    http_response res = {0};
    defer(http_response_free, &res);
    if (went_well(http_get(NULL, peer_url("/redirect/1"), &res), &runs))
        CHECK_STR(res.body, "hello");
}

static ssize_t some(void *arg, void *buf, size_t n)
{
    int *left = arg;
    size_t give = n < 1000 ? n : 1000;
    if ((*left)-- == 0)
        return 0;
    memset(buf, 'x', give);
    return (ssize_t)give;
}

FAULT_TEST(streams_both_ways)
{
    static int runs;
    int left = 3;
    size_t sum = 0;
    char buf[4096];
    http_client *c = http_client_make(&(http_client_options){.user_agent = "tests", .no_proxy = "none.example"});
    defer(http_client_free, c);
    http_response res = {0};
    defer(http_response_free, &res);
    http_header h[] = {{"X-One", "1"}, {"X-Two", "2"}};
    http_client_request r = {
        .url = peer_url("/echo"), .body_read = some, .body_arg = &left, .headers = h, .headers_len = 2};
    int err = RN_ENOMEM;
    r.client = c;
    if (c)
        err = http_open(NULL, &r, &res);
    while (!err) {
        ssize_t n = http_body_read(&res, buf, sizeof buf);
        if (n == 0)
            break;
        err = n < 0 ? (int)n : 0;
        sum += n > 0 ? (size_t)n : 0;
    }
    if (went_well(err, &runs))
        CHECK(sum > 0);
}

/* This machine's own, where its hosts file has it: no name server is asked. */
FAULT_TEST(a_name)
{
    static int runs;
    char host[128] = "", url[160];
    struct addrinfo *found;
    if (gethostname(host, sizeof host - 1) != 0 || getaddrinfo(host, NULL, NULL, &found) != 0)
        return;
    freeaddrinfo(found);
    snprintf(url, sizeof url, "http://%s:1/", host);
    http_response res = {0};
    defer(http_response_free, &res);
    int err = http_get(NULL, url, &res);
    CHECK(err < 0);
    if (++runs == 2)
        CHECK(err != RN_ENOMEM);
}
