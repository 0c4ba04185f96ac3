/* Rounding modes belong to the goroutine: who starts another hands them on, and no switch mixes them up, whether one parks,
 * yields or ends (src/arch/<cpu>/switch.S). */
#include <runnel.h>
#include <runnel/test.h>

enum { TURNS = 20 };

#if defined(__x86_64__)
enum { NEAREST = 0, DOWN = 0x2400 };

/* Of SSE, and of the x87 unit. */
static unsigned rounding(void)
{
    uint16_t x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (__builtin_ia32_stmxcsr() & 0x6000) | (x87 & 0x0c00);
}

static void round_to(unsigned mode)
{
    uint16_t x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    x87 = (uint16_t)((x87 & ~0x0c00u) | (mode & 0x0c00));
    __asm__ volatile("fldcw %0" : : "m"(x87));
    __builtin_ia32_ldmxcsr((__builtin_ia32_stmxcsr() & ~0x6000u) | (mode & 0x6000));
}
#elif defined(__aarch64__)
enum { NEAREST = 0, DOWN = 0x800000 };

static unsigned rounding(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr & 0xc00000;
}

static void round_to(unsigned mode)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"((fpcr & ~UINT64_C(0xc00000)) | mode));
}
#endif

static void keep(unsigned inherited, unsigned mine)
{
    CHECK_EQ(rounding(), inherited);
    round_to(mine);
    for (int i = 0; i < TURNS; i++) {
        rn_yield();
        CHECK_EQ(rounding(), mine);
    }
}

TEST(stay_over_yields)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    wg_go(&wg, keep, NEAREST, DOWN);
    wg_go(&wg, keep, NEAREST, NEAREST);
    wg_go(&wg, keep, NEAREST, DOWN);
    wg_wait(&wg);
    CHECK_EQ(rounding(), NEAREST);
}

static void end_with(unsigned mode)
{
    round_to(mode);
}

TEST(end_with_the_goroutine)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    for (int i = 0; i < TURNS; i++) {
        wg_go(&wg, end_with, DOWN);
        wg_go(&wg, keep, NEAREST, NEAREST);
        wg_wait(&wg);
        CHECK_EQ(rounding(), NEAREST);
    }
}

static void echo(chan(unsigned) in, chan(unsigned) out)
{
    unsigned mode;
    while (chan_recv_ok(in, &mode)) {
        round_to(mode);
        chan_send(out, mode);
        CHECK_EQ(rounding(), mode);
    }
}

TEST(are_handed_on_by_go_only)
{
    rn_waitgroup wg = RN_WAITGROUP_INIT;
    chan(unsigned) in = chan_make(unsigned, 0);
    chan(unsigned) out = chan_make(unsigned, 0);
    round_to(DOWN);
    wg_go(&wg, keep, DOWN, NEAREST);
    wg_go(&wg, echo, in, out);
    for (int i = 0; i < TURNS; i++) {
        chan_send(in, i % 2 ? DOWN : NEAREST);
        chan_recv(out);
        CHECK_EQ(rounding(), DOWN);
    }
    chan_close(in);
    wg_wait(&wg);
    CHECK_EQ(rounding(), DOWN);
    round_to(NEAREST);
    chan_free(in);
    chan_free(out);
}
