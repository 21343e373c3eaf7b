/* Help on the terminal and the manual page, both from the command list and the option table. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"

#include <stdio.h>
#include <string.h>

#define TEXT_LIMIT ((size_t)1 << 20)

const struct sp_flag sp_flags_common[] = {
    { "quiet", NULL, "no progress and no information, only results, warnings and errors", NULL },
    { "help", NULL, "print the command's help", NULL },
    SP_FLAG_END,
};

static bool has_options(const struct sp_command *command)
{
    for (const struct sp_flag *flag = command->flags; flag && flag->name; flag++)
        if (flag->option && !flag->option[0])
            return true;
    return false;
}

static void print_flags(const struct sp_flag *flags)
{
    for (; flags && flags->name; flags++) {
        int width = printf("  --%s%s%s", flags->name, flags->argument ? " " : "",
                           flags->argument ? flags->argument : "");

        printf("%*s%s\n", width < 24 ? 24 - width : 2, "", flags->help);
    }
}

static int print_options(void)
{
    struct sp_buf text = SP_BUF(TEXT_LIMIT);
    int rc = sp_option_write_help(sp_config_options(), &text);

    if (rc == 0)
        printf("\nOptions of the configuration file (YAML) and of --set. A key with a dot stands\n"
               "in a block: density: under sparse: in the file, sparse.density=VALUE after --set.\n%s",
               text.data);
    sp_buf_free(&text);
    return rc;
}

static bool is_command(const char *name)
{
    const struct sp_command *const *c = sp_commands;

    while (*c && strcmp((*c)->name, name) != 0)
        c++;
    return *c != NULL;
}

/* Of all commands, or of a group's. */
static void print_names(const char *group)
{
    for (const struct sp_command *const *c = sp_commands; *c; c++)
        if (!group || sp_command_is_in(*c, group))
            printf("  %-12s %s\n", (*c)->name, (*c)->summary);
}

static int print_command(const struct sp_command *command)
{
    printf("usage: speft-cl %s %s\n\n%s\n\n", command->name, command->usage, command->summary);
    print_flags(command->flags);
    print_flags(sp_flags_common);
    if (sp_command_is_group(sp_commands, command->name)) {
        printf("\n");
        print_names(command->name);
    }
    if (command->status)
        printf("\nExit status: %s.\n", command->status);
    return has_options(command) ? print_options() : 0;
}

static void print_commands(const char *group)
{
    printf("usage: speft-cl %s%sCOMMAND ...\n\n", group ? group : "", group ? " " : "");
    if (!group)
        printf("Fine-tunes pretrained transformers through a sparse delta, on any OpenCL device.\n\n");
    print_names(group);
    printf("\nspeft-cl COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 usage or\n"
           "configuration, 130 interrupted.\n");
}

int sp_help_print(const struct sp_command *command, const char *group)
{
    if (command)
        return print_command(command);
    print_commands(group);
    return 0;
}

int sp_help_of(char *const *words, size_t count)
{
    const struct sp_command *command = NULL;
    size_t used = 0;

    if (count == 1 && sp_command_is_group(sp_commands, words[0]) && !is_command(words[0]))
        return sp_help_print(NULL, words[0]);
    if (count && !(command = sp_command_find(&used, sp_commands, words, count)))
        return SP_ECONFIG;
    if (used < count)
        return sp_error(SP_ECONFIG, "help has no use for \"%s\": speft-cl help [COMMAND]", words[used]);
    return sp_help_print(command, NULL);
}

/* Text of ours in roff: hyphens that must stay hyphens. */
static int write_roff(struct sp_buf *out, const char *text)
{
    for (; *text; text++)
        SP_TRY(*text == '-' ? sp_buf_puts(out, "\\-") : sp_buf_append(out, text, 1));
    return 0;
}

static int write_flags(struct sp_buf *out, const struct sp_flag *flags)
{
    for (; flags && flags->name; flags++) {
        SP_TRY(sp_buf_puts(out, ".TP\n.B \\-\\-"));
        SP_TRY(write_roff(out, flags->name));
        SP_TRY(sp_buf_printf(out, "%s%s\n", flags->argument ? " " : "",
                             flags->argument ? flags->argument : ""));
        SP_TRY(write_roff(out, flags->help));
        SP_TRY(sp_buf_puts(out, ".\n"));
    }
    return 0;
}

static int write_commands(struct sp_buf *out)
{
    for (size_t i = 0; sp_commands[i]; i++) {
        SP_TRY(sp_buf_printf(out, ".SS %s ", sp_commands[i]->name));
        SP_TRY(write_roff(out, sp_commands[i]->usage));
        SP_TRY(sp_buf_puts(out, "\n"));
        SP_TRY(write_roff(out, sp_commands[i]->summary));
        SP_TRY(sp_buf_puts(out, ".\n"));
        SP_TRY(write_flags(out, sp_commands[i]->flags));
        if (sp_commands[i]->status) {
            SP_TRY(sp_buf_puts(out, ".PP\nExit status: "));
            SP_TRY(write_roff(out, sp_commands[i]->status));
            SP_TRY(sp_buf_puts(out, ".\n"));
        }
    }
    SP_TRY(sp_buf_puts(out, ".SS Every command\nFlags may stand anywhere; \\-\\- ends them.\n"));
    return write_flags(out, sp_flags_common);
}

static const char description[] =
    ".SH SYNOPSIS\n.B speft\\-cl\n.I command\n.RI [ arguments ]\n"
    ".SH DESCRIPTION\n"
    "Trains a sparse delta on the weights of a pretrained model, and a new head, from one YAML\n"
    "file.\n"
    ".SH COMMANDS\n";

static const char configuration[] =
    ".SH CONFIGURATION\n"
    "A YAML file of lines \"key: value\"; a key with a dot stands in a block, as\n"
    ".B density\nin\n.BR sparse: .\n"
    "On the command line\n.B \\-\\-set\nwrites it with the dot and goes before the file.\n"
    "A list is [a, b] or a, b. A number is not quoted. null, or ~, unsets an option without a\n"
    "default; None and its like are refused.\n"
    "Paths are relative to the current directory; an input that is not there is looked for beside\n"
    "the configuration file. An unknown key, a wrong value and options that contradict each other\n"
    "are errors. Anchors, tags and further documents are refused.\n";

static const char studies[] =
    ".SH STUDIES\n"
    "The file of\n.B study\nhas these keys:\n"
    ".TP\n.B base\nOptions of every run: a block, the name of a configuration file, or a list of both.\n"
    ".TP\n.B data\nA block of names; each has options as base has, and may have\n.BR metric ,\nwhat it is judged by.\n"
    ".TP\n.B methods\nLikewise; each may have\n.BR budgets \" and \" learning_rates\nof its own.\n"
    ".TP\n.B budgets\nA block of density, rank_equivalent or count, each with a list of values.\n"
    ".TP\n.BR learning_rates \", \" seeds\nLists.\n"
    ".TP\n.B reference\nThe method that the others are compared with; the first by default.\n"
    ".TP\n.B output_dir\nWhere runs and report go.\n"
    ".PP\n"
    "A run that is done is not done again.\n"
    ".B \\-\\-set\nsets an option of every run;\n"
    ".BR data. \\fINAME\\fP . \\fIKEY\\fP \" or \" methods. \\fINAME\\fP . \\fIKEY\\fP\nthose of one data set or "
    "method;\n"
    ".B data=\\fINAME\\fP,...\nand\n.B methods=\\fINAME\\fP,...\nchoose;\n"
    ".BR seeds= ,\n.B learning_rates=\nand\n.B budgets=\nreplace the lists. doc/study.md says how differences are "
    "judged.\n";

static const char closing[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n"
    ".TP\n.B 1\nFailed.\n"
    ".TP\n.B 2\nA mistake in the command line or the configuration.\n"
    ".TP\n.B 130\nInterrupted; train has saved the adapter as of the last step, if there was one, and a study goes "
    "on with the same command.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B SPEFT_CACHE_DIR\n"
    "The cache folder for models and compiled kernels; otherwise speft\\-cl in\n"
    ".BR $XDG_CACHE_HOME ,\nor in\n.BR ~/.cache .\n"
    "Compiled kernels are only read from a folder that belongs to the user or to root, as all folders above it do, "
    "and that nobody else\n"
    "can write to; any other is left alone, with a word. One that is root\\(aqs serves a whole site:\n"
    "what root compiles with it after\n.B install \\-d \\-m 755\n"
    ".IR DIR /programs\ncan be read by all, and what it lacks each user keeps in the home folder.\n"
    ".TP\n.B POCL_CACHE_DIR\n"
    "PoCL\\(aqs folder for what it compiles. Without it, where PoCL\\(aqs own, in the home folder, cannot be "
    "written or its disk is full, it\n"
    "is set to one in the cache folder or in\n.BR $TMPDIR ,\nor to one for this run alone, with a word.\n"
    ".TP\n.B SPEFT_TUNING_FILE\n"
    "The kernels\\(aq tuned values, instead of the installed ones.\n"
    ".TP\n.B SPEFT_KERNEL_DIR\n"
    "A folder whose files replace the program\\(aqs own kernel sources of the same name, for those who work on "
    "kernels.\n";

static int write_manual(struct sp_buf *out)
{
    SP_TRY(sp_buf_printf(out, ".TH SPEFT\\-CL 1 \"\" \"speft\\-cl %s\" \"User Commands\"\n",
                         PACKAGE_VERSION));
    SP_TRY(sp_buf_puts(out, ".SH NAME\nspeft\\-cl \\- sparse fine\\-tuning of pretrained "
                            "transformers on any OpenCL device\n"));
    SP_TRY(sp_buf_puts(out, description));
    SP_TRY(write_commands(out));
    SP_TRY(sp_buf_puts(out, configuration));
    SP_TRY(sp_option_write_man(sp_config_options(), out));
    SP_TRY(sp_buf_puts(out, studies));
    return sp_buf_puts(out, closing);
}

static int run_help(const struct sp_arguments *arguments)
{
    struct sp_buf text = SP_BUF(TEXT_LIMIT);
    int rc;

    if (sp_argument(arguments, "man") || sp_argument(arguments, "completion")) {
        rc = sp_argument(arguments, "man") ? write_manual(&text) : sp_completion_write(&text, sp_commands);
        if (rc == 0)
            fputs(text.data, stdout);
        sp_buf_free(&text);
        return rc;
    }
    return sp_help_of((char *const *)arguments->positional, arguments->positional_count);
}

static const struct sp_flag flags[] = {
    { "man", NULL, "write the manual page, as roff", NULL },
    { "completion", NULL, "write the completion of these commands for bash", NULL },
    SP_FLAG_END,
};

const struct sp_command sp_command_help = {
    .name = "help",
    .usage = "[COMMAND] [--man] [--completion]",
    .summary = "print the list of commands, or one command's help",
    .flags = flags,
    .optional = 2,
    .run = run_help,
};
