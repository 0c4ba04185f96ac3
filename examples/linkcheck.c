/* linkcheck [-n AT-ONCE] [-m MOST] [-e] URL: follows every link of a site, and tells which are broken.
 *
 *     linkcheck http://localhost:8000/        PAGE:LINE: LINK: what is wrong with it
 *
 * Checks what the pages below the same scheme, host and port link to, fragments (#here) too.  Links to other sites are
 * checked with -e, by HEAD, and not followed; at most AT-ONCE (16) requests are under way, and at most MOST
 * (100000) addresses are visited.  Exit status 0: all good; 1: some are broken; 2: the site can't be had.  robots.txt is
 * not asked: this is for sites of one's own.  Ctrl-C stops and tells what was found.  Without arguments it checks a
 * small site that it serves itself.
 *
 * The lesson: one goroutine owns what is known and so needs no lock; it hands addresses to visitors and takes back what they
 * found, both in one select, whose sending case is switched off (NULL) while there is nothing to visit.  An
 * address belongs to the visitor while it is with them, and to the owner before and after.
 *
 * Of HTML it reads tags and attributes as browsers do, and decodes &amp; and its like; it does not run scripts
 * and does not look into style sheets or srcset.  Addresses are taken apart by libcurl, as they will be when asked for. */
#include <runnel.h>
#include <runnel/http.h>
#include <runnel/net.h>
#include <runnel/signal.h>

#include <ctype.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HOPS = 10, PAGE_MOST = 8 << 20, BUCKETS = 4096 };

/* A link, or the name of a place in a page, as it was found. */
struct found {
    char *text;
    int line;
};

struct list {
    struct found *at;
    size_t n, room;
};

/* An address, without its fragment. */
struct url {
    char *text;
    bool ours;               /* of the site */
    struct url *same, *next; /* in its bucket; in the queue, and then among those that were visited */
    struct url *to;          /* where a redirect leads */
    /* What a visitor fills in. */
    int status, err;
    char why[200], *location, *base;
    bool html;
    struct list links, places;
};

struct crawl {
    rn_context *ctx;
    const char *root; /* scheme, host and port that are ours … */
    size_t root_n;    /* … and how long that is */
    bool others;      /* -e */
    bool full, over;  /* more addresses than `most`; nothing new is taken any more */
    long most, known;
    struct url *bucket[BUCKETS], *queue, **queue_end, *visited;
    chan(struct url *) jobs, done;
};

/* ---- memory ---- */

static void *enough(void *p)
{
    if (!p)
        rn_panic("out of memory");
    return p;
}

static char *copy(const char *text, size_t n)
{
    char *to = enough(malloc(n + 1));
    memcpy(to, text, n);
    to[n] = 0;
    return to;
}

static void add(struct list *l, char *text, int line)
{
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->at = enough(realloc(l->at, l->room * sizeof *l->at));
    }
    l->at[l->n++] = (struct found){text, line};
}

static void list_free(struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].text);
    free(l->at);
}

/* ---- HTML ---- */

struct reader {
    const char *at, *end, *counted;
    int line;
    struct url *page;
};

struct attribute {
    const char *name, *value;
    size_t name_n, value_n;
};

static int line_of(struct reader *r, const char *p)
{
    for (; r->counted < p; r->counted++)
        r->line += *r->counted == '\n';
    return r->line;
}

static bool is(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(text, word, n) == 0;
}

static bool is_one_of(const char *text, size_t n, const char *const *words)
{
    while (*words && !is(text, n, *words))
        words++;
    return *words != NULL;
}

static size_t put_utf8(char *to, unsigned long c)
{
    if (c < 0x80)
        return *to = (char)c, 1;
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    to[0] = (char)((0xf00 >> more & 0xff) | c >> 6 * more);
    for (int i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
    return (size_t)more + 1;
}

/* Decodes what begins at the '&'; returns how much of it that takes, 0 when it is just an '&'. */
static size_t entity(const char *from, size_t n, char *to, size_t *written)
{
    static const struct {
        const char *name;
        char is;
    } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) <= n && strncmp(from, known[i].name, strlen(known[i].name)) == 0)
            return *to = known[i].is, *written = 1, strlen(known[i].name);
    char digits[12] = "", *end;
    bool hex = n > 2 && (from[2] == 'x' || from[2] == 'X');
    if (n < 4 || from[1] != '#' || !isxdigit((unsigned char)from[2 + hex]))
        return 0;
    memcpy(digits, from + 2 + hex, n - 2 - hex < 11 ? n - 2 - hex : 11);
    unsigned long c = strtoul(digits, &end, hex ? 16 : 10);
    if (*end != ';' || c == 0 || c > 0x10ffff)
        return 0;
    *written = put_utf8(to, c);
    return (size_t)(end - digits) + 3 + hex;
}

/* The value of an attribute: decoded, and for an address without blanks around it and line breaks in it. */
static char *value(const struct attribute *a, bool address)
{
    char *text = enough(malloc(a->value_n + 1));
    size_t n = 0;
    for (size_t i = 0; i < a->value_n;) {
        char c = a->value[i];
        size_t written = 0, taken = c == '&' ? entity(a->value + i, a->value_n - i, text + n, &written) : 0;
        n += written;
        i += taken;
        if (taken)
            continue;
        i++;
        if (!address || !(c == '\n' || c == '\r' || c == '\t' || (c == ' ' && n == 0)))
            text[n++] = c;
    }
    while (address && n && text[n - 1] == ' ')
        n--;
    text[n] = 0;
    return text;
}

static bool is_link(const char *tag, size_t n, const struct attribute *a)
{
    static const char *const href[] = {"a", "area", "link", NULL};
    static const char *const src[] = {"img",   "script", "iframe", "frame", "embed", "source",
                                      "audio", "video",  "track",  "input", NULL};
    if (is(a->name, a->name_n, "href"))
        return is_one_of(tag, n, href);
    if (is(a->name, a->name_n, "src"))
        return is_one_of(tag, n, src);
    return (is(a->name, a->name_n, "data") && is(tag, n, "object")) ||
           (is(a->name, a->name_n, "poster") && is(tag, n, "video"));
}

static void note(struct reader *r, const char *tag, size_t n, const struct attribute *a)
{
    struct url *page = r->page;
    if (is(a->name, a->name_n, "id") || (is(a->name, a->name_n, "name") && is(tag, n, "a")))
        add(&page->places, value(a, false), 0);
    else if (is(tag, n, "base") && is(a->name, a->name_n, "href") && !page->base)
        page->base = value(a, true);
    else if (is_link(tag, n, a))
        add(&page->links, value(a, true), line_of(r, a->name));
}

static size_t span(const struct reader *r, const char *until)
{
    const char *p = r->at;
    while (p < r->end && *p && !strchr(until, *p))
        p++;
    return (size_t)(p - r->at);
}

static void skip_blanks(struct reader *r, const char *also)
{
    while (r->at < r->end && (isspace((unsigned char)*r->at) || (*r->at && strchr(also, *r->at))))
        r->at++;
}

/* The next attribute of the tag; false when the tag is over. */
static bool next_attribute(struct reader *r, struct attribute *a)
{
    skip_blanks(r, "/");
    *a = (struct attribute){.name = r->at, .value = ""};
    if (r->at >= r->end || *r->at == '>')
        return false;
    r->at += *r->at == '='; /* a name may begin with one */
    r->at += span(r, " \t\r\n\f/>=");
    a->name_n = (size_t)(r->at - a->name);
    if (!a->name_n)
        r->at++; /* a NUL */
    skip_blanks(r, "");
    if (r->at >= r->end || *r->at != '=')
        return true;
    r->at++;
    skip_blanks(r, "");
    char quote = r->at < r->end && (*r->at == '"' || *r->at == '\'') ? *r->at : 0;
    r->at += quote != 0;
    a->value = r->at;
    a->value_n = span(r, quote == '"' ? "\"" : quote ? "'" : " \t\r\n\f>");
    r->at += a->value_n;
    r->at += quote && r->at < r->end;
    return true;
}

/* To what follows `mark`, in any case of letters; to the end when it does not come. */
static void skip_past(struct reader *r, const char *mark, size_t n)
{
    while (r->at < r->end && !((size_t)(r->end - r->at) >= n && strncasecmp(r->at, mark, n) == 0))
        r->at++;
    r->at = (size_t)(r->end - r->at) >= n ? r->at + n : r->end;
}

static bool has_name(const struct attribute *a, size_t n, const struct attribute *like)
{
    while (n && !(a[n - 1].name_n == like->name_n && strncasecmp(a[n - 1].name, like->name, like->name_n) == 0))
        n--;
    return n != 0;
}

/* Links that are only for preparing connections. */
static bool is_hint(const struct attribute *a)
{
    return is(a->name, a->name_n, "rel") &&
           (is(a->value, a->value_n, "preconnect") || is(a->value, a->value_n, "dns-prefetch"));
}

/* A tag, at its name: what it links to; and over the text of those whose text is not HTML.  Of attributes of the same
 * name the first one counts, and a tag without an end is none. */
static void read_tag(struct reader *r)
{
    static const char *const plain[] = {"script", "style", "textarea", "title", "iframe", "xmp", "noframes", NULL};
    const char *tag = r->at;
    struct attribute all[32], a;
    size_t n = 0;
    bool hint = false;
    r->at += span(r, " \t\r\n\f/>");
    size_t tag_n = (size_t)(r->at - tag);
    while (next_attribute(r, &a)) {
        if (n < sizeof all / sizeof *all && !has_name(all, n, &a))
            all[n++] = a;
        hint |= is_hint(&a);
    }
    for (size_t i = 0; r->at < r->end && !hint && i < n; i++)
        note(r, tag, tag_n, &all[i]);
    if (is_one_of(tag, tag_n, plain)) {
        char end[16];
        skip_past(r, end, (size_t)snprintf(end, sizeof end, "</%.*s", (int)tag_n, tag));
    }
}

static void read_html(struct url *page, const char *text, size_t n)
{
    struct reader r = {text, text + n, text, 1, page};
    while ((r.at = memchr(r.at, '<', (size_t)(r.end - r.at))) != NULL) {
        r.at++;
        if (r.end - r.at >= 3 && memcmp(r.at, "!--", 3) == 0)
            skip_past(&r, "-->", 3);
        else if (r.at < r.end && isalpha((unsigned char)*r.at))
            read_tag(&r);
    }
}

/* ---- addresses ---- */

/* The address of `link` on a page at `base`, without its fragment, or NULL; to be freed. */
static char *resolve(const char *base, const char *link)
{
    CURLU *u = curl_url();
    char *text = NULL, *out = NULL, *plain = copy(link, strcspn(link, "#"));
    if (u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
        (!*plain || curl_url_set(u, CURLUPART_URL, plain, CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) &&
        curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &text, CURLU_NO_DEFAULT_PORT) == CURLUE_OK)
        out = copy(text, strlen(text));
    curl_free(text);
    curl_url_cleanup(u);
    free(plain);
    return out;
}

/* How long scheme, host and port are: "http://host:1/…"; 0 when it is not of HTTP. */
static size_t root_length(const char *url)
{
    size_t n = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    return n ? n + strcspn(url + n, "/?#") : 0;
}

/* "mailto:", "javascript:" …: a scheme that is none of HTTP's. */
static bool is_elsewhere(const char *link)
{
    size_t n = strspn(link, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return n && link[n] == ':' && !is(link, n, "http") && !is(link, n, "https");
}

/* What is known of this address, which becomes ours; queued when it is new.  NULL when it is not to be visited. */
static struct url *look_up(struct crawl *c, char *text)
{
    unsigned h = 5381;
    for (const char *p = text; *p; p++)
        h = h * 33 + (unsigned char)*p;
    struct url *u = c->bucket[h % BUCKETS];
    while (u && strcmp(u->text, text) != 0)
        u = u->same;
    bool ours = strncmp(text, c->root, c->root_n) == 0 && root_length(text) == c->root_n;
    bool wanted = !u && (ours || c->others) && root_length(text) && !c->over;
    c->full |= wanted && c->known == c->most;
    if (!wanted || c->full) {
        free(text);
        return u;
    }
    u = enough(calloc(1, sizeof *u));
    *u = (struct url){.text = text, .ours = ours, .same = c->bucket[h % BUCKETS]};
    c->bucket[h % BUCKETS] = *c->queue_end = u;
    c->queue_end = &u->next;
    c->known++;
    return u;
}

/* ---- visitors ---- */

static bool is_html(const http_response *res)
{
    const char *type = http_response_header(res, "Content-Type");
    return type && (strncasecmp(type, "text/html", 9) == 0 || strncasecmp(type, "application/xhtml", 17) == 0);
}

static int read_page(struct url *u, http_response *res)
{
    size_t have = 0;
    ssize_t n = 1;
    char *text = NULL;
    for (size_t room = 0; n > 0 && have<PAGE_MOST; have += n> 0 ? (size_t)n : 0) {
        if (have == room)
            text = enough(realloc(text, room = room ? 2 * room : 64 << 10));
        n = http_body_read(res, text + have, room - have);
    }
    if (n >= 0)
        read_html(u, text, have);
    free(text);
    return n < 0 ? (int)n : 0;
}

static void ask(struct crawl *c, struct url *u, const char *method)
{
    http_client_request r = {.url = u->text, .method = method, .max_redirects = -1, .timeout = 30 * RN_SECOND};
    http_response res = {0};
    defer(http_response_free, &res);
    u->err = http_open(c->ctx, &r, &res);
    u->status = res.status;
    const char *to = http_response_header(&res, "Location");
    if (!u->err && u->status / 100 == 3 && to)
        u->location = copy(to, strlen(to));
    u->html = !u->err && u->ours && u->status == 200 && is_html(&res);
    if (u->html)
        u->err = read_page(u, &res);
    if (u->err)
        snprintf(u->why, sizeof u->why, "%s", res.error ? res.error + strlen(u->text) + 2 : rn_strerror(u->err));
}

static void visit(struct crawl *c)
{
    for (struct url *u; chan_next(c->jobs, &u);) {
        ask(c, u, u->ours ? "GET" : "HEAD");
        if (!u->ours && u->status >= 400)
            ask(c, u, "GET"); /* some know no HEAD */
        chan_send(c->done, u);
    }
}

/* ---- the owner ---- */

/* Where the links of a page are: its address, or what it says itself. */
static void follow(struct crawl *c, struct url *u)
{
    char *base = u->base ? resolve(u->text, u->base) : NULL;
    if (u->location) {
        char *to = resolve(u->text, u->location);
        u->to = to ? look_up(c, to) : NULL;
    }
    free(u->base);
    u->base = base ? base : copy(u->text, strlen(u->text));
    for (size_t i = 0; i < u->links.n; i++) {
        const char *link = u->links.at[i].text;
        char *to = is_elsewhere(link) ? NULL : resolve(u->base, link);
        if (to)
            look_up(c, to);
    }
}

static void crawl(struct crawl *c)
{
    for (long out = 0; out || (c->queue && !ctx_err(c->ctx));) {
        bool idle = !c->queue || ctx_err(c->ctx);
        struct url *u = c->queue, *back;
        switch (chan_select(on_send(idle ? NULL : c->jobs, u), on_recv(c->done, &back))) {
        case 0:
            c->queue = u->next;
            if (!c->queue)
                c->queue_end = &c->queue;
            out++;
            break;
        case 1:
            out--;
            back->next = c->visited;
            c->visited = back;
            follow(c, back);
            break;
        }
    }
}

/* ---- the report ---- */

static bool has_place(const struct url *u, const char *fragment)
{
    char *name = copy(fragment, strlen(fragment));
    http_unescape(name, false);
    bool has = !*name || strcasecmp(name, "top") == 0;
    for (size_t i = 0; !has && i < u->places.n; i++)
        has = strcmp(u->places.at[i].text, name) == 0 || strcmp(u->places.at[i].text, fragment) == 0;
    free(name);
    return has;
}

/* What is wrong with a link to u; NULL: nothing. */
static const char *fault(const struct url *u, const char *fragment, char *text, size_t n)
{
    for (int hops = 0; u->to; u = u->to)
        if (++hops > HOPS)
            return "redirects that never end";
    if (u->err == RN_ECANCELED)
        return NULL; /* not seen to the end */
    if (u->err)
        return u->why;
    if (u->status >= 400) {
        snprintf(text, n, "%d %s", u->status, http_status_text(u->status));
        return text;
    }
    return u->html && fragment && !has_place(u, fragment + 1) ? "the page has no such place" : NULL;
}

static long report_page(struct crawl *c, struct url *page, long *links)
{
    char text[64];
    long broken = 0;
    for (size_t i = 0; i < page->links.n; i++) {
        struct found *f = &page->links.at[i];
        if (is_elsewhere(f->text))
            continue;
        char *address = resolve(page->base, f->text);
        struct url *to = address ? look_up(c, address) : NULL;
        const char *why = !address ? "not an address" : to ? fault(to, strchr(f->text, '#'), text, sizeof text) : NULL;
        *links += to || why;
        broken += why != NULL;
        if (why)
            printf("%s:%d: %s: %s\n", page->text, f->line, f->text, why);
    }
    return broken;
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(struct url *const *)a)->text, (*(struct url *const *)b)->text);
}

/* Pages in the order of their addresses: which was visited first is chance.  Returns how many links are broken. */
static long report(struct crawl *c)
{
    long n = 0, pages = 0, links = 0, broken = 0;
    struct url **all = enough(malloc((size_t)(c->known + 1) * sizeof *all));
    for (struct url *u = c->visited; u; u = u->next)
        all[n++] = u;
    qsort(all, (size_t)n, sizeof *all, by_text);
    for (long i = 0; i < n; i++) {
        pages += all[i]->html;
        broken += report_page(c, all[i], &links);
    }
    printf("%ld pages, %ld links, %ld broken\n", pages, links, broken);
    free(all);
    return broken;
}

static void crawl_free(struct crawl *c)
{
    for (int i = 0; i < BUCKETS; i++)
        for (struct url *u = c->bucket[i], *next; u; u = next) {
            next = u->same;
            list_free(&u->links);
            list_free(&u->places);
            free(u->text);
            free(u->base);
            free(u->location);
            free(u);
        }
    free(c);
}

/* Where a redirect from the start leads, which is the site that is meant; NULL after a message.  To be freed. */
static char *arrive(rn_context *ctx, const char *start)
{
    http_client_request r = {.url = start, .timeout = 30 * RN_SECOND};
    http_response res = {0};
    char *url = NULL;
    defer(http_response_free, &res);
    int err = http_open(ctx, &r, &res);
    if (!err && res.status < 400)
        url = resolve(res.url, "");
    else if (err)
        fprintf(stderr, "linkcheck: %s\n", res.error ? res.error : rn_strerror(err));
    else
        fprintf(stderr, "linkcheck: %s: %d %s\n", start, res.status, http_status_text(res.status));
    return url;
}

static int check(rn_context *ctx, const char *start, long at_once, long most, bool others)
{
    char *root = arrive(ctx, start);
    if (!root)
        return 2;
    rn_waitgroup visitors = RN_WAITGROUP_INIT;
    struct crawl *c = enough(calloc(1, sizeof *c));
    *c = (struct crawl){.ctx = ctx, .root = root, .root_n = root_length(root), .others = others, .most = most};
    c->jobs = chan_make(struct url *, 0);
    c->done = chan_make(struct url *, 0);
    c->queue_end = &c->queue;
    look_up(c, copy(root, strlen(root)));
    for (long i = 0; i < at_once; i++)
        wg_go(&visitors, visit, c);
    crawl(c);
    chan_close(c->jobs);
    wg_wait(&visitors);
    c->over = true;
    int status = report(c) ? 1 : 0;
    if (ctx_err(ctx) || c->full)
        fprintf(stderr, "linkcheck: stopped early, %s\n",
                c->full ? "there are more addresses than -m allows" : "by a signal");
    chan_free(c->jobs);
    chan_free(c->done);
    crawl_free(c);
    free(root);
    return status;
}

/* ---- without arguments: a small site ---- */

static void site(http_writer *w, const http_request *r)
{
    static const struct {
        const char *path, *text;
    } pages[] = {
        {"/", "<!doctype html><title>home</title>\n<a href=a.html>a</a> <a href='a.html#top'>top</a>\n"
              "<a href=\"/b/?x=1&amp;y=2#there\">b</a> <a href='a.html#lost'>a place that is not there</a>\n"
              "<!-- <a href=comment>not a link</a> --><script>'<a href=script>'</script>\n"
              "<img src=gone.png> <a href=mailto:me@example.org>me</a> <a href=https://example.org/>others</a>\n"},
        {"/a.html", "<h1 id=here>a</h1>\n<a href=#here>here</a> <a href=./>home</a>\n<a href=old>moved</a> <a "
                    "href=circle>round</a>\n"},
        {"/b/", "<base href=/c/><p id=there>b</p>\n<a href=d.html>in c</a>\n<a href=../a.html#here>a</a>\n"},
        {"/c/d.html", "<a href=e.html>lost</a>"},
    };
    if (strcmp(r->path, "/old") == 0 || strcmp(r->path, "/circle") == 0)
        return http_redirect(w, r, strcmp(r->path, "/old") == 0 ? "/b/" : "/circle", 301);
    http_set_header(w, "Content-Type", "text/html; charset=utf-8");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(r->path, pages[i].path) == 0)
            return (void)http_puts(w, pages[i].text);
    http_error(w, 404, NULL);
}

static void serve(http_server *s, rn_listener *l, rn_waitgroup *wg)
{
    http_serve(s, l);
    wg_done(wg);
}

static int demonstrate(rn_context *ctx)
{
    char address[RN_ADDR_TEXT], url[RN_ADDR_TEXT + 8];
    http_server *s;
    rn_listener *l;
    rn_addr at;
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    if (net_listen("tcp", "127.0.0.1:0", &l) || http_server_make(&(http_options){.handler = site}, &s))
        return 2;
    net_listener_addr(l, &at);
    snprintf(url, sizeof url, "http://%s/", addr_format(&at, address));
    wg_add(&wg, 1);
    go(serve, s, l, &wg);
    int status = check(ctx, url, 4, 1000, false);
    http_close(s);
    wg_wait(&wg);
    http_server_free(s);
    net_listener_free(l);
    return status;
}

int rn_main(int argc, char **argv)
{
    long at_once = 16, most = 100000;
    bool others = false;
    rn_context *ctx = ctx_with_signals(ctx_background(), SIGINT, SIGTERM);
    defer(ctx_cancel, ctx);
    if (argc == 1)
        return demonstrate(ctx);
    for (int o; (o = getopt(argc, argv, "n:m:e")) != -1;) {
        if (o == 'e')
            others = true;
        else if (o == 'n')
            at_once = atol(optarg);
        else if (o == 'm')
            most = atol(optarg);
        else
            return 2;
    }
    if (optind + 1 != argc || at_once < 1 || most < 1) {
        fprintf(stderr, "usage: linkcheck [-n AT-ONCE] [-m MOST] [-e] URL\n");
        return 2;
    }
    return check(ctx, argv[optind], at_once, most, others);
}
