/* What the log says in this process, line after line: said, NULL for nothing since said_clear. */
#ifndef SP_TESTS_SAID_H
#define SP_TESTS_SAID_H

#include "runtime/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char *said;

static void said_listen(enum sp_log_level level, const char *text, void *user)
{
    char *longer = NULL;

    (void)level, (void)user;
    assert_true(asprintf(&longer, "%s%s\n", said ? said : "", text) > 0);
    free(said);
    said = longer;
}

static void said_clear(void)
{
    free(said);
    said = NULL;
}

#endif
