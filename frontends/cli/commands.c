/* The list of command.def. */
#include "frontends/cli/command.h"

#define SP_COMMAND(name) extern const struct sp_command sp_command_##name;
#include "frontends/cli/command.def"
#undef SP_COMMAND

const struct sp_command *const sp_commands[] = {
#define SP_COMMAND(name) &sp_command_##name,
#include "frontends/cli/command.def"
#undef SP_COMMAND
    NULL,
};
