/* The list of command.def. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

#include <string.h>

#define SP_COMMAND(name) extern const struct sp_command sp_command_##name;
#include "frontends/cli/command.def"
#undef SP_COMMAND

const struct sp_command *const sp_commands[] = {
#define SP_COMMAND(name) &sp_command_##name,
#include "frontends/cli/command.def"
#undef SP_COMMAND
};
const size_t sp_command_count = sizeof sp_commands / sizeof sp_commands[0];

const struct sp_command *sp_command_find(const char *name)
{
    const char *names[sizeof sp_commands / sizeof sp_commands[0]], *nearest;

    for (size_t i = 0; i < sp_command_count; i++) {
        names[i] = sp_commands[i]->name;
        if (strcmp(names[i], name) == 0)
            return sp_commands[i];
    }
    nearest = sp_text_nearest(name, names, sp_command_count);
    sp_error(SP_ECONFIG, "there is no command %s%s%s%s (see speft-cl --help)", name,
             nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return NULL;
}
