/* Routes: the patterns of Go 1.22's ServeMux, what they match, and which stand against each other. */
#include "http/mux.h"
#include <runnel.h>
#include <runnel/test.h>
#include <stdio.h>
#include <string.h>

static void nothing(rn_http_writer *w, const rn_http_request *r)
{
    (void)w, (void)r;
}

static http_mux *mux_of(const char *const *patterns)
{
    http_mux *m = http_mux_make();
    for (; *patterns; patterns++)
        http_mux_handle(m, *patterns, nothing);
    return m;
}

/* "pattern name=value …", "405 GET, HEAD", "404" or "/". */
static const char *route(const http_mux *m, const char *method, const char *host, const char *path)
{
    static char text[512];
    char allow[128];
    struct rn__http_match match;
    int used;
    switch (rn__http_route(m, host, method, path, strlen(path), &match, allow, sizeof allow)) {
    case RN__HTTP_FOUND:
        used = snprintf(text, sizeof text, "%s", match.route->pattern);
        for (int i = 0; i < match.n; i++)
            used += snprintf(text + used, sizeof text - (size_t)used, " %s=%.*s", match.route->names[i],
                             (int)match.values[i].n, path + match.values[i].at);
        return text;
    case RN__HTTP_ADD_SLASH:
        return "add /";
    case RN__HTTP_NO_METHOD:
        snprintf(text, sizeof text, "405 %s", allow);
        return text;
    default:
        return "404";
    }
}

TEST(the_most_specific_pattern_wins)
{
    http_mux *m = mux_of((const char *[]){"/", "/items/{id}", "/items/new", "GET /items/{id}/parts/{part}", "/static/",
                                          "/files/{path...}", "/{$}", "example.org/items/", "POST /things/{id}",
                                          "/things/{id}", "/exact", NULL});
    CHECK_STR(route(m, "GET", "h", "/"), "/{$}");
    CHECK_STR(route(m, "GET", "h", "/other"), "/ =other");
    CHECK_STR(route(m, "GET", "h", "/items/7"), "/items/{id} id=7");
    CHECK_STR(route(m, "POST", "h", "/things/7"), "POST /things/{id} id=7");
    CHECK_STR(route(m, "GET", "h", "/items/new"), "/items/new");
    CHECK_STR(route(m, "HEAD", "h", "/items/7/parts/x"), "GET /items/{id}/parts/{part} id=7 part=x");
    CHECK_STR(route(m, "PUT", "h", "/items/7/parts/x"), "/ =items/7/parts/x");
    CHECK_STR(route(m, "GET", "h", "/static/a/b"), "/static/ =a/b");
    CHECK_STR(route(m, "GET", "h", "/static"), "add /");
    CHECK_STR(route(m, "GET", "h", "/files/a/b"), "/files/{path...} path=a/b");
    CHECK_STR(route(m, "GET", "h", "/files/"), "/files/{path...} path=");
    CHECK_STR(route(m, "GET", "example.org:80", "/items/new"), "example.org/items/ =new");
    CHECK_STR(route(m, "GET", "EXAMPLE.org", "/exact"), "/exact");
    CHECK_STR(route(m, "GET", "h", "/exact/"), "/ =exact/");
    http_mux_free(m);
}

TEST(unknown_paths_and_methods)
{
    http_mux *m =
        mux_of((const char *[]){"GET /a", "POST /a", "PUT /b/{x}", "/c/", "GET /e/", "POST /e", "PUT /f/{x}/", NULL});
    CHECK_STR(route(m, "DELETE", "h", "/a"), "405 POST, GET, HEAD");
    CHECK_STR(route(m, "GET", "h", "/b/1"), "405 PUT");
    CHECK_STR(route(m, "GET", "h", "/d"), "404");
    CHECK_STR(route(m, "GET", "h", "/b/"), "404");
    CHECK_STR(route(m, "GET", "h", "*"), "404");
    CHECK_STR(route(m, "GET", "h", "/c"), "add /");
    CHECK_STR(route(m, "GET", "h", "/e"), "add /");
    CHECK_STR(route(m, "DELETE", "h", "/e"), "405 POST, GET, HEAD");
    CHECK_STR(route(m, "DELETE", "h", "/e/"), "405 GET, HEAD");
    CHECK_STR(route(m, "GET", "h", "/f/1"), "405 PUT");
    http_mux_free(m);
}

TEST(a_branch_that_leads_nowhere_is_left_again)
{
    http_mux *m = mux_of((const char *[]){"/a/b/c", "/a/{x}/d", "/{y...}", "/a/%2Fb/{$}", NULL});
    CHECK_STR(route(m, "GET", "h", "/a/b/d"), "/a/{x}/d x=b");
    CHECK_STR(route(m, "GET", "h", "/a/b/e"), "/{y...} y=a/b/e");
    http_mux_free(m);
}

TEST(conflicts_panic)
{
    static const char *const pairs[][3] = {
        {"/a/{x}", "/a/{y}", "http: pattern \"/a/{y}\" conflicts with pattern \"/a/{x}\""},
        {"/{x}/b", "/a/{y}", "http: pattern \"/a/{y}\" conflicts with pattern \"/{x}/b\""},
        {"GET /a/{x}", "/a/b", "http: pattern \"/a/b\" conflicts with pattern \"GET /a/{x}\""},
        {"GET /", "/a/", "http: pattern \"/a/\" conflicts with pattern \"GET /\""},
        {"h/a", "h/a", "http: pattern \"h/a\" conflicts with pattern \"h/a\""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        http_mux *m = mux_of((const char *[]){pairs[i][0], NULL});
        EXPECT_PANIC(pairs[i][2], http_mux_handle(m, pairs[i][1], nothing));
        http_mux_free(m);
    }
    http_mux_free(mux_of((const char *[]){"GET /a/{x}", "POST /a/{x}", "h/a/{x}", "/a/b/{x}", "HEAD /a/{x}", NULL}));
}

TEST(patterns_that_make_no_sense_panic)
{
    http_mux *m = http_mux_make();
    EXPECT_PANIC("http: invalid pattern \"\"", http_mux_handle(m, "", nothing));
    EXPECT_PANIC("http: nil handler", http_mux_handle(m, "/", NULL));
    EXPECT_PANIC("http: parsing \"GET\": host/path missing /", http_mux_handle(m, "GET", nothing));
    EXPECT_PANIC("http: parsing \"/a{b}\": bad wildcard segment (must be the whole segment)",
                 http_mux_handle(m, "/a{b}", nothing));
    EXPECT_PANIC("http: parsing \"/{a}/{a}\": duplicate wildcard name", http_mux_handle(m, "/{a}/{a}", nothing));
    EXPECT_PANIC("http: parsing \"/{a...}/b\": {...} wildcard not at end", http_mux_handle(m, "/{a...}/b", nothing));
    EXPECT_PANIC("http: parsing \"/{$}/b\": {$} not at end", http_mux_handle(m, "/{$}/b", nothing));
    EXPECT_PANIC("http: parsing \"/a//b\": path is not clean", http_mux_handle(m, "/a//b", nothing));
    EXPECT_PANIC("http: parsing \"G@T /\": invalid method", http_mux_handle(m, "G@T /", nothing));
    EXPECT_PANIC("http: parsing \"/{1}\": bad wildcard name", http_mux_handle(m, "/{1}", nothing));
    http_mux_free(m);
}
