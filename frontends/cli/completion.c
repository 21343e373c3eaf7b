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

/* A flag that takes an argument is followed by one: an option's name after --set, else a file, which bash completes by
 * itself. */
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

/* Before a command's name is whole: the words that come next, behind `before`. */
static int write_words(struct sp_buf *out, const struct sp_command *const *list, const char *group, const char *before)
{
    char words[SP_COMMAND_WORDS][SP_COMMAND_WORD];
    size_t count = sp_command_words(words, list, group);

    SP_TRY(sp_buf_printf(out, "    %s) words='", before));
    for (size_t i = 0; i < count; i++)
        SP_TRY(sp_buf_printf(out, " %s", words[i]));
    return sp_buf_puts(out, "' ;;\n");
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
    char words[SP_COMMAND_WORDS][SP_COMMAND_WORD];
    size_t count;

    SP_TRY(sp_buf_puts(out, beginning));
    SP_TRY(write_options(out));
    SP_TRY(sp_buf_puts(out, line));
    for (int subcommands = 1; subcommands >= 0; subcommands--) /* first, as "tune run" begins with "tune", too */
        for (size_t i = 0; list[i]; i++)
            if ((strchr(list[i]->name, ' ') != NULL) == subcommands)
                SP_TRY(write_command(out, list[i]));
    SP_TRY(sp_buf_puts(out, "    esac\n"));
    SP_TRY(sp_buf_puts(out, line));
    SP_TRY(write_words(out, list, NULL, "'  ' | ' help '"));
    count = sp_command_words(words, list, NULL);
    for (size_t i = 0; i < count; i++) {
        char before[SP_COMMAND_WORD + 4];

        snprintf(before, sizeof before, "' %s '", words[i]);
        if (sp_command_is_group(list, words[i]))
            SP_TRY(write_words(out, list, words[i], before));
    }
    return sp_buf_puts(out, ending);
}
