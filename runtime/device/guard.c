#include "runtime/device/guard.h"

#include "runtime/base/fs.h"
#include "runtime/device/driver.h"
#include "runtime/device/listing.h"
#include "runtime/device/pocl.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
#define SIGNALS (sizeof signals / sizeof signals[0])

static struct sigaction before[SIGNALS];
static void (*report)(const char *message, size_t length);
static pid_t guarded; /* not what a driver forks */
static bool ended;
static _Alignas(
    16) char stack[65536]; /* a driver that overflows its stack needs another one to say so */

struct text {
    char data[2048];
    size_t length;
};

/* Async-signal-safe. */
static void add(struct text *text, const char *part)
{
    size_t length = strlen(part), room = sizeof text->data - text->length;

    length = length < room ? length : room;
    memcpy(text->data + text->length, part, length);
    text->length += length;
}

/* A driver's end while there is no device yet: no call says which driver's. */
static void compose_listing(struct text *text, const char *what)
{
    add(text, sp_listing_drivers());
    add(text, what);
    add(text, " while listing devices");
    add(text, sp_listing_advice());
}

/* `what`: " crashed". */
static void compose(struct text *text, const char *what, int number, const struct sp_device_info *device,
                    const char *activity, const char *subject)
{
    if (!device->platform[0]) {
        compose_listing(text, what);
        return;
    }
    add(text, "the driver of ");
    add(text, device->name);
    add(text, " (");
    add(text, device->platform);
    add(text, " ");
    add(text, device->driver);
    add(text, ")");
    add(text, what);
    add(text, " while ");
    add(text, activity);
    add(text, " ");
    add(text, subject);
    add(text, "; try another device with --device (speft-cl devices lists them)");
    if (number == SIGABRT && sp_pocl_is(device->platform))
        add(text, ", or another folder for PoCL with POCL_CACHE_DIR where its disk is full or mounted noexec");
}

/* What was at work where the process ends; nothing where it was not a driver, as far as is known. */
static void compose_end(struct text *text, const char *what, int number)
{
    const struct sp_driver_call *call = &sp_driver_call;
    const struct sp_driver_launch *launch = &sp_driver_launch;

    if (call->device && call->activity)
        compose(text, what, number, &call->device->info, call->activity, call->subject);
    else if (call->device)
        compose(text, what, number, &call->device->info, "in", call->call);
    else if (!call->ours && launch->device)
        compose(text, what, number, &launch->device->info, "running", launch->kernel);
}

/* A mapping has no bytes behind the end of its file. */
static void compose_cut(struct text *text, const char *path)
{
    add(text, path);
    add(text, " became shorter while it was read: is it being fetched or copied anew? Start again once it is whole; a "
              "new version belongs into a file of its own, renamed over the old");
}

static void handle(int number, siginfo_t *signal, void *context)
{
    const char *cut = number == SIGBUS && signal->si_code > 0 ? sp_fs_map_name(signal->si_addr) : NULL;
    struct text text = { .length = 0 };

    (void)context;
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i] == number)
            sigaction(number, &before[i], NULL);
    if (cut)
        compose_cut(&text, cut);
    else
        compose_end(&text, " crashed", number);
    if (text.length > 0)
        report(text.data, text.length);
    if (signal->si_code <= 0) /* sent, not a fault: a fault happens again on return */
        raise(number);
}

/* The process calls exit, and its work is not done. */
static void at_exit(void)
{
    struct text text = { .length = 0 };

    if (ended || getpid() != guarded)
        return;
    compose_end(&text, " ended the program", 0);
    if (text.length == 0)
        add(&text, "the program was ended before its work was done, by a driver or another library");
    report(text.data, text.length);
}

void sp_device_guard_end(void)
{
    ended = true;
}

void sp_device_guard_tell(const char *message)
{
    if (report)
        report(message, strlen(message));
}

void sp_device_guard_renew(void)
{
    struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_ONSTACK | SA_SIGINFO };

    sigemptyset(&action.sa_mask);
    if (report)
        sigaction(SIGABRT, &action, NULL);
}

void sp_device_guard_install(void (*crashed)(const char *message, size_t length))
{
    struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_ONSTACK | SA_SIGINFO };
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };

    if (!report) {
        atexit(at_exit);
        at_quick_exit(at_exit);
    }
    report = crashed;
    guarded = getpid();
    sp_driver_call.ours = true;
    sigaltstack(&alternate, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &before[i]);
}
