// (r) two fibers take turns by a condition; one operation is a round trip.
#include "../../stat.h"
#include <boost/fiber/all.hpp>

static const int TURNS = 500000;
static boost::fibers::mutex mu;
static boost::fibers::condition_variable cond;
static int turn;

static void take_turns(int mine)
{
    std::unique_lock<boost::fibers::mutex> lock(mu);
    for (int i = 0; i < TURNS; i++) {
        while (turn != mine)
            cond.wait(lock);
        turn = 1 - mine;
        cond.notify_one();
    }
}

static void ping_pong()
{
    turn = 0;
    boost::fibers::fiber other(take_turns, 1);
    take_turns(0);
    other.join();
}

int main()
{
    stat_bench("r.cond_pingpong_roundtrip", 11, TURNS, ping_pong);
}
