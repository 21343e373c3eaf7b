/* Command lines: flags stand anywhere, as --name VALUE or --name=VALUE; -- ends them. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_MAX 64
#define NAME_SIZE 128

static size_t flag_count(const struct sp_command *command)
{
    size_t count = 0;

    while (command->flags && command->flags[count].name)
        count++;
    return count;
}

static size_t flag_index(const struct sp_command *command, const char *name, size_t length)
{
    size_t count = flag_count(command), i = 0;

    while (i < count && (strlen(command->flags[i].name) != length ||
                         strncmp(command->flags[i].name, name, length) != 0))
        i++;
    return i;
}

static bool takes_options(const struct sp_command *command)
{
    for (size_t i = 0; i < flag_count(command); i++)
        if (command->flags[i].option && !command->flags[i].option[0])
            return true;
    return false;
}

/* The command's own flag for an option, or one that is called by the first word of its name (--model); NULL when there
 * is none. */
static const char *flag_for(const struct sp_command *command, const char *option)
{
    const char *found = NULL;

    for (size_t i = 0; i < flag_count(command); i++) {
        const struct sp_flag *flag = &command->flags[i];
        size_t length = strlen(flag->name);

        if (flag->option && strcmp(flag->option, option) == 0)
            return flag->name;
        if (strncmp(option, flag->name, length) == 0 && option[length] == '_')
            found = flag->name;
    }
    return found;
}

static int unknown_flag(const struct sp_command *command, const char *word)
{
    const char *names[FLAGS_MAX] = { "help", "quiet" }, *nearest, *option = NULL;
    char name[NAME_SIZE];
    size_t count = 2;

    snprintf(name, sizeof name, "%s", word + strspn(word, "-"));
    name[strcspn(name, "=")] = '\0';
    for (size_t i = 0; i < flag_count(command) && count < FLAGS_MAX; i++)
        names[count++] = command->flags[i].name;
    nearest = sp_text_nearest(name, names, count);
    if (takes_options(command))
        option = sp_option_meant(sp_config_options(), name, nearest == NULL);
    if (option && flag_for(command, option))
        nearest = flag_for(command, option);
    else if (option)
        return sp_error(SP_ECONFIG, "%s has no flag %s; to set an option of the configuration write --set %s=VALUE",
                        command->name, word, option);
    return sp_error(SP_ECONFIG, "%s has no flag %s%s%s%s (see speft-cl %s --help)", command->name,
                    word, nearest ? "; did you mean --" : "", nearest ? nearest : "",
                    nearest ? "?" : "", command->name);
}

static int add_override(struct sp_arguments *a, const char *option, const char *value)
{
    char *text = option[0] ? sp_asprintf("%s=%s", option, value) : sp_strdup(value);

    if (!text)
        return SP_ENOMEM;
    a->overrides[a->override_count++] = text;
    return 0;
}

/* Takes the flag argv[*i], and its argument when that stands apart. */
static int take_flag(struct sp_arguments *a, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *name = word + 2, *value = strchr(word, '=');
    size_t length = value ? (size_t)(value - name) : strlen(name);
    size_t index = flag_index(a->command, name, length);
    const struct sp_flag *flag;

    if (strcmp(word, "--quiet") == 0) {
        a->quiet = true;
        return 0;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        a->help = true;
        return 0;
    }
    if (word[1] != '-' || index == flag_count(a->command))
        return unknown_flag(a->command, word);
    flag = &a->command->flags[index];
    if (!flag->argument) {
        a->values[index] = "";
        return value ? sp_error(SP_ECONFIG, "--%s takes no argument", flag->name) : 0;
    }
    if (!value && *i + 1 == argc)
        return sp_error(SP_ECONFIG, "--%s needs an argument: --%s %s", flag->name, flag->name,
                        flag->argument);
    value = value ? value + 1 : argv[++*i];
    if (!value[0]) /* an empty variable of a script */
        return sp_error(SP_ECONFIG, "--%s: found an empty text, expected --%s %s", flag->name, flag->name,
                        flag->argument);
    a->values[index] = value;
    return flag->option ? add_override(a, flag->option, value) : 0;
}

int sp_arguments_parse(struct sp_arguments *out, const struct sp_command *command, int argc,
                       char **argv)
{
    size_t most = command->positional + command->optional;
    bool flags = true;

    *out = (struct sp_arguments){ .command = command };
    out->positional = sp_calloc((size_t)argc, sizeof *out->positional);
    out->values = sp_calloc(flag_count(command), sizeof *out->values);
    out->overrides = sp_calloc((size_t)argc, sizeof *out->overrides);
    if (!out->positional || !out->values || !out->overrides)
        return SP_ENOMEM;
    for (int i = 0; i < argc; i++) {
        if (flags && strcmp(argv[i], "--") == 0)
            flags = false;
        else if (flags && argv[i][0] == '-' && argv[i][1])
            SP_TRY(take_flag(out, argc, argv, &i));
        else if (!argv[i][0])
            return sp_error(SP_ECONFIG, "%s: argument %zu is an empty text: speft-cl %s %s", command->name,
                            out->positional_count + 1, command->name, command->usage);
        else
            out->positional[out->positional_count++] = argv[i];
    }
    if (out->help)
        return 0;
    if (out->positional_count < command->positional)
        return sp_error(SP_ECONFIG, "%s needs more arguments: speft-cl %s %s", command->name,
                        command->name, command->usage);
    if (out->positional_count > most && command->optional)
        return sp_error(SP_ECONFIG, "%s takes %zu arguments at most, and there are %zu: speft-cl %s %s", command->name,
                        most, out->positional_count, command->name, command->usage);
    if (out->positional_count > most)
        return sp_error(SP_ECONFIG, "%s has no use for \"%s\": speft-cl %s %s", command->name,
                        out->positional[most], command->name,
                        command->usage);
    return 0;
}

void sp_arguments_release(struct sp_arguments *arguments)
{
    for (size_t i = 0; i < arguments->override_count; i++)
        free(arguments->overrides[i]);
    free(arguments->overrides);
    free(arguments->values);
    free(arguments->positional);
    *arguments = (struct sp_arguments){ .command = NULL };
}

const char *sp_argument(const struct sp_arguments *arguments, const char *flag)
{
    return arguments->values[flag_index(arguments->command, flag, strlen(flag))];
}

int sp_argument_require(const char **out, const struct sp_arguments *arguments, const char *flag)
{
    const struct sp_command *command = arguments->command;

    *out = sp_argument(arguments, flag);
    if (*out)
        return 0;
    return sp_error(SP_ECONFIG, "%s needs --%s: speft-cl %s %s", command->name, flag, command->name,
                    command->usage);
}

int sp_arguments_config(struct sp_config *out, const struct sp_arguments *arguments,
                        const char *path)
{
    return sp_config_load(out, path, (const char *const *)arguments->overrides,
                          arguments->override_count);
}
