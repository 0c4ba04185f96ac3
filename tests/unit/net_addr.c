/* Addresses and their text. */
#include <runnel.h>
#include <runnel/net.h>
#include <runnel/test.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* What is read and written again. */
static void same(const char *text, const char *expected)
{
    rn_addr a;
    char out[RN_ADDR_TEXT];
    if (addr_parse(text, &a) != 0)
        FAIL("%s is not understood", text);
    else
        CHECK_STR(addr_format(&a, out), expected);
}

TEST_PLAIN(addresses_are_read_and_written)
{
    same("192.0.2.1:80", "192.0.2.1:80");
    same("192.0.2.1", "192.0.2.1:0");
    same("255.255.255.255:65535", "255.255.255.255:65535");
    same("[2001:db8::1]:8080", "[2001:db8::1]:8080");
    same("[2001:DB8:0:0::1]:8080", "[2001:db8::1]:8080");
    same("[::]:0", "[::]:0");
    same("::1", "[::1]:0");
    same("[::1]", "[::1]:0");
    same("[::ffff:192.0.2.1]:80", "192.0.2.1:80");
    same("[fe80::1%4000000]:80", "[fe80::1%4000000]:80");
    same("/run/x.sock", "/run/x.sock");
    same("@abstract", "@abstract");
}

TEST_PLAIN(zones_have_names)
{
    char text[64], name[IF_NAMESIZE];
    if (!if_indextoname(1, name))
        rn_test_skip("no interface has the index 1");
    snprintf(text, sizeof text, "[fe80::1%%%s]:80", name);
    same(text, text);
    same("[fe80::1%1]:80", text);
}

TEST_PLAIN(nonsense_is_refused)
{
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "1.2.3:80",
                                      "1.2.3.4.5:80",
                                      "1.2.3.4:",
                                      "1.2.3.4:65536",
                                      "1.2.3.4:-1",
                                      "1.2.3.4:8a",
                                      "1.2.3.4: 80",
                                      "[1.2.3.4]:80",
                                      "[::1",
                                      "::1]:80",
                                      "[::1]80",
                                      "[::1]:",
                                      "[::1]::80",
                                      "[]:80",
                                      "[fe80::1%]:80",
                                      "localhost:80",
                                      "256.1.1.1:80",
                                      "[::g]:80",
                                      "@",
                                      "01.2.3.4.5",
                                      "[fe80::1%no-such-interface]:1",
                                      "1.2.3.4:000080"};
    char long_path[RN_ADDR_PATH + 2];
    rn_addr a = {.port = 7};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (addr_parse(bad[i], &a) != RN_EINVAL)
            FAIL("\"%s\" is understood", bad[i]);
    memset(long_path, 'x', sizeof long_path);
    long_path[0] = '/';
    long_path[RN_ADDR_PATH] = 0;
    CHECK_EQ(addr_parse(long_path, &a), RN_EINVAL);
    CHECK_EQ(a.port, 7); /* untouched */
    long_path[RN_ADDR_PATH - 1] = 0;
    CHECK_EQ(addr_parse(long_path, &a), 0);
}

TEST_PLAIN(equality_ignores_what_is_unused)
{
    rn_addr a, b;
    memset(&a, 0x55, sizeof a);
    CHECK_EQ(addr_parse("192.0.2.1:80", &b), 0);
    a.family = RN_ADDR_IP4;
    a.port = 80;
    memcpy(a.ip, b.ip, 4);
    CHECK(addr_equal(&a, &b));
    a.port = 81;
    CHECK(!addr_equal(&a, &b));
    CHECK_EQ(addr_parse("[::1]:80", &a), 0);
    CHECK(!addr_equal(&a, &b));
    CHECK_EQ(addr_parse("@x", &a), 0);
    CHECK_EQ(addr_parse("@y", &b), 0);
    CHECK(!addr_equal(&a, &b) && addr_equal(&a, &a));
}

TEST_PLAIN(host_and_port_are_split)
{
    char host[RN_ADDR_HOST], port[32];
    CHECK_EQ(addr_split("example.org:http", host, port), 0);
    CHECK_STR(host, "example.org");
    CHECK_STR(port, "http");
    CHECK_EQ(addr_split(":80", host, port), 0);
    CHECK_STR(host, "");
    CHECK_EQ(addr_split("[::1%eth0]:80", host, port), 0);
    CHECK_STR(host, "::1%eth0");
    CHECK_EQ(addr_split("::1:80", host, port), RN_EINVAL);
    CHECK_EQ(addr_split("example.org", host, port), RN_EINVAL);
    CHECK_EQ(addr_split("a[b]:80", host, port), RN_EINVAL);
}
