#include "runtime/device/listing.h"

#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/temporary.h"
#include "runtime/device/device.h"
#include "runtime/device/guard.h"
#include "runtime/device/icd.h"
#include "runtime/device/limit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GRACE_SECONDS = 2, STEP = 100 /* milliseconds */ };

static char drivers[1024] = "an OpenCL driver"; /* the guard's messages have room for it and more */

static struct {
    bool watching;
    pthread_t thread;
    int ends[2]; /* a pipe, whose writing end is closed when the listing is over */
    int seconds;
} watch;

static bool libraries; /* whether one of them is named by the environment, without an .icd file */

/* The .icd files and libraries, as many as there is room for. */
struct names {
    size_t count, length;
    char text[sizeof drivers - 64];
};

static int add_name(const char *path, bool is_library, void *user)
{
    struct names *names = user;
    size_t room = sizeof names->text - names->length;
    int length = snprintf(names->text + names->length, room, "%s%s", names->count ? ", " : "", sp_trial_driver(path));

    if (length > 0 && (size_t)length < room)
        names->length += (size_t)length;
    names->text[names->length] = '\0';
    names->count++;
    libraries = libraries || is_library;
    return 0;
}

static void name_drivers(void)
{
    struct names names = { .count = 0 };

    libraries = false;
    sp_device_each_driver(add_name, &names);
    if (names.count)
        snprintf(drivers, sizeof drivers, "%s %s", names.count > 1 ? "one of the OpenCL drivers" : "the OpenCL driver",
                 names.text);
}

const char *sp_listing_drivers(void)
{
    return drivers;
}

#define DOCTOR "; speft-cl doctor finds out which driver it is. "
#define FOLDER "set OCL_ICD_VENDORS to a folder that holds only those of drivers that work"

const char *sp_listing_advice(void)
{
    return libraries ? DOCTOR "Take it out of " SP_DEVICE_LIBRARIES ", remove its .icd file, or " FOLDER
                     : DOCTOR "Remove its .icd file, or " FOLDER;
}

enum outcome { OVER, LATE, INTERRUPTED };

/* What comes first: the end of the listing, that of the time, 0: none, or of what a driver has left once the user wants
 * to stop. */
static enum outcome wait_for(int milliseconds)
{
    struct pollfd end = { .fd = watch.ends[0] };
    int waited = 0, grace = 0;

    while (poll(&end, 1, STEP) == 0) {
        waited += STEP;
        grace += sp_interrupted() ? STEP : 0;
        if (grace > GRACE_SECONDS * 1000)
            return INTERRUPTED;
        if (milliseconds > 0 && waited >= milliseconds)
            return LATE;
    }
    return OVER;
}

/* Ends the program, whose main thread is in a driver. */
static void end_program(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void end_program(const char *format, ...)
{
    char message[sizeof drivers + 512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    sp_temporary_end();
    sp_device_guard_tell(message);
}

static void *watch_drivers(void *unused)
{
    enum outcome outcome = wait_for(watch.seconds * 100);

    (void)unused;
    if (outcome == LATE) {
        sp_log(SP_LOG_WARNING, "%s has not listed its devices yet%s", drivers, sp_listing_advice());
        outcome = wait_for(watch.seconds * 900);
    }
    if (outcome == LATE)
        end_program("%s has not listed its devices for %d second%s (" SP_DRIVER_VARIABLE ")%s", drivers, watch.seconds,
                    watch.seconds > 1 ? "s" : "", sp_listing_advice());
    else if (outcome == INTERRUPTED)
        end_program("interrupted; %s has not listed its devices%s", drivers, sp_listing_advice());
    return NULL;
}

void sp_listing_begin(void)
{
    sigset_t all, before;

    name_drivers();
    watch.seconds = sp_driver_seconds();
    if (pipe(watch.ends) < 0)
        return;
    for (int i = 0; i < 2; i++)
        fcntl(watch.ends[i], F_SETFD, FD_CLOEXEC);
    sigfillset(&all); /* signals are the main thread's: an interrupt ends what it waits for */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    watch.watching = pthread_create(&watch.thread, NULL, watch_drivers, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!watch.watching) {
        close(watch.ends[0]);
        close(watch.ends[1]);
    }
}

void sp_listing_end(void)
{
    if (!watch.watching)
        return;
    watch.watching = false;
    close(watch.ends[1]);
    pthread_join(watch.thread, NULL);
    close(watch.ends[0]);
}
