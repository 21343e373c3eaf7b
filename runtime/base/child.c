#include "runtime/base/child.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#define SELF "/proc/self/exe"
#else
#define SELF "speft-cl" /* as PATH finds it */
#endif

#define KILL_SECONDS 5

#define PARENT "SPEFT_CHILD_OF" /* in a child's environment: its parent's number */

extern char **environ;

static bool possible;

static void end_with(pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it was gone before that */
        raise(SIGKILL);
#else
    (void)parent;
#endif
}

void sp_child_begin(void)
{
    const char *parent = getenv(PARENT);

    possible = true;
    if (!parent)
        return;
    end_with((pid_t)strtoll(parent, NULL, 10));
    unsetenv(PARENT);
}

bool sp_child_possible(void)
{
    return possible;
}

/* The environment with `parent` in front, in new memory; what it points to is borrowed. */
static char **child_environment(char *parent)
{
    size_t count = 0;
    char **out;

    while (environ[count])
        count++;
    out = sp_calloc(count + 2, sizeof *out);
    if (!out)
        return NULL;
    out[0] = parent;
    memcpy(out + 1, environ, count * sizeof *out);
    return out;
}

static int add_stream(posix_spawn_file_actions_t *actions, int stream, int what, int socket)
{
    if (what == SP_CHILD_SAME)
        return 0;
    if (what == SP_CHILD_NOTHING)
        return posix_spawn_file_actions_addopen(actions, stream, "/dev/null", O_RDWR, 0);
    return posix_spawn_file_actions_adddup2(actions, what == SP_CHILD_SOCKET ? socket : what, stream);
}

/* An error number of posix_spawn's. */
static int spawn(pid_t *pid, const struct sp_child_setup *setup, int socket, char **environment)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        if (setup->group)
            rc = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        /* err first: it may be what the parent has for out */
        if (rc == 0)
            rc = add_stream(&actions, STDERR_FILENO, setup->err, socket);
        if (rc == 0)
            rc = add_stream(&actions, STDIN_FILENO, setup->in, socket);
        if (rc == 0)
            rc = add_stream(&actions, STDOUT_FILENO, setup->out, socket);
        if (rc == 0)
            rc = posix_spawnp(pid, SELF, &actions, &attributes, (char *const *)(uintptr_t)setup->arguments,
                              environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int sp_child_start(struct sp_child *out, const struct sp_child_setup *setup)
{
    bool connected = setup->in == SP_CHILD_SOCKET || setup->out == SP_CHILD_SOCKET || setup->err == SP_CHILD_SOCKET;
    char parent[sizeof PARENT + 24];
    char **environment;
    int ends[2] = { -1, -1 }, rc;

    *out = (struct sp_child){ .group = setup->group, .fd = -1 };
    snprintf(parent, sizeof parent, PARENT "=%lld", (long long)getpid());
    environment = child_environment(parent);
    if (!environment)
        return SP_ENOMEM;
    rc = connected && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ? errno : 0;
    if (rc == 0)
        rc = spawn(&out->pid, setup, ends[1], environment);
    free(environment);
    if (ends[1] >= 0)
        close(ends[1]);
    if (rc == 0) {
        out->fd = ends[0];
        return 0;
    }
    if (ends[0] >= 0)
        close(ends[0]);
    out->pid = 0;
    return sp_error(SP_EIO, "cannot start a process: %s", strerror(rc));
}

/* As a program is started: no handler of ours answers for what happens to the child. */
static void stand_alone(pid_t parent)
{
    int null = open("/dev/null", O_RDWR);

    end_with(parent);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        dup2(null, stream);
}

int sp_child_fork(struct sp_child *out, void (*work)(void *user), void *user)
{
    pid_t parent = getpid();

    *out = (struct sp_child){ .fd = -1 };
    out->pid = fork();
    if (out->pid < 0) {
        out->pid = 0;
        return sp_error(SP_EIO, "cannot start a process: %s", strerror(errno));
    }
    if (out->pid == 0) {
        stand_alone(parent);
        work(user);
        raise(SIGKILL);
    }
    return 0;
}

static void forget(struct sp_child *child)
{
    if (child->fd >= 0)
        close(child->fd);
    *child = (struct sp_child){ .fd = -1 };
}

bool sp_child_wait(struct sp_child *child, double seconds, int *status)
{
    const struct timespec pause = { 0, 10000000 };
    double began = sp_clock_now();
    pid_t got;

    while ((got = waitpid(child->pid, status, seconds < 0 ? 0 : WNOHANG)) != child->pid) {
        if (got < 0 && errno != EINTR) { /* somebody else waited for it */
            *status = 0;
            break;
        }
        if (seconds >= 0 && sp_clock_now() - began >= seconds)
            return false;
        if (seconds >= 0)
            nanosleep(&pause, NULL);
    }
    forget(child);
    return true;
}

void sp_child_kill(struct sp_child *child, int *status)
{
    sp_child_signal(child, SIGKILL);
    if (sp_child_wait(child, KILL_SECONDS, status))
        return;
    *status = SIGKILL;
    forget(child);
}

void sp_child_signal(const struct sp_child *child, int number)
{
    if (child->pid > 0)
        kill(child->group ? -child->pid : child->pid, number);
}

void sp_child_describe(char *out, size_t size, int status)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(out, size, "ended with exit status %d", WEXITSTATUS(status));
}

bool sp_child_send(int fd, const void *data, size_t length)
{
    const char *p = data;

    while (length > 0) {
        ssize_t n = send(fd, p, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        length -= (size_t)n;
    }
    return true;
}

bool sp_child_receive(int fd, void *data, size_t length)
{
    char *p = data;

    while (length > 0) {
        ssize_t n = recv(fd, p, length, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        length -= (size_t)n;
    }
    return true;
}

bool sp_child_send_block(int fd, const void *data, size_t length)
{
    uint64_t size = length;

    return sp_child_send(fd, &size, sizeof size) && sp_child_send(fd, data, length);
}

bool sp_child_receive_block(int fd, void **out, size_t *length, size_t limit)
{
    uint64_t size;
    char *data;

    if (!sp_child_receive(fd, &size, sizeof size) || size > limit)
        return false;
    data = sp_calloc((size_t)size + 1, 1);
    if (!data || !sp_child_receive(fd, data, (size_t)size)) {
        free(data);
        return false;
    }
    *out = data;
    *length = (size_t)size;
    return true;
}
