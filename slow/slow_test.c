#include <runnel.h>
#include <runnel/test.h>
TEST(slow)
{
    rn_sleep(RN_HOUR);
}
