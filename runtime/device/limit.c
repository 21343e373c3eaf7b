#include "runtime/device/limit.h"

#include "runtime/base/log.h"

#include <stdlib.h>

enum { SECONDS = 300, SECONDS_MAX = 86400 };

int sp_driver_seconds(void)
{
    const char *text = getenv(SP_DRIVER_VARIABLE);
    char *end;
    long seconds = text ? strtol(text, &end, 10) : SECONDS;

    if (!text || !text[0])
        return SECONDS;
    if (*end || seconds < 0 || seconds > SECONDS_MAX) {
        sp_log_once(SP_LOG_WARNING, SP_DRIVER_VARIABLE " is \"%s\"; it takes seconds, from 0 to %d, and is not used",
                    text, SECONDS_MAX);
        return SECONDS;
    }
    return (int)seconds;
}
