/* HTTP: files whose names lie on the stack of a goroutine that is put away (docs/design/hibernation.md). */
#include <runnel.h>
#include <runnel/file.h>
#include <runnel/http.h>
#include <runnel/http_client.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include "sched/rt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef RN_HIBERNATES

__attribute__((constructor)) static void hibernate_soon(void)
{
    setenv("RUNNEL_HIBERNATE", "2", 1);
}

/* Each name is used once: whose stack was touched stays until it has run. */
enum { SERVED, CERTIFICATE, KEY, NAMES };
static const char *names[NAMES];
static char directory[32];

static void keep_name(const char **to, chan(int) door, rn_waitgroup *wg)
{
    char name[] = "a file";
    *to = name;
    wg_done(wg);
    chan_recv(door);
    wg_done(wg);
}

/* Names of a file that is there, on stacks that are away. */
static chan(int) put_names_away(rn_waitgroup *wg)
{
    if (!rn_os_away_begin())
        rn_test_skip("this kernel can't put stacks away");
    strcpy(directory, "/tmp/runnel-away-XXXXXX");
    REQUIRE(mkdtemp(directory) && chdir(directory) == 0);
    REQUIRE(rn_file_write_all("a file", "hello", 5, 0600) == 0);
    chan(int) door = chan_make(int, 0);
    wg_add(wg, NAMES);
    for (int i = 0; i < NAMES; i++)
        go(keep_name, &names[i], door, wg);
    wg_wait(wg);
    wg_add(wg, NAMES);
    while (rn_load_relaxed(&rn__hib_away) < NAMES) /* relaxed: a count */
        rn_sleep(RN_MILLISECOND);
    return door;
}

static void take_names_back(chan(int) door, rn_waitgroup *wg)
{
    chan_close(door);
    wg_wait(wg);
    chan_free(door);
    CHECK_EQ(rn_path_remove_all(directory), 0);
}

static void serve_it(rn_http_writer *w, const rn_http_request *r)
{
    rn_http_serve_file(w, r, names[SERVED]);
}

static void serve(rn_http_server *s, rn_listener *l, rn_waitgroup *wg)
{
    CHECK_EQ(rn_http_serve(s, l), 0);
    wg_done(wg);
}

static void get_it(void)
{
    char address[RN_ADDR_TEXT], url[RN_ADDR_TEXT + 16];
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_http_server *s = NULL;
    rn_http_response res = {0};
    rn_listener *l = NULL;
    rn_addr at;
    REQUIRE(rn_http_server_make(&(rn_http_options){.handler = serve_it}, &s) == 0);
    REQUIRE(rn_net_listen("tcp", "127.0.0.1:0", &l) == 0);
    rn_net_listener_addr(l, &at);
    snprintf(url, sizeof url, "http://%s/", rn_addr_format(&at, address));
    wg_add(&wg, 1);
    go(serve, s, l, &wg);
    REQUIRE(rn_http_get(NULL, url, &res) == 0);
    CHECK_EQ(res.status, 200);
    CHECK_STR(res.body, "hello");
    rn_http_response_free(&res);
    rn_http_close(s);
    wg_wait(&wg);
    rn_http_server_free(s);
    rn_net_listener_free(l);
}

TEST(a_file_that_is_served)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    chan(int) door = put_names_away(&wg);
    get_it();
    take_names_back(door, &wg);
}

/* They are found, and are no certificate and no key. */
TEST(a_certificate_and_a_key)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    rn_http_server *s = NULL;
    chan(int) door = put_names_away(&wg);
    rn_http_options o = {.cert_file = names[CERTIFICATE], .key_file = names[KEY]};
    CHECK_EQ(rn_http_server_make(&o, &s), RN_EINVAL);
    take_names_back(door, &wg);
}

#else

TEST(nobody_is_put_away_in_this_build)
{
    rn_test_skip("stacks are not put away under a sanitizer");
}

#endif
