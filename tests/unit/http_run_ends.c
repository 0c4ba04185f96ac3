/* A run ends while plain threads ask: their requests are over, and what they hold of an answer is theirs. */
#include <errno.h>
#include <pthread.h>
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/test.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

/* ---- a server that begins to answer, in a run that ends then ---- */

static char url[RN_ADDR_TEXT + 16];
static sem_t listening, begun, over;
static const char *answer; /* what the server says of it; NULL: nothing */
static rn_listener *listener;
static rn_conn *asker;

static int serve_half(void)
{
    rn_addr at;
    char text[RN_ADDR_TEXT], head[1024];
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &listener) == 0);
    net_listener_addr(listener, &at);
    snprintf(url, sizeof url, "http://%s/", addr_format(&at, text));
    sem_post(&listening);
    REQUIRE(net_accept(listener, &asker) == 0);
    CHECK(net_read(asker, head, sizeof head) > 0);
    if (answer) {
        CHECK(net_write(asker, answer, strlen(answer)) > 0);
        rn_blocking_enter();
        sem_wait(&begun);
        rn_blocking_leave();
    }
    return 0;
}

/* A run of the server, with `client` on a thread. */
static void run_with(void *(*client)(void *), void *arg, const char *text)
{
    pthread_t t;
    answer = text;
    sem_init(&listening, 0, 0);
    sem_init(&begun, 0, 0);
    sem_init(&over, 0, 0);
    REQUIRE(pthread_create(&t, NULL, client, arg) == 0);
    CHECK_EQ(rn_run(serve_half), 0);
    sem_post(&over);
    pthread_join(t, NULL);
    net_free(asker);
    net_listener_free(listener);
}

static void *get(void *arg)
{
    http_response res = {0};
    (void)arg;
    sem_wait(&listening);
    CHECK_EQ(http_get(NULL, url, &res), RN_ECLOSED);
    http_response_free(&res);
    return NULL;
}

TEST_PLAIN(a_request_ends_with_the_run)
{
    for (int i = 0; i < 3; i++)
        run_with(get, NULL, NULL);
}

static void *read_on(void *afterwards)
{
    http_response res = {0};
    char body[100];
    sem_wait(&listening);
    CHECK_EQ(http_open(NULL, &(http_client_request){.url = url}, &res), 0);
    CHECK_EQ(http_body_read(&res, body, sizeof body), 5);
    sem_post(&begun);
    if (afterwards)
        sem_wait(&over);
    CHECK_EQ(http_body_read(&res, body, sizeof body), RN_ECLOSED);
    if (!afterwards)
        sem_wait(&over);
    CHECK_EQ(http_body_read(&res, body, sizeof body), RN_ECLOSED);
    http_response_free(&res);
    return NULL;
}

TEST_PLAIN(an_answer_that_is_being_read_is_cut_off)
{
    run_with(read_on, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
}

TEST_PLAIN(an_answer_that_is_read_afterwards_is_cut_off)
{
    run_with(read_on, url, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
}

TEST_PLAIN(there_is_no_request_without_a_run)
{
    http_response res = {0};
    CHECK_EQ(http_get(NULL, "http://127.0.0.1:1/", &res), RN_EAGAIN);
    http_response_free(&res);
}

/* ---- threads that ask all the time, and runs that begin and end ---- */

static rn_atomic_int64 answered, port;
static rn_atomic_int stop;

static void say_hello(rn_conn *c)
{
    static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    char head[1024];
    defer(net_free, c);
    while (net_read(c, head, sizeof head) > 0)
        if (net_write(c, hello, sizeof hello - 1) < 0)
            return;
}

static void serve(void)
{
    for (rn_conn *c; net_accept(listener, &c) == 0;)
        go(say_hello, c);
}

/* The run ends with requests and connections as they are. */
static int serve_a_while(void)
{
    rn_addr at;
    int64_t before = rn_atomic_load(&answered);
    REQUIRE(net_listen("tcp", "127.0.0.1:0", &listener) == 0);
    net_listener_addr(listener, &at);
    rn_atomic_store(&port, at.port);
    go(serve);
    while (rn_atomic_load(&answered) < before + 5)
        rn_sleep(RN_MILLISECOND / 4);
    return 0;
}

static void *ask_on(void *arg)
{
    char text[64];
    (void)arg;
    while (!rn_atomic_load(&stop)) {
        http_response res = {0};
        snprintf(text, sizeof text, "http://127.0.0.1:%d/", (int)rn_atomic_load(&port));
        if (http_get(NULL, text, &res) == 0)
            rn_atomic_add(&answered, 1);
        http_response_free(&res);
    }
    return NULL;
}

TEST_PLAIN(runs_come_and_go_while_threads_ask)
{
    enum { THREADS = 3, RUNS = 30 };
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, ask_on, NULL) == 0);
    for (int i = 0; i < RUNS; i++) {
        CHECK_EQ(rn_run(serve_a_while), 0);
        net_listener_free(listener);
    }
    rn_atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}
