/*
 * Commands of speft-cl (layer 7). A command is one file ending in a `const struct sp_command` and
 * one line in command.def:
 *
 *     static const struct sp_flag flags[] = {
 *         { "adapter", "DIR", "the adapter to apply", NULL },
 *         SP_FLAG_SET,
 *         SP_FLAG_END,
 *     };
 *
 *     const struct sp_command sp_command_eval = {
 *         .name = "eval",
 *         .usage = "CONFIG --adapter DIR",
 *         .summary = "print the metrics on the validation file",
 *         .flags = flags,
 *         .positional = 1,
 *         .run = run_eval,
 *     };
 *
 * A name of two words, "tune show", makes it a subcommand: "tune --help" lists those of tune. commands.c holds the
 * list; help, the manual and the shell's completion are made from it. main.c parses the command line against the
 * declaration, prints --help from it, installs signal handling and the log, and turns run's result into the exit code:
 * 0 done, 2 for SP_ECONFIG (usage too), 130 for SP_EINTR or when a signal came, 1 for everything else. The message is
 * sp_error_message(); run prints nothing about it. Results go to standard output, everything else
 * goes through sp_log or progress.h. A long loop asks sp_interrupted() (runtime/base/interrupt.h)
 * between steps.
 */
#ifndef SP_CLI_COMMAND_H
#define SP_CLI_COMMAND_H

#include "runtime/train/config.h"

#include <stdbool.h>
#include <stddef.h>

struct sp_flag {
    const char *name;     /* without the dashes; NULL ends a list */
    const char *argument; /* what follows, for help ("DIR"); NULL for a switch */
    const char *help;
    const char *option; /* "output_dir": sets that option; "": is --set itself; NULL: neither */
};

/* clang-format off */
#define SP_FLAG_SET { "set", "KEY=VALUE", "set an option of the configuration; repeatable", "" }
#define SP_FLAG_DEVICE { "device", "SPEC", "the OpenCL device, as --set device=SPEC", "device" }
#define SP_FLAG_OUTPUT_DIR { "output-dir", "DIR", "where results go, as --set output_dir=DIR", "output_dir" }
#define SP_FLAG_JSON { "json", NULL, "print the result as JSON", NULL }
#define SP_FLAG_END { NULL, NULL, NULL, NULL }
/* clang-format on */

struct sp_command;

/* A parsed command line; borrowed from main for the time of run. */
struct sp_arguments {
    const struct sp_command *command;
    const char **positional;
    size_t positional_count;
    const char **values; /* one for each flag of the command, NULL where not given */
    char **overrides;    /* "key=value", in the order given */
    size_t override_count;
    bool quiet, help;
};

struct sp_command {
    const char *name, *usage, *summary;
    const char *status; /* what its exit status means beyond what every command's does; or NULL */
    const struct sp_flag *flags; /* besides --help and --quiet; NULL for none */
    size_t positional, optional; /* arguments needed, and how many more there may be */
    int (*run)(const struct sp_arguments *arguments);
};

/* The flag's argument ("" for a switch that was given), NULL when it was not given. */
const char *sp_argument(const struct sp_arguments *arguments, const char *flag);

/* The flag's argument; SP_ECONFIG naming it when it was not given. */
int sp_argument_require(const char **out, const struct sp_arguments *arguments, const char *flag);

/* Loads the configuration at `path`, NULL for none, with the command line's overrides. */
int sp_arguments_config(struct sp_config *out, const struct sp_arguments *arguments,
                        const char *path);

/* Parses what follows the command's name; release in any case. A mistake is SP_ECONFIG. For
 * main. */
int sp_arguments_parse(struct sp_arguments *out, const struct sp_command *command, int argc,
                       char **argv);
void sp_arguments_release(struct sp_arguments *arguments);

#define SP_COMMAND_WORD 64  /* room for a word of a command's name */
#define SP_COMMAND_WORDS 64 /* and how many different ones are told of */

/* Every command in the order of command.def, ended by NULL. */
extern const struct sp_command *const sp_commands[];

/* The command of such a list that the words begin with, and how many of them are its name; NULL for none, with the
 * message set. */
const struct sp_command *sp_command_find(size_t *used, const struct sp_command *const *list, char *const *words,
                                         size_t count);

/* Whether it is a subcommand of `group`. */
bool sp_command_is_in(const struct sp_command *command, const char *group);

/* Whether some command of the list is one. */
bool sp_command_is_group(const struct sp_command *const *list, const char *word);

/* The words that a command line may go on with, and how many: the names' first words, each once, or what follows those
 * of the group. */
size_t sp_command_words(char words[SP_COMMAND_WORDS][SP_COMMAND_WORD], const struct sp_command *const *list,
                        const char *group);

/* One command's help, its subcommands' names with it, or, with NULL, the list of commands: all, or those of a group. */
int sp_help_print(const struct sp_command *command, const char *group);

/* The help of the command or group that the words name; with none, the list of all. */
int sp_help_of(char *const *words, size_t count);

/* Flags that every command has. */
extern const struct sp_flag sp_flags_common[];

/* Completion for bash: commands, subcommands, flags, and options after --set. */
int sp_completion_write(struct sp_buf *out, const struct sp_command *const *list);

#endif
