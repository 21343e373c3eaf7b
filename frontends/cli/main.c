/* speft-cl: finds the command, runs it, turns its result into an exit code. */
#include "frontends/cli/command.h"
#include "frontends/cli/devices.h"
#include "frontends/cli/doctor.h"
#include "frontends/cli/progress.h"
#include "frontends/cli/terminal.h"
#include "runtime/base/child.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/device/guard.h"
#include "runtime/kernel/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* For signal handlers: writes to standard error, on a line of its own where progress may stand. */
static void write_now(const char *text, size_t length)
{
    int saved = errno;
    ssize_t written = isatty(STDERR_FILENO) ? write(STDERR_FILENO, "\n", 1) : 0;

    written = write(STDERR_FILENO, text, length);
    (void)written; /* nobody reads; nothing can be done about it here */
    errno = saved;
}

/* The first signal asks the command to end cleanly; the second ends the process. */
static void on_signal(int number)
{
    static const char note[] = "speft-cl: stopping; once more to stop at once\n";

    (void)number;
    if (sp_interrupted())
        _exit(EXIT_INTERRUPTED);
    sp_interrupt();
    write_now(note, sizeof note - 1);
}

/* A driver crashed, or does not come to an end. */
static void on_crash(const char *message, size_t length)
{
    const char *start = sp_interrupted() ? "speft-cl: " : "speft-cl: error: ";
    char text[4096];
    size_t used = strlen(start);

    memcpy(text, start, used);
    used += sp_terminal_escape(text + used, sizeof text - used - 1, message, length);
    text[used++] = '\n';
    write_now(text, used);
    _exit(sp_interrupted() ? EXIT_INTERRUPTED : EXIT_FAILURE);
}

static void install_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal }, before;

    sigemptyset(&action.sa_mask); /* and no SA_RESTART: a blocked read must end */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* nohup ignores it */
        sigaction(SIGHUP, &action, NULL);
    sp_device_guard_install(on_crash);
    signal(SIGPIPE, SIG_DFL); /* leave quietly when the reader has, even if started to ignore it */
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of writing, which names the file */
}

static int run_command(const struct sp_command *command, int argc, char **argv)
{
    struct sp_arguments arguments;
    int rc = sp_arguments_parse(&arguments, command, argc, argv);

    sp_progress_install(arguments.quiet);
    if (rc == 0)
        rc = arguments.help ? sp_help_print(command, NULL) : command->run(&arguments);
    sp_progress_end();
    sp_arguments_release(&arguments);
    errno = 0;
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = sp_error(SP_EIO, "cannot write to standard output: %s",
                      errno ? strerror(errno) : "an earlier write failed");
    return rc;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int dispatch(int argc, char **argv)
{
    static char help[] = "help", version[] = "version";
    const struct sp_command *command;
    size_t used;

    if (argc < 2)
        return sp_error(SP_ECONFIG, "what should be done? See speft-cl --help");
    if (is_help(argv[1]))
        argv[1] = help;
    else if (strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    if (argc == 3 && is_help(argv[2]) && sp_command_is_group(sp_commands, argv[1]))
        return sp_help_of(argv + 1, 1); /* of a group, which may do nothing by itself */
    command = sp_command_find(&used, sp_commands, argv + 1, (size_t)argc - 1);
    return command ? run_command(command, argc - 1 - (int)used, argv + 1 + used) : SP_ECONFIG;
}

static int work(int argc, char **argv)
{
    int rc = dispatch(argc, argv);

    if (rc == 0)
        return EXIT_SUCCESS;
    if (!sp_error_message()[0])
        sp_error(rc, "%s", sp_error_name(rc));
    sp_terminal_say(rc == SP_EINTR ? "speft-cl: " : "speft-cl: error: ", sp_error_message(), sp_error_sentence());
    if (rc == SP_EINTR || sp_interrupted())
        return EXIT_INTERRUPTED;
    return rc == SP_ECONFIG ? EXIT_USAGE : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    int status;

    sp_child_begin();
    if (sp_kernel_worker(argc, argv, &status))
        return status;
    install_signals();
    if (!sp_doctor_worker(argc, argv, &status) && !sp_devices_worker(argc, argv, &status))
        status = work(argc, argv);
    sp_device_guard_end();
    return status;
}
