#include "frontends/cli/command.h"

#include <stdio.h>

static int run_version(const struct sp_arguments *arguments)
{
    (void)arguments;
    printf("speft-cl %s\n", PACKAGE_VERSION);
    return 0;
}

const struct sp_command sp_command_version = {
    .name = "version",
    .usage = "",
    .summary = "print the version",
    .run = run_version,
};
