/* Completion for bash, from the list of commands and the option table. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"

#include <stdio.h>
#include <string.h>

static const char beginning[] =
    "# bash completion of speft-cl, written by speft-cl help --completion\n"
    "_speft_cl()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words= flags= valued=\n";

/* What stands before the word. */
static const char line[] = "    case \" ${COMP_WORDS[*]:1:COMP_CWORD - 1} \" in\n";

/* A flag that takes an argument is followed by one: an option's name after --set, else a file, which bash completes by itself. */
static const char ending[] =
    "    esac\n"
    "    case \" $valued \" in\n"
    "    *\" $before \"*) [ \"$before\" = --set ] && words=$options && compopt -o nospace ;;\n"
    "    *) case $word in -*) words=$flags ;; esac ;;\n"
    "    esac\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
    "}\n"
    "complete -o default -F _speft_cl speft-cl\n";

static int write_flags(struct sp_buf *out, const struct sp_flag *flags, bool valued)
{
    for (; flags && flags->name; flags++)
        if (!valued || flags->argument)
            SP_TRY(sp_buf_printf(out, " --%s", flags->name));
    return 0;
}

/* Whether a command before list[i] begins with the same word. */
static bool is_said(const struct sp_command *const *list, size_t i)
{
    size_t length = strcspn(list[i]->name, " ");

    for (size_t k = 0; k < i; k++)
        if (strcspn(list[k]->name, " ") == length && strncmp(list[k]->name, list[i]->name, length) == 0)
            return true;
    return false;
}

/* Before a command's name is whole: the words that come next, after its first word or none. */
static int write_names(struct sp_buf *out, const struct sp_command *const *list, const char *group)
{
    for (size_t i = 0; list[i]; i++) {
        const char *name = list[i]->name, *blank = strchr(name, ' ');

        if (group && sp_command_is_in(list[i], group))
            SP_TRY(sp_buf_printf(out, " %s", blank + 1));
        else if (!group && !is_said(list, i))
            SP_TRY(sp_buf_printf(out, " %.*s", (int)strcspn(name, " "), name));
    }
    return 0;
}

static int write_options(struct sp_buf *out)
{
    const struct sp_option_table *table = sp_config_options();

    SP_TRY(sp_buf_puts(out, "    local options='"));
    for (size_t i = 0; i < sp_option_count(table); i++)
        SP_TRY(sp_buf_printf(out, "%s%s=", i ? " " : "", sp_option_at(table, i)->key));
    return sp_buf_puts(out, "'\n");
}

static int write_command(struct sp_buf *out, const struct sp_command *command)
{
    SP_TRY(sp_buf_printf(out, "    ' %s '*) flags='", command->name));
    SP_TRY(write_flags(out, command->flags, false));
    SP_TRY(write_flags(out, sp_flags_common, false));
    SP_TRY(sp_buf_puts(out, "' valued='"));
    SP_TRY(write_flags(out, command->flags, true));
    return sp_buf_puts(out, "' ;;\n");
}

int sp_completion_write(struct sp_buf *out, const struct sp_command *const *list)
{
    SP_TRY(sp_buf_puts(out, beginning));
    SP_TRY(write_options(out));
    SP_TRY(sp_buf_puts(out, line));
    for (int subcommands = 1; subcommands >= 0; subcommands--) /* first, as "tune run" begins with "tune", too */
        for (size_t i = 0; list[i]; i++)
            if ((strchr(list[i]->name, ' ') != NULL) == subcommands)
                SP_TRY(write_command(out, list[i]));
    SP_TRY(sp_buf_puts(out, "    esac\n"));
    SP_TRY(sp_buf_puts(out, line));
    SP_TRY(sp_buf_puts(out, "    '  ' | ' help ') words='"));
    SP_TRY(write_names(out, list, NULL));
    SP_TRY(sp_buf_puts(out, "' ;;\n"));
    for (size_t i = 0; list[i]; i++) { /* once for each subcommand: bash takes the first of the same lines */
        const char *blank = strchr(list[i]->name, ' ');
        char group[SP_COMMAND_WORD];

        if (!blank)
            continue;
        snprintf(group, sizeof group, "%.*s", (int)(blank - list[i]->name), list[i]->name);
        SP_TRY(sp_buf_printf(out, "    ' %s ') words='", group));
        SP_TRY(write_names(out, list, group));
        SP_TRY(sp_buf_puts(out, "' ;;\n"));
    }
    return sp_buf_puts(out, ending);
}
