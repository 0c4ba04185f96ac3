/* The library's functions, and those of libc that matter: what they do to which argument. */
#include "vet.h"
#include <stdlib.h>
#include <string.h>

/* Sorted by name.  Those that wait for a goroutine's word or end are joins too: a function that has
 * called one is taken to know that its goroutines have come to an end. */
static const struct known table[] = {
    {"_Exit", OP_STOP, 0, 0},
    {"_exit", OP_STOP, 0, 0},
    {"abort", OP_STOP, 0, 0},
    {"accept", OP_BLOCK, 0, BLOCKS},
    {"clock_nanosleep", OP_SLEEP, 2, BLOCKS},
    {"exit", OP_STOP, 0, 0},
    {"getaddrinfo", OP_BLOCK, 0, BLOCKS},
    {"nanosleep", OP_SLEEP, 0, BLOCKS},
    {"poll", OP_BLOCK, 0, BLOCKS},
    {"pthread_join", OP_JOIN, 0, BLOCKS | JOINS},
    {"rn__chan_make", OP_CHAN_MAKE, 0, 0},
    {"rn__ctx_done", OP_CTX_USE, 0, 0},
    {"rn__select", OP_SELECT, 0, BLOCKS | JOINS},
    {"rn__timer_chan", OP_HARMLESS, 0, 0},
    {"rn__vet_next", OP_NEXT, 0, BLOCKS | JOINS},
    {"rn__vet_on_default", OP_HARMLESS, 0, 0},
    {"rn__vet_on_done", OP_CTX_USE, 0, 0},
    {"rn__vet_on_recv", OP_ON_RECV, 0, 0},
    {"rn__vet_on_send", OP_ON_SEND, 0, 0},
    {"rn__vet_on_timeout", OP_HARMLESS, 0, 0},
    {"rn__vet_once", OP_HARMLESS, 0, 0},
    {"rn__vet_recv", OP_RECV, 0, BLOCKS | JOINS},
    {"rn__vet_recv_ctx", OP_RECV, 1, BLOCKS | JOINS | WITH_CTX},
    {"rn__vet_scope_begin", OP_SCOPE_BEGIN, 0, 0},
    {"rn__vet_select", OP_SELECT, 0, BLOCKS | JOINS},
    {"rn__vet_send", OP_SEND, 0, BLOCKS},
    {"rn__vet_send_ctx", OP_SEND, 1, BLOCKS | WITH_CTX},
    {"rn__vet_try_recv", OP_TRY_RECV, 0, 0},
    {"rn__vet_try_send", OP_TRY_SEND, 0, 0},
    {"rn_chan_cap", OP_CHAN_OTHER, 0, 0},
    {"rn_chan_close", OP_CLOSE, 0, 0},
    {"rn_chan_free", OP_CHAN_OTHER, 0, 0},
    {"rn_chan_len", OP_CHAN_OTHER, 0, 0},
    {"rn_cond_broadcast", OP_HARMLESS, 0, 0},
    {"rn_cond_destroy", OP_HARMLESS, 0, 0},
    {"rn_cond_signal", OP_HARMLESS, 0, 0},
    {"rn_cond_wait", OP_COND_WAIT, 1, BLOCKS | JOINS},
    {"rn_cond_wait_ctx", OP_COND_WAIT, 2, BLOCKS | JOINS | WITH_CTX},
    {"rn_ctx_after_stop", OP_JOIN, 0, 0},
    {"rn_ctx_cancel", OP_CTX_END, 0, 0},
    {"rn_ctx_cancel_cause", OP_CTX_USE, 0, 0},
    {"rn_ctx_cause", OP_CTX_USE, 0, 0},
    {"rn_ctx_deadline", OP_CTX_USE, 0, 0},
    {"rn_ctx_err", OP_CTX_USE, 0, 0},
    {"rn_ctx_release", OP_CTX_END, 0, 0},
    {"rn_ctx_retain", OP_CTX_USE, 0, 0},
    {"rn_ctx_value", OP_CTX_USE, 0, 0},
    {"rn_ctx_wait", OP_BLOCK, 0, BLOCKS | WITH_CTX},
    {"rn_ctx_with_cancel", OP_CTX_MAKE, 0, 0},
    {"rn_ctx_with_deadline", OP_CTX_MAKE, 0, 0},
    {"rn_ctx_with_deadline_cause", OP_CTX_MAKE, 0, 0},
    {"rn_ctx_with_timeout", OP_CTX_MAKE, 0, 0},
    {"rn_ctx_with_timeout_cause", OP_CTX_MAKE, 0, 0},
    {"rn_ctx_with_value", OP_CTX_MAKE, 0, 0},
    {"rn_ctx_without_cancel", OP_CTX_MAKE, 0, 0},
    {"rn_exit_goroutine", OP_STOP, 0, 0},
    {"rn_fatal", OP_STOP, 0, 0},
    {"rn_fd_wait", OP_BLOCK, 0, BLOCKS},
    {"rn_flight_do", OP_BLOCK, 0, BLOCKS},
    {"rn_flight_do_ctx", OP_BLOCK, 0, BLOCKS | WITH_CTX},
    {"rn_group_wait", OP_WG_WAIT, 0, BLOCKS | JOINS},
    {"rn_group_wait_ctx", OP_WG_WAIT, 1, BLOCKS | JOINS | WITH_CTX},
    {"rn_mutex_destroy", OP_HARMLESS, 0, 0},
    {"rn_mutex_lock", OP_LOCK, 0, 0},
    {"rn_mutex_lock_ctx", OP_LOCK_CTX, 1, 0},
    {"rn_mutex_try_lock", OP_TRYLOCK, 0, 0},
    {"rn_mutex_unlock", OP_UNLOCK, 0, 0},
    {"rn_panic", OP_STOP, 0, 0},
    {"rn_panic_value", OP_STOP, 0, 0},
    {"rn_rwmutex_destroy", OP_HARMLESS, 0, 0},
    {"rn_rwmutex_lock", OP_LOCK, 0, 0},
    {"rn_rwmutex_lock_ctx", OP_LOCK_CTX, 1, 0},
    {"rn_rwmutex_rlock", OP_RLOCK, 0, 0},
    {"rn_rwmutex_rlock_ctx", OP_RLOCK_CTX, 1, 0},
    {"rn_rwmutex_runlock", OP_RUNLOCK, 0, 0},
    {"rn_rwmutex_try_lock", OP_TRYLOCK, 0, 0},
    {"rn_rwmutex_try_rlock", OP_TRYRLOCK, 0, 0},
    {"rn_rwmutex_unlock", OP_UNLOCK, 0, 0},
    {"rn_scope_cancel", OP_HARMLESS, 0, 0},
    {"rn_scope_context", OP_HARMLESS, 0, 0},
    {"rn_scope_end", OP_JOIN, 0, BLOCKS | JOINS},
    {"rn_scope_limit", OP_HARMLESS, 0, 0},
    {"rn_sem_acquire", OP_JOIN, 1, BLOCKS | JOINS},
    {"rn_sem_release", OP_HARMLESS, 0, 0},
    {"rn_sem_try_acquire", OP_HARMLESS, 0, 0},
    {"rn_sleep", OP_SLEEP, 0, BLOCKS},
    {"rn_sleep_ctx", OP_SLEEP, 1, BLOCKS | WITH_CTX},
    {"rn_ticker_stop", OP_HARMLESS, 0, 0},
    {"rn_timer_destroy", OP_JOIN, 0, JOINS},
    {"rn_timer_free", OP_JOIN, 0, JOINS},
    {"rn_timer_stop", OP_JOIN, 0, JOINS},
    {"rn_wg_add", OP_WG_ADD, 0, 0},
    {"rn_wg_destroy", OP_HARMLESS, 0, 0},
    {"rn_wg_done", OP_WG_DONE, 0, 0},
    {"rn_wg_wait", OP_WG_WAIT, 0, BLOCKS | JOINS},
    {"rn_wg_wait_ctx", OP_WG_WAIT, 1, BLOCKS | JOINS | WITH_CTX},
    {"rn_yield", OP_HARMLESS, 0, 0},
    {"select", OP_BLOCK, 0, BLOCKS},
    {"sleep", OP_SLEEP, 0, BLOCKS},
    {"thrd_sleep", OP_SLEEP, 0, BLOCKS},
    {"usleep", OP_SLEEP, 0, BLOCKS},
    {"waitpid", OP_BLOCK, 0, BLOCKS},
};

static int by_name(const void *name, const void *k)
{
    return strcmp(name, ((const struct known *)k)->name);
}

/* Of the network and HTTP layers: names that begin so wait for the other side. */
static const char *const waiting[] = {
    "rn_net_accept", "rn_net_dial",    "rn_net_read",  "rn_net_write",  "rn_net_sendfile", "rn_net_lookup",
    "rn_http_get",   "rn_http_post",   "rn_http_put",  "rn_http_do",    "rn_http_fetch",   "rn_http_serve",
    "rn_http_head",  "rn_http_delete", "rn_http_read", "rn_http_write", "rn_net_copy",     "rn_reader_copy",
};

/* poll(…, 0) */
static bool only_looks(const struct node *call)
{
    struct node *timeout = call->n == 3 && strcmp(call->name, "poll") == 0 ? strip(call->child[2]) : NULL;
    return timeout && timeout->kind == K_LITERAL && timeout->value == 0;
}

const struct known *known_call(const struct node *call)
{
    static const struct known network = {"", OP_BLOCK, 0, BLOCKS}, library = {"", OP_HARMLESS, 0, 0};
    const struct known *k = bsearch(call->name, table, sizeof table / sizeof *table, sizeof *table, by_name);
    if (k && !(call->decl && call->decl->body))
        return k->op == OP_BLOCK && only_looks(call) ? &library : k;
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
        if (strncmp(call->name, waiting[i], strlen(waiting[i])) == 0)
            return &network;
    if (strncmp(call->name, "rn_atomic_", 10) == 0)
        return &library;
    return NULL;
}

bool never_waits(const struct node *call)
{
    static const char *const quick[] = {"printf",  "puts",   "putchar", "fputs",  "fputc",  "putc",
                                        "fprintf", "fflush", "free",    "perror", "memset", "strlen"};
    for (size_t i = 0; i < sizeof quick / sizeof *quick; i++)
        if (strcmp(call->name, quick[i]) == 0)
            return true;
    const struct known *k = known_call(call);
    return k && !(k->flags & (BLOCKS | JOINS)) && k->op != OP_JOIN && k->op != OP_STOP && k->op != OP_LOCK &&
           k->op != OP_RLOCK;
}
