#include "runtime/device/guard.h"

#include "runtime/base/fs.h"
#include "runtime/device/driver.h"
#include "runtime/device/pocl.h"

#include <signal.h>
#include <string.h>

static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
#define SIGNALS (sizeof signals / sizeof signals[0])

static struct sigaction before[SIGNALS];
static void (*report)(const char *message, size_t length);
static _Alignas(
    16) char stack[65536]; /* a driver that overflows its stack needs another one to say so */

struct text {
    char data[1024];
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

static void compose(struct text *text, int number, const struct sp_device_info *device, const char *activity,
                    const char *subject)
{
    add(text, "the driver of ");
    add(text, device->name);
    if (device->platform[0]) {
        add(text, " (");
        add(text, device->platform);
        add(text, " ");
        add(text, device->driver);
        add(text, ")");
    }
    add(text, " crashed while ");
    add(text, activity);
    add(text, " ");
    add(text, subject);
    add(text, device->platform[0]
                  ? "; try another device with --device (speft-cl devices lists them)"
                  : "; set OCL_ICD_VENDORS to the folder of a driver that works");
    if (number == SIGABRT && sp_pocl_is(device->platform))
        add(text, ", or another folder for PoCL with POCL_CACHE_DIR where its disk is full or mounted noexec");
}

/* A mapping has no bytes behind the end of its file. */
static void compose_cut(struct text *text, const char *path)
{
    add(text, path);
    add(text, " became shorter while it was read: is it being fetched or copied anew? Start again once it is whole; a new version "
              "belongs into a file of its own, renamed over the old");
}

static void handle(int number, siginfo_t *signal, void *context)
{
    const struct sp_driver_call *call = &sp_driver_call;
    const struct sp_driver_launch *launch = &sp_driver_launch;
    const char *cut = number == SIGBUS && signal->si_code > 0 ? sp_fs_map_name(signal->si_addr) : NULL;
    struct text text = { .length = 0 };

    (void)context;
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i] == number)
            sigaction(number, &before[i], NULL);
    if (cut)
        compose_cut(&text, cut);
    else if (call->device && call->activity)
        compose(&text, number, &call->device->info, call->activity, call->subject);
    else if (call->device)
        compose(&text, number, &call->device->info, "in", call->call);
    else if (!call->ours && launch->device)
        compose(&text, number, &launch->device->info, "running", launch->kernel);
    if (text.length > 0)
        report(text.data, text.length);
    if (signal->si_code <= 0) /* sent, not a fault: a fault happens again on return */
        raise(number);
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

    report = crashed;
    sp_driver_call.ours = true;
    sigaltstack(&alternate, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &before[i]);
}
