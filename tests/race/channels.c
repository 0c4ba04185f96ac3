/* Which operations on channels order what: docs/design/race.md. */
#include "pairs.h"

static int got;
static bool open;

HANDOVER(buffered_send, chan_send(c1, 1), (void)chan_recv(c1))
HANDOVER(second_of_two_sends, chan_send(c2, 1); chan_send(c2, 2), (void)chan_recv(c2); (void)chan_recv(c2))
HANDOVER(try_send, (void)chan_try_send(c1, 1), (void)chan_recv(c1))
HANDOVER(try_receive, chan_send(c1, 1), (void)chan_try_recv(c1, &got))
HANDOVER(receive_with_ok, chan_send(c1, 1), (void)chan_recv_ok(c1, &got))
HANDOVER(receive_with_context, chan_send(c1, 1), (void)chan_recv_ctx(ctx, c1, &got))
HANDOVER(send_with_context, (void)chan_send_ctx(ctx, c1, 1), (void)chan_recv(c1))
HANDOVER(close_and_receive, chan_close(c0), (void)chan_recv(c0))
HANDOVER(close_and_receive_ok, chan_close(c1), (void)chan_recv_ok(c1, &got))
HANDOVER(close_and_try_receive, chan_close(c0), (void)chan_try_recv(c0, &got))
HANDOVER(close_after_a_value, chan_send(c1, 1); chan_close(c1), while (chan_next(c1, &got)) continue)
HANDOVER(select_receives, chan_send(c1, 1), chan_select(on_recv(c1, &got), on_recv(c0, &got)))
HANDOVER(select_receives_ok, chan_send(c1, 1), chan_select(on_recv_ok(c1, &got, &open), on_recv(c0, &got)))
HANDOVER(select_sends, chan_select(on_send(c1, 1), on_recv(c0, &got)), (void)chan_recv(c1))
HANDOVER(select_with_default, chan_select(on_send(c1, 1), on_default()), chan_select(on_recv(c1, &got), on_default()))
HANDOVER(select_sees_close, chan_close(c0), chan_select(on_recv(c0, &got), on_recv(c1, &got)))
HANDOVER(select_with_nil, chan_send(c1, 1), chan_select(on_recv((chan(int))NULL, &got), on_recv(c1, &got)))
HANDOVER(select_with_timeout, chan_send(c1, 1), chan_select(on_recv(c1, &got), on_timeout(RN_HOUR)))
HANDOVER(select_twice_the_same, chan_send(c1, 1), chan_select(on_recv(c1, &got), on_recv(c1, &got)))

MEETING(unbuffered_send, chan_send(c0, 1), (void)chan_recv(c0))
MEETING(unbuffered_receive, (void)chan_recv(c0), chan_send(c0, 1))
MEETING(unbuffered_try, while (chan_try_send(c0, 1) != 0) rn_yield(), (void)chan_recv(c0))
MEETING(unbuffered_select, chan_select(on_send(c0, 1), on_recv(c1, &got)), (void)chan_recv(c0))
MEETING(unbuffered_select_receives, chan_send(c0, 1), chan_select(on_recv(c0, &got), on_recv(c1, &got)))
MEETING(two_selects, chan_select(on_send(c0, 1), on_recv(c1, &got)), chan_select(on_recv(c0, &got), on_recv(c1, &got)))
MEETING(select_receives_unbuffered, chan_select(on_recv(c0, &got), on_recv(c1, &got)), chan_send(c0, 1))
MEETING(buffered_and_waiting, chan_send(c1, 1), (void)chan_recv(c1))
MEETING(close_and_waiting, chan_close(c0), (void)chan_recv(c0))
MEETING(select_and_waiting, chan_send(c1, 1), chan_select(on_recv(c1, &got), on_recv(c0, &got)))
MEETING(close_and_select_waiting, chan_close(c0), chan_select(on_recv(c0, &got), on_recv(c1, &got)))

/* The kth receive comes before the send k + capacity returns, and before no earlier one. */
CLEAN(room_clean, AWAIT(1); WRITE; (void)chan_recv(c1); STEP(2), chan_send(c1, 1); STEP(1); AWAIT(2); chan_send(c1, 2);
      WRITE)
RACY(room_racy, AWAIT(1); WRITE; (void)chan_recv(c2); STEP(2), chan_send(c2, 1); STEP(1); AWAIT(2); chan_send(c2, 2);
     WRITE)
CLEAN(lock_of_a_channel_clean, chan_send(c1, 1); WRITE; (void)chan_recv(c1), chan_send(c1, 1); WRITE;
      (void)chan_recv(c1))
RACY(lock_of_a_channel_racy, chan_send(c2, 1); WRITE; (void)chan_recv(c2); STEP(1), AWAIT(1); chan_send(c2, 1); WRITE;
     (void)chan_recv(c2))

/* A look is no hand-over. */
RACY(len_orders_nothing, WRITE; chan_send(c1, 1); STEP(1), AWAIT(1); CHECK_EQ(chan_len(c1), 1); WRITE)
CLEAN(len_and_receive, WRITE; chan_send(c1, 1); STEP(1), AWAIT(1); CHECK_EQ(chan_len(c1), 1); (void)chan_recv(c1);
      WRITE)
RACY(cap_orders_nothing, WRITE; CHECK_EQ(chan_cap(c1), 1); STEP(1), AWAIT(1); CHECK_EQ(chan_cap(c1), 1); WRITE)
CLEAN(cap_and_receive, WRITE; chan_send(c1, 1), CHECK_EQ(chan_cap(c1), 1); (void)chan_recv(c1); WRITE)
RACY(a_default_orders_nothing, WRITE; STEP(1), AWAIT(1); chan_select(on_recv(c1, &got), on_default()); WRITE)
CLEAN(a_default_not_taken, WRITE; chan_send(c1, 1); STEP(1), AWAIT(1); chan_select(on_recv(c1, &got), on_default());
      WRITE)
RACY(an_empty_try_orders_nothing, WRITE; STEP(1), AWAIT(1); (void)chan_try_recv(c1, &got); WRITE)
CLEAN(a_try_that_receives, WRITE; chan_send(c1, 1); STEP(1), AWAIT(1); (void)chan_try_recv(c1, &got); WRITE)
RACY(a_timeout_orders_nothing, WRITE; STEP(1), AWAIT(1); chan_select(on_recv(c1, &got), on_timeout(1)); WRITE)
CLEAN(a_timeout_not_reached, WRITE; chan_send(c1, 1), chan_select(on_recv(c1, &got), on_timeout(RN_HOUR)); WRITE)
RACY(another_value_orders_nothing, WRITE; STEP(1), chan_send(c1, 1); AWAIT(1); (void)chan_recv(c1); WRITE)
CLEAN(the_right_value, WRITE; chan_send(c1, 1), chan_send(c2, 1); (void)chan_recv(c1); WRITE)

/* The variables that channels read and write. */
ACCESS(value_sent, READ, chan_send(c2, x = 2))
RACY(receive_writes, chan_send(c2, 1); (void)chan_next(c2, &x); STEP(1), AWAIT(1); WRITE)
CLEAN(receive_writes_clean, chan_send(c2, 1); (void)chan_next(c2, &x); chan_send(c1, 1), (void)chan_recv(c1); WRITE)
RACY(select_writes, chan_send(c2, 1); chan_select(on_recv(c2, &x)); STEP(1), AWAIT(1); WRITE)
CLEAN(select_writes_clean, chan_send(c2, 1); chan_select(on_recv(c2, &x)); chan_send(c1, 1), (void)chan_recv(c1); WRITE)
RACY(select_writes_ok, chan_close(c2); chan_select(on_recv_ok(c2, &got, &open)); STEP(1), AWAIT(1); open = true)
CLEAN(select_writes_ok_clean, chan_close(c2); chan_select(on_recv_ok(c2, &got, &open));
      chan_send(c1, 1), (void)chan_recv(c1); open = true)

/* Misuse that need not show itself this time. */
RACY(send_and_close, chan_send(c2, 1); STEP(1), AWAIT(1); chan_close(c2))
CLEAN(send_then_close, chan_send(c2, 1); chan_send(c1, 1), (void)chan_recv(c1); chan_close(c2))
