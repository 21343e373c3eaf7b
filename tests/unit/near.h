/* Doubles compared: cmocka 1.1.5 has only floats. */
#ifndef SP_TESTS_NEAR_H
#define SP_TESTS_NEAR_H

#include <math.h>

/* |got - expected| <= tolerance; a NaN fails. */
#define assert_near(got, expected, tolerance)                                                      \
    do {                                                                                           \
        double near_got = (got), near_expected = (expected);                                       \
        if (!(fabs(near_got - near_expected) <= (tolerance)))                                      \
            fail_msg("%s: got %.12g, expected %.12g", #got, near_got, near_expected);              \
    } while (0)

#endif
