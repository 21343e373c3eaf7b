/* For the device and kernel tests: the device under test, and errors checked by their words. */
#ifndef SP_TESTS_DEVICE_SUPPORT_H
#define SP_TESTS_DEVICE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/error.h"
#include "runtime/device/device.h"

#include <string.h>

#define assert_ok(expression)                                                                      \
    do {                                                                                           \
        if ((expression) < 0)                                                                      \
            fail_msg("%s: %s", #expression, sp_error_message());                                   \
    } while (0)

/* The call fails with `code`, and its message holds `part`. */
#define assert_error(expression, code, part)                                                       \
    do {                                                                                           \
        assert_int_equal(expression, code);                                                        \
        assert_contains(sp_error_message(), part);                                                 \
    } while (0)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (!strstr(text, part))                                                                   \
            fail_msg("\"%s\" does not hold \"%s\"", text, part);                                   \
    } while (0)

/* A group's fixture: *state is the open device. Without one the group fails. */
static inline int open_device(void **state)
{
    int rc = sp_device_open((struct sp_device **)state, NULL);

    if (rc < 0)
        print_error("%s\n", sp_error_message());
    return rc;
}

static inline int close_device(void **state)
{
    sp_device_close(*state);
    return 0;
}

#endif
