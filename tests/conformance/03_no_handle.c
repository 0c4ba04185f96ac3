/* SEMANTICS 3: no goroutine has a handle or an identity that others can kill it by.  The public
 * headers declare none; what is left to show is that go gives nothing back. */
#include <runnel.h>
#include <runnel/test.h>

static int f(void)
{
    return 1;
}

TEST(go_is_a_statement)
{
    CHECK(__builtin_types_compatible_p(__typeof__(go(f)), void));
    CHECK_EQ(f(), 1);
}
