/*
 * The largest resident memory of a command: peak FILE COMMAND [ARG]... runs it, writes the KiB to FILE and ends with
 * its exit status.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[1], "w") : NULL;
    struct rusage used;
    int status;
    pid_t pid;

    if (!file)
        return 125;
    pid = fork();
    if (pid == 0) {
        execv(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) < 0 || fprintf(file, "%ld\n", used.ru_maxrss) < 0 || fclose(file) != 0)
        return 125;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
