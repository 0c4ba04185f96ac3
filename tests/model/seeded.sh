#!/bin/sh
# Seeded bugs: steps of the real protocols left out, or a check moved before the store that it must follow.  Each is a sed
# script for one source; the model test that is named must fail with it, and would have lost its teeth otherwise.  Orders
# that are too weak are the mutants of the model tests themselves (MODEL_MUTANT).
. "$(dirname "$0")/../tap.sh"
cd "$RUNNEL_ROOT" || exit 1
flags="-std=gnu11 -O1 -DRN_MODEL=1 -w -I$tap_dir/seeded -Itests/model -Itests/model/engine -Isrc -Iinclude"

engine() {
    # shellcheck disable=SC2086 # a list of words
    for file in tests/model/engine/*.c; do
        cc $flags -O2 -c "$file" -o "$tap_dir/$(basename "$file").o" || return 1
    done
}

# MODEL TEST FILE SED: the test finds it.
found() {
    rm -rf "$tap_dir/seeded"
    mkdir -p "$tap_dir/seeded/$(dirname "$3")"
    sed "$4" "src/$3" >"$tap_dir/seeded/$3" || return 1
    if cmp -s "src/$3" "$tap_dir/seeded/$3"; then
        echo "src/$3 has no such line any more: seed the bug anew"
        return 1
    fi
    # shellcheck disable=SC2086 # a list of words
    cc $flags -fsanitize=thread -c "tests/model/$1.c" -o "$tap_dir/model.o" || return 1
    cc "$tap_dir/model.o" "$tap_dir"/*.c.o -o "$tap_dir/model" || return 1
    "$tap_dir/model" "$2" >"$tap_dir/out" 2>&1
    grep -m1 '^ok 1 ' "$tap_dir/out" && return 1
    grep -q '^not ok 1 ' "$tap_dir/out"
}

seeded() {
    name=$1
    shift
    check "$name" found "$@"
}

check "the engine compiles" engine

seeded "own: the worker looks before it is inside" own one_inside sched/own.h '
    s/rn_store_relaxed(&o->inside, 1);/bool free = rn_load_acquire(\&o->revoke) == 0; &/
    s/return rn_load_acquire(&o->revoke) == 0;/return free;/'
seeded "own: the taker does not look again" own one_inside sched/own.h \
    's/if (rn_load_acquire(&o->inside) == 0)/if (true)/'
seeded "own: the taker does not say so" own one_inside sched/own.h \
    's/^    rn_store_relaxed(&o->revoke, 1);$/;/'

# Some need a watcher that sees nothing: it finds what they leave behind, if later.
no_watcher='s/watches && rn__watch_look(m)/watches \&\& rn__watch_look(m) \&\& false/'
seeded "idle: no last look for work" idle work_for_an_idle_worker sched/idle.c \
    "$no_watcher; "'s/if (wake_up(m, rn__work_somewhere(NULL), false))/if (wake_up(m, false, false))/'
seeded "idle: nobody is woken" idle work_for_an_idle_worker sched/idle.c \
    's/^    worker_notify(m, polling);$/(void)polling;/'
seeded "idle: who hands a processor off does not look again" idle work_beside_a_hand_off sched/idle.c \
    '/^void rn__hand_off/,/^}/s/rn__wake_idle();/;/'
seeded "queue: who is found without a processor does not show in the global queue's length" idle found_without_a_processor \
    sched/queue.c '/^void rn__push_front/,/^}/s/more_global_locked(n);/;/'
seeded "queue: a processor looks there only when its share has run" idle who_is_found_goes_first sched/queue.c \
    's/return pop_front(p);/return NULL;/'
seeded "pace: who was kept is hidden from the last look" idle kept_before_the_last_look sched/idle.c \
    "$no_watcher; "'s/return rn_runq_length(&p->runq) != 0 ||/return (!rn_load_relaxed(\&p->brief) \&\& rn_runq_length(\&p->runq) != 0) ||/'
seeded "pace: it stays brief after a slow look" idle brief_by_its_looks sched/pace.c 's/^            p->calm = 0;$/;/'
seeded "pace: it keeps as many as there are" idle brief_by_its_looks sched/pace.c 's/<= BURST && /<= INT64_MAX \&\& /'
seeded "crowd: it asks before it counts itself" idle one_is_left sched/crowd.c \
    's/rn_add_relaxed(&s->aside_n, 1) + rn_load/rn_load_relaxed(\&s->aside_n) + rn_load/
    s/&last, now))$/\&last, now) \&\& rn_add_relaxed(\&s->aside_n, 1) != UINT32_MAX)/
    s/^    rn_sub_relaxed(&s->aside_n, 1);$/;/'
seeded "crowd: nobody is told of what it leaves" idle left_to_an_idle_worker sched/crowd.c 's/^    rn__wake_idle();$/;/'
seeded "missed: the monitor lets a processor be brief that does not get on" idle left_alone_too_long sched/missed.c \
    '/^static bool look_at_the_brief/,/^}/s/rn_store_relaxed(&p->brief, false);/;/'
seeded "missed: nobody is woken for those who were kept" idle left_alone_too_long_while_spinning sched/missed.c \
    '/^static void wake_for_missed_work/,/^}/s/rn__wake_idle();/;/'
seeded "timers: the poller is not told of an earlier deadline" timers new_timer_is_not_slept_through sched/timers.c \
    's/when < rn_load_relaxed(&rn__sched.poll_until)/false/'
seeded "timers: stop does not look again under the lock" timers stop_beside_fire sched/timers.c \
    's/if (rn_load_relaxed(&t->p) == p) .*/if (true)/'

seeded "crew: who is pinned queues for a processor and tells nobody" crew pinned_call_ends_beside_one_that_falls_idle sched/park.c \
    '/^static struct rn_m \*enter_without/,/^}/s/rn__wake_idle();/;/'
seeded "crew: a pinned goroutine is resumed where it was found" crew pinned_yields sched/loop.c \
    's/if (g->pinned && g->pinned != m) {/if (false) {/'
seeded "crew: whose goroutine is pinned is not woken" crew pinned_yields sched/idle.c \
    '/^void rn__give_pinned/,/^}/s/worker_notify(m, false);/;/'
seeded "crew: without a thread nobody looks for who is pinned" crew no_thread_but_the_pinned sched/start.c \
    's/struct rn_g \*pinned = rn__pop_pinned();/struct rn_g *pinned = NULL;/'
seeded "crew: nobody asks for a worker" crew worker_is_wanted sched/start.c \
    's/^    rn_store_release(&s->worker_wanted, 1);/;/'
seeded "crew: the monitor falls asleep without another look whether a worker is wanted" crew worker_is_wanted sched/monitor.c \
    's/ && !rn_load_relaxed(&s->worker_wanted);/;/'
seeded "crew: without a thread a processor keeps what it has" crew worker_is_wanted sched/start.c \
    's/^        rn__push_global(g, g, 1);$/;/'
seeded "crew: a processor out of use keeps what it has" crew fewer sched/idle.c \
    '/^void rn__retire_p/,/^}/s/rn__give_all(p);/;/'
seeded "crew: nobody is woken for more processors" crew more_by_a_thread sched/start.c \
    '/^static void use_procs/,/^}/s/rn__wake_idle();/;/'
seeded "crew: a thread changes their number beside the end" crew more_beside_the_end sched/start.c \
    's/if (outside && !rn_gate_enter(&rn__gate))/if (false)/'

seeded "hibernate: the putter does not look at on_cpu" hibernate resume sched/hibernate.h \
    's/rn_load_[a-z]*(&g->on_cpu)/0/'
seeded "hibernate: the resumer looks before the fence" hibernate resume sched/hibernate.h '
    s/^static inline bool rn_hib_must_wake(struct rn_g \*g)$/&\n{ bool away = rn_load_relaxed(\&g->hib) != RN_HIB_AWAKE;/
    s/^    return rn_load_relaxed(&g->hib) != RN_HIB_AWAKE; .*/return away; }/'

seeded "readers: the reader looks before it is counted" readers writer_beside_reader sync/readers.h '
    s/^    rn__tally_up(t, \*k);$/uintptr_t open = rn_load_acquire(\&rn__readers_places[*k].rn_open); &/
    s/rn_load_acquire(&rn__readers_places\[\*k\].rn_open) != rn__readers_name(m), 0/open != rn__readers_name(m), 0/'
seeded "readers: a row's ups are read before its downs" readers writer_beside_who_reads_twice sched/tally.c '
    s/^        uint32_t downs = /        uint32_t ups = rn_load_acquire(\&t->n[k].rn_ups); &/
    s/rn_load_relaxed(&t->n\[k\].rn_ups) - downs/ups - downs/'
seeded "readers: who leaves does not look for a writer" readers writer_beside_reader sync/readers.h \
    's/rn_load_relaxed(&rn__readers_places\[k\].rn_awaited) != 0/false/'
seeded "readers: a writer does not count after its fence" readers writer_beside_reader sync/rwmutex.c \
    's/bool gone = rn__readers_are_gone_locked(r);/bool gone = true;/'
seeded "readers: the place stays open" readers writer_beside_reader sync/readers.c \
    '/^bool rn__readers_close_locked/,/^}/s/rn_store_relaxed(&rn__readers_place(r)->rn_open, 0);/;/'
seeded "readers: a place is taken without a fence" readers place_is_taken_beside_both sync/readers.c \
    '/^static void close_and_fence_locked/,/^}/s/rn_os_fence_heavy();/;/'
seeded "ctx_readers: who gives up leaves the readers behind it" ctx_readers reader_behind_writer_that_gives_up sync/rwmutex.c \
    '/^static void abandon_locked/,/^}/s/uint32_t n = readers_pop_all(m, wake, true);/uint32_t n = 0;/'
seeded "ctx_readers: who gives up stays in the queue" ctx_readers writer_gives_up sync/rwmutex.c \
    '/^static void abandon_locked/,/^}/s/rn__waitq_remove(queue_of(m), w);/;/'

seeded "deque: the owner looks before it takes" deque pop_beside_steals sched/deque.h '
    s/^    rn_store_release(&q->tail, --tail);$/uint32_t seen = rn_load_relaxed(\&q->head); &/
    s/^    uint32_t head = rn_load_relaxed(&q->head);$/uint32_t head = seen;/'
seeded "mutex: the woken waiter's bit stays" mutex mutex_three sync/mutex.c 's/v.woken = true;/v.woken = false;/'
seeded "mutex: the owner's late store is overlooked" mutex mutex_owned sync/mutex.c \
    's/if (rn_cas_relaxed(&m->rn_state, &s, plain))$/rn_store_relaxed(\&m->rn_state, plain);/'
seeded "mutex: it is taken from its owner at once" mutex mutex_owned sync/mutex.c 's/if (!is_own(s)) {/if (false) {/'
seeded "once: done before the waiters are taken" once runs_once sync/once.c \
    's/rn__waitq_pop_all(&o->rn_queue, &wake);/;/'
seeded "semaphore: who gives up lets nobody in" semaphore front_gives_up sync/semaphore.c \
    's/^        let_in_locked(s, &wake);$/;/'
seeded "waitgroup: the waiters stay" waitgroup two_wait sync/waitgroup.c \
    's/rn__waitq_pop_all(&wg->rn_queue, &wake);/;/'
seeded "chan: the owner's late store is overlooked" chan owned_sends chan/lock.c \
    's/ours = rn_cas_relaxed(&c->lock.held, &s, RN_CHAN_HELD);/rn_store_relaxed(\&c->lock.held, RN_CHAN_HELD); ours = true;/'
seeded "chan: it is taken from its owner at once" chan owned_sends chan/lock.c 's/^        rn__solo_fence();$/;/'
seeded "chan: two take it from its owner at once" chan owned_two_others chan/lock.c '
    s/^    rn_lock_take(&taking, RN_RANK_OWNER);$/;/
    s/^    rn_lock_release(&taking);$/;/'
seeded "select: default without a second look" chan default_is_exact_either_way chan/select.c \
    's/!rn__chan_unchanged(cases\[i\].chan, changes\[i\])/false/'
seeded "select: a channel that is locked counts as looked at" chan default_is_exact_either_way chan/select.c 's/!v.ready \&\& v.quiet/!v.ready/'
seeded "select: who parks does not look who was there since" chan select_leaves_no_trace chan/select.c \
    's/!rn__chan_unchanged(cases\[i\].chan, changes\[i\] + 1)/false/'
seeded "select: who parks takes a channel that was locked for untouched" chan select_leaves_no_trace chan/select.c \
    's/v->ready || !v->quiet/v->ready/'
seeded "fd: nobody is called to a turn that is free" fd readers_take_turns net/fd.c 's/!rn_list_empty(&s->turn), 0)/false, 0)/'
seeded "fd: who is called does not say that it has come" fd turns_are_taken_again net/fd.c 's/^        s->called = false;$/;/'
seeded "http client: an order for an exchange that is over" http_drive an_order_at_the_last_moment http/client_drive.c \
    's/if (ex->news & RN_HTTP_DONE)/if (false)/'
finish
