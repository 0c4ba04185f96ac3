/* The test runner itself, as far as it can be seen from within: what must fail is tried by
 * tests/command/test.sh. */
#include <runnel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TEST_PLAIN(checks_that_hold_report_nothing)
{
    int x = 3;
    CHECK(x == 3);
    CHECK_EQ(x, 3);
    CHECK_EQ(&x, &x);
    CHECK_STR("abc", "abc");
    CHECK_STR(NULL, NULL);
    REQUIRE(x == 3);
}

TEST_PLAIN(output_of_a_passing_test_is_not_shown)
{
    puts("ok 77 - this line is no result");
    fprintf(stderr, "not ok 78\n");
}

TEST_PLAIN_DIES(exit_status_is_compared, 3, "last words")
{
    fprintf(stderr, "these are my last words\n");
    exit(3);
}

TEST_PLAIN_DIES(signals_count_from_128, 128 + 6, "")
{
    abort();
}

TEST_PLAIN(the_seed_is_the_same_all_through)
{
    CHECK_EQ(test_seed(), test_seed());
}

TEST_PLAIN(a_grandchild_does_not_hold_the_run_up)
{
    if (fork() == 0) {
        sleep(600);
        _exit(0);
    }
}

TEST_PLAIN(skipping_is_not_failing)
{
    rn_test_skip("shown as such");
}

TEST_DIES(nor_where_an_end_is_expected, 2, "words that it does not say")
{
    rn_test_skip("shown as such");
}

/* As mutex_lock and its like are, in a program that includes runnel.h. */
#define named_like_a_macro rn_what_it_stands_for
#define AS_TEXT(x) AS_TEXT_(x)
#define AS_TEXT_(x) #x

TEST(named_like_a_macro)
{
    CHECK_STR("rn_what_it_stands_for", AS_TEXT(named_like_a_macro));
}
