/* The text of errors. */
#include <errno.h>
#include <limits.h>
#include <runnel/test.h>

TEST_PLAIN(own_errors_have_words)
{
    CHECK_STR(rn_strerror(RN_OK), "no error");
    CHECK_STR(rn_strerror(RN_ECANCELED), "context canceled");
    CHECK_STR(rn_strerror(RN_ETIMEOUT), "deadline exceeded");
    CHECK_STR(rn_strerror(RN_ECLOSED), "closed");
    for (int e = RN_ECANCELED; e >= RN_ESERVICE; e--)
        CHECK(rn_strerror(e)[0] != 'u'); /* not "unknown error" */
}

TEST_PLAIN(system_errors_have_the_systems_words)
{
    CHECK_STR(rn_strerror(-ENOENT), "No such file or directory");
    CHECK_STR(rn_strerror(-EPIPE), "Broken pipe");
}

TEST_PLAIN(other_numbers_say_so)
{
    static const int unknown[] = {1, ENOENT, INT_MAX, INT_MIN, -4000, -4096, -10000, RN_ESERVICE - 1};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        CHECK_STR(rn_strerror(unknown[i]), "unknown error");
    CHECK(rn_strerror(RN_EEOF) == rn_strerror(RN_EEOF));
}
