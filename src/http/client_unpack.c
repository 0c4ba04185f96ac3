/* Compressed bodies, unpacked as they are read: gzip, of one member or several, and deflate, by zlib.
 *
 * libcurl could, and does not tell when what it unpacks ends early within its length.  Here a body is whole
 * only if its last member is, with its checksum, and nothing follows.  It is done by the goroutine that reads: into the room that it
 * has, so that a few bytes that mean millions cost it no more than it asked for, and the driver nothing.
 *
 * What is not one of these codings alone stays as it came, as does a part of a body (206). */
#include "http/client.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum { PIECE = 16 << 10 };
enum state { BEFORE, WITHIN, BETWEEN }; /* the first byte, a member, a member and what may follow */

struct rn__http_unpacker {
    z_stream z;
    enum state state;
    bool gzip;
    char in[PIECE]; /* of a streamed body */
};

/* ---- whether ----------------------------------------------------------------------------------------- */

bool rn__http_asks_for_part(const rn_http_client_request *r)
{
    for (size_t i = 0; i < r->headers_len; i++)
        if (strcasecmp(r->headers[i].name, "range") == 0)
            return true;
    return false;
}

static enum rn__http_packing packing_called(const char *coding)
{
    if (strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0)
        return RN__HTTP_GZIP;
    return strcasecmp(coding, "deflate") == 0 ? RN__HTTP_DEFLATE : RN__HTTP_PLAIN;
}

enum rn__http_packing rn__http_packing_of(const struct rn_http_exchange *ex)
{
    const char *at = ex->head.at, *coding = NULL;
    int n = 0;
    if (ex->client->options.keep_encoding || ex->status == 206)
        return RN__HTTP_PLAIN;
    for (size_t i = 0; i < ex->head_n; i++) {
        const char *name = at, *value = at + strlen(at) + 1;
        at = value + strlen(value) + 1;
        if (strcasecmp(name, "content-encoding") == 0 && strcasecmp(value, "identity") != 0 && *value) {
            coding = value;
            n++;
        }
    }
    return n == 1 ? packing_called(coding) : RN__HTTP_PLAIN;
}

/* ---- zlib -------------------------------------------------------------------------------------------- */

static void *get(void *unused, unsigned n, unsigned size)
{
    (void)unused;
    return rn__calloc(n, size);
}

static void give(void *unused, void *p)
{
    (void)unused;
    rn__free(p);
}

static struct rn__http_unpacker *make(bool gzip)
{
    struct rn__http_unpacker *u = rn__malloc(sizeof *u);
    if (!u)
        return NULL;
    u->z = (z_stream){.zalloc = get, .zfree = give};
    u->state = BEFORE;
    u->gzip = gzip;
    if (inflateInit2(&u->z, gzip ? 15 + 16 : 15) == Z_OK) /* 15: the largest window; + 16: gzip's head and tail */
        return u;
    rn__free(u);
    return NULL;
}

void rn__http_unpacker_free(struct rn__http_unpacker *u)
{
    if (u)
        inflateEnd(&u->z);
    rn__free(u);
}

/* Before the first byte of a member.  "deflate" is meant to have zlib's head; some servers leave it out. */
static int begin(struct rn__http_unpacker *u)
{
    enum { METHOD = 15, DEFLATE = 8 };
    bool bare = !u->gzip && (*u->z.next_in & METHOD) != DEFLATE;
    if (u->state == BETWEEN && !u->gzip)
        return Z_DATA_ERROR; /* there is but one */
    u->state = WITHIN;
    return bare ? inflateReset2(&u->z, -15) : inflateReset(&u->z);
}

static int fail(struct rn_http_exchange *ex, const char *what)
{
    snprintf(ex->error, sizeof ex->error, "the compressed body %s", what);
    return RN_EPROTO;
}

/* Unpacks from z.next_in to z.next_out until one of them is used up: 0 or an error. */
static int unpack(struct rn_http_exchange *ex)
{
    struct rn__http_unpacker *u = ex->unpacker;
    while (u->z.avail_out && (u->z.avail_in || u->state == WITHIN)) {
        int did = u->state != WITHIN ? begin(u) : Z_OK;
        if (did == Z_OK)
            did = inflate(&u->z, Z_NO_FLUSH);
        if (did == Z_STREAM_END)
            u->state = BETWEEN;
        else if (did == Z_BUF_ERROR)
            return 0; /* it wants more */
        else if (did != Z_OK)
            return did == Z_MEM_ERROR ? RN_ENOMEM : fail(ex, "is damaged");
    }
    return 0;
}

/* All of it has come. */
static int end(struct rn_http_exchange *ex)
{
    return ex->unpacker->state == WITHIN ? fail(ex, "ends early") : 0;
}

static int need_unpacker(struct rn_http_exchange *ex)
{
    if (!ex->unpacker)
        ex->unpacker = make(ex->packing == RN__HTTP_GZIP);
    return ex->unpacker ? 0 : RN_ENOMEM;
}

/* ---- a whole body ------------------------------------------------------------------------------------ */

/* Room for more in `to`, but one byte beyond the limit, by which it is seen to be passed. */
static int widen(struct rn_http_exchange *ex, struct rn__http_bytes *to)
{
    size_t most = ex->max_body < SIZE_MAX - 2 ? ex->max_body + 2 : SIZE_MAX; /* with the zero behind it */
    size_t room = to->room ? 2 * to->room : 4 * ex->body.used + 64;
    if (to->used > ex->max_body)
        return RN_ETOOBIG;
    room = room < most ? room : most;
    char *at = room > to->room ? rn__realloc(to->at, room) : NULL;
    if (!at)
        return RN_ENOMEM;
    to->at = at;
    to->room = room;
    return 0;
}

static int unpack_into(struct rn_http_exchange *ex, struct rn__http_bytes *to)
{
    z_stream *z = &ex->unpacker->z;
    size_t left = ex->body.used;
    const char *from = ex->body.at;
    int err = 0;
    do {
        if (to->room - to->used < 2 && (err = widen(ex, to)) != 0)
            return err;
        size_t room = to->room - to->used - 1, piece = left < 1 << 30 ? left : 1 << 30;
        room = room < 1 << 30 ? room : 1 << 30;
        z->next_in = (unsigned char *)(uintptr_t)from;
        z->avail_in = (unsigned)piece;
        z->next_out = (unsigned char *)to->at + to->used;
        z->avail_out = (unsigned)room;
        err = unpack(ex);
        from += piece - z->avail_in;
        left -= piece - z->avail_in;
        to->used += room - z->avail_out;
    } while (!err && (left || !z->avail_out));
    if (!err && to->used > ex->max_body)
        err = RN_ETOOBIG;
    return err ? err : end(ex);
}

int rn__http_unpack_all(struct rn_http_exchange *ex)
{
    struct rn__http_bytes to = {0};
    if (ex->packing == RN__HTTP_PLAIN || !ex->body.used)
        return 0;
    int err = need_unpacker(ex);
    if (!err)
        err = unpack_into(ex, &to);
    if (err) {
        rn__free(to.at);
        return err;
    }
    to.at[to.used] = 0;
    rn__free(ex->body.at);
    ex->body = to;
    return 0;
}

/* ---- a streamed one ---------------------------------------------------------------------------------- */

ssize_t rn__http_unpack_some(struct rn_http_exchange *ex, rn__http_take *take, void *buf, size_t n)
{
    int err = need_unpacker(ex);
    if (err)
        return err;
    struct rn__http_unpacker *u = ex->unpacker;
    size_t most = n < 1 << 30 ? n : 1 << 30;
    u->z.next_out = buf;
    u->z.avail_out = (unsigned)most;
    while ((err = unpack(ex)) == 0 && u->z.avail_out == most) {
        ssize_t got = take(ex, u->in, sizeof u->in);
        if (got <= 0)
            return got ? got : end(ex);
        u->z.next_in = (unsigned char *)u->in;
        u->z.avail_in = (unsigned)got;
    }
    if (err)
        return err;
    return (ssize_t)(most - u->z.avail_out);
}
