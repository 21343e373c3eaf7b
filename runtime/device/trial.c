/*
 * Libraries that end or hold the process as they are loaded or asked for their platforms. Of those that lack a function
 * loaders that bind late, as ocl-icd does, load even these, and the system's linker ends the process where it is first
 * called: no call says so, and nothing can catch it. So all are loaded in a process of its own first, bound at once;
 * one that cannot be bound so is asked there for its platforms, as a function that is never called may be missing, and
 * so is each of several: the loader asks one after another, and what one does there costs the devices of all. (One that
 * is alone has no other to go on with, and who waits without end waits for all: listing.h tells of it.) Where that is
 * the process's end, or takes too long, the loader is shown a folder of the other drivers' .icd files while it loads
 * them. Processes that this one starts find the fault in their environment, so that they need not wait for it again.
 */
#include "runtime/device/icd.h"

#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/clock.h"
#include "runtime/base/fs.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/temporary.h"
#include "runtime/device/limit.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define VARIABLE "OCL_ICD_VENDORS"
/* For processes that this one starts: lines of a driver's path, a tab, its fault. */
#define FAULTS "SPEFT_DRIVER_FAULTS"

enum { DRIVERS_MAX = 256 };

struct driver {
    char *path, *library; /* NULL: its .icd file cannot be read */
    char *fault;          /* why it is kept from the loader; NULL: it is not */
};

static struct driver *drivers;
static size_t count, capacity;

/* What the process that tries them says. */
struct progress {
    size_t at;       /* the driver in hand */
    bool asks;       /* which is loaded, and asked for its platforms */
    char fault[512]; /* why that cannot be bound; "" where it can, or was not tried yet */
};

/* What was in the environment. */
static char *folder, *vendors, *libraries;

static int add_driver(const char *path, bool is_library, void *user)
{
    struct driver driver = { .path = sp_strdup(path) };
    int rc;

    (void)user;
    if (!driver.path)
        return SP_ENOMEM;
    rc = sp_icd_library(&driver.library, path, is_library) == SP_ENOMEM ? SP_ENOMEM : 0;
    if (rc == 0)
        rc = sp_grow(&drivers, count, &capacity, sizeof *drivers, DRIVERS_MAX, "OpenCL drivers");
    if (rc == 0) {
        drivers[count++] = driver;
    } else {
        free(driver.path);
        free(driver.library);
    }
    return rc;
}

/* As the loader does. */
static void ask(const char *library)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    sp_icd_platforms *get;
    cl_uint found;

    if (handle && !sp_icd_entry(&get, handle))
        get(0, NULL, &found);
}

/* In the process that tries them, from the driver in hand on. */
static void try_drivers(void *user)
{
    struct progress *progress = user;

    for (; progress->at < count; progress->at++) {
        const char *library = drivers[progress->at].library;
        bool bound;

        if (!library || drivers[progress->at].fault)
            continue;
        bound = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        if (bound && (count == 1 || sp_driver_seconds() == 0))
            continue;
        if (!bound)
            snprintf(progress->fault, sizeof progress->fault, "%s", dlerror());
        progress->asks = true;
        ask(library);
        progress->asks = false;
        progress->fault[0] = '\0';
    }
}

/* What becomes of the process where it does not end of itself: the driver in hand is at fault. */
static void follow(struct sp_child *child, struct progress *progress)
{
    int seconds = sp_driver_seconds(), status = 0;
    double began = sp_clock_now(), waited = 0; /* for the driver in hand */
    size_t at = progress->at;
    bool over = false, said = seconds == 0;
    const char *when;

    while (!over && !sp_interrupted() && (seconds == 0 || waited < seconds)) {
        over = sp_child_wait(child, 0.1, &status);
        if (progress->at != at) {
            at = progress->at;
            began = sp_clock_now();
            said = seconds == 0;
        }
        waited = sp_clock_now() - began;
        if (!over && !said && waited > seconds / 10.0 && progress->at < count) {
            said = true;
            sp_log(SP_LOG_WARNING, "the OpenCL driver %s has not %s yet", drivers[progress->at].path,
                   progress->asks ? "listed its platforms" : "been loaded");
        }
    }
    if (!over)
        sp_child_kill(child, &status);
    if (progress->at == count || progress->fault[0])
        return;
    when = progress->asks ? "when it is asked for its platforms" : "as it is loaded";
    if (!over)
        snprintf(progress->fault, sizeof progress->fault, "it %s after %d second%s (" SP_DRIVER_VARIABLE ")",
                 progress->asks ? "has not listed its platforms" : "is not loaded", seconds, seconds > 1 ? "s" : "");
    else if (WIFSIGNALED(status))
        snprintf(progress->fault, sizeof progress->fault, "it crashes (signal %d) %s", WTERMSIG(status), when);
    else
        snprintf(progress->fault, sizeof progress->fault, "it ends the process %s", when);
    if ((progress->asks || !over) && !sp_interrupted())
        sp_log(SP_LOG_WARNING, "the OpenCL driver %s is left out: %s", drivers[progress->at].path, progress->fault);
}

/* Anew behind each driver that is the process's end. */
static int try_all(struct progress *progress)
{
    struct sp_child child;

    for (*progress = (struct progress){ .at = 0 }; progress->at < count; progress->at++) {
        progress->fault[0] = '\0';
        progress->asks = false;
        SP_TRY(sp_child_fork(&child, try_drivers, progress));
        follow(&child, progress);
        if (sp_interrupted() && progress->at < count)
            return sp_error(SP_EINTR, "interrupted; the OpenCL driver %s has not %s", drivers[progress->at].path,
                            progress->asks ? "listed its platforms" : "been loaded");
        if (progress->at == count)
            break;
        drivers[progress->at].fault = sp_strdup(progress->fault);
        if (!drivers[progress->at].fault)
            return SP_ENOMEM;
    }
    return 0;
}

/* An .icd file for each driver that is not at fault. */
static int fill_folder(void)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        char *path = drivers[i].library && !drivers[i].fault ? sp_asprintf("%s/%03zu.icd", folder, i) : NULL;

        if (path)
            rc = sp_fs_write(path, drivers[i].library, strlen(drivers[i].library));
        free(path);
    }
    return rc;
}

/* Shows the loader that folder alone. */
static int restrict_loader(const struct driver *culprit)
{
    const char *place;
    int rc = SP_EIO;

    for (int i = 0; !folder && (place = sp_temporary_place(i)); i++)
        rc = sp_temporary_make(&folder, place, "speft-cl-drivers");
    if (rc == 0)
        rc = fill_folder();
    if (rc < 0)
        return sp_error_context(rc,
                                "the OpenCL driver %s cannot be used (%s), and would end or hold the program; remove "
                                "it",
                                culprit->path, culprit->fault);
    vendors = getenv(VARIABLE) ? sp_strdup(getenv(VARIABLE)) : NULL;
    libraries = getenv(SP_DEVICE_LIBRARIES) ? sp_strdup(getenv(SP_DEVICE_LIBRARIES)) : NULL;
    setenv(VARIABLE, folder, 1);
    unsetenv(SP_DEVICE_LIBRARIES);
    return 0;
}

/* What a process that started this one found out. */
static int inherit_faults(void)
{
    const char *text = getenv(FAULTS);

    for (size_t i = 0; text && i < count; i++) {
        size_t length = strlen(drivers[i].path);
        const char *line = text;

        while (line && (strncmp(line, drivers[i].path, length) != 0 || line[length] != '\t'))
            line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
        if (line)
            drivers[i].fault = sp_strndup(line + length + 1, strcspn(line + length + 1, "\n"));
        SP_TRY(!line || drivers[i].fault ? 0 : SP_ENOMEM);
    }
    return 0;
}

static void hand_on_faults(void)
{
    struct sp_buf text = SP_BUF((size_t)1 << 17);

    for (size_t i = 0; i < count; i++)
        if (drivers[i].fault && sp_buf_printf(&text, "%s\t%s\n", drivers[i].path, drivers[i].fault) < 0)
            break;
    if (text.length)
        setenv(FAULTS, text.data, 1);
    sp_buf_free(&text);
}

int sp_trial_begin(void)
{
    struct progress *progress;
    static bool done;
    int rc;

    if (done)
        return 0;
    done = true;
    SP_TRY(sp_device_each_driver(add_driver, NULL));
    SP_TRY(inherit_faults());
    progress = count ? mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
                     : MAP_FAILED;
    if (progress == MAP_FAILED)
        return 0;
    rc = try_all(progress);
    munmap(progress, sizeof *progress);
    hand_on_faults();
    for (size_t i = 0; i < count && rc == 0 && !folder; i++)
        if (drivers[i].fault)
            rc = restrict_loader(&drivers[i]);
    return rc;
}

static void restore(const char *name, char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
    free(value);
}

void sp_trial_end(void)
{
    if (!folder)
        return;
    restore(VARIABLE, vendors);
    restore(SP_DEVICE_LIBRARIES, libraries);
    sp_temporary_remove(folder);
    free(folder);
    folder = vendors = libraries = NULL;
}

const char *sp_trial_driver(const char *path)
{
    size_t length = folder ? strlen(folder) : 0, i;

    if (!folder || strncmp(path, folder, length) != 0 || path[length] != '/')
        return path;
    i = strtoul(path + length + 1, NULL, 10);
    return i < count ? drivers[i].path : path;
}

const char *sp_trial_fault(const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(drivers[i].path, path) == 0)
            return drivers[i].fault;
    return NULL;
}
