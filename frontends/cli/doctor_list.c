/* speft-cl doctor: the devices, listed in a process of its own, and which driver is at fault where it crashes or
 * hangs. */
#include "frontends/cli/doctor.h"

#include "frontends/cli/ask.h"
#include "frontends/cli/devices.h"
#include "frontends/cli/terminal.h"
#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/temporary.h"
#include "runtime/device/device.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DRIVERS_MAX = 256, ICD_MAX = 4096 };

/* What the worker reports: this, `count` descriptors, and the faults of drivers, or the message. */
struct head {
    int rc;
    size_t count;
    bool broken;
};

/* The drivers' faults as text, in a new string. */
static int find_faults(char **lines, bool *broken)
{
    struct sp_device_faults faults;
    int rc;

    SP_TRY(sp_device_faults(&faults));
    *broken = faults.broken[0] || faults.denied;
    rc = sp_devices_faults(lines, &faults);
    sp_device_faults_release(&faults);
    return rc;
}

void sp_doctor_report_list(FILE *report)
{
    struct head head = { .count = 0 };
    struct sp_device_info *list = NULL;
    char *faults = NULL;

    sp_ask_unguarded();
    head.rc = sp_device_list(&list, &head.count);
    if (head.rc == 0)
        head.rc = find_faults(&faults, &head.broken);
    if (head.rc < 0)
        head.count = 0;
    fwrite(&head, sizeof head, 1, report);
    if (head.count)
        fwrite(list, sizeof *list, head.count, report);
    fputs(head.rc < 0 ? sp_error_message() : faults, report);
    fflush(report);
    free(faults);
    free(list);
}

static int ask(struct sp_answer *answer, int limit)
{
    const struct sp_question question = {
        .arguments = (const char *const[]){ "speft-cl", SP_DOCTOR_WORKER, NULL },
        .least = sizeof(struct head),
        .limit = limit,
        .limit_name = "--timeout",
        .wait = "the drivers to list their devices",
        .late = "has not listed its devices",
        .when = "when it is asked for its devices",
    };

    return sp_ask(answer, &question);
}

/* The parts of a whole answer. */
static int take(struct sp_doctor_devices *out, const struct sp_buf *bytes)
{
    struct head head;
    size_t size;

    memcpy(&head, bytes->data, sizeof head);
    size = head.count * sizeof *out->list;
    if (bytes->length - sizeof head < size)
        return sp_error(SP_EIO, "the list of devices is cut short");
    if (head.rc < 0)
        return sp_error(head.rc, "%s", bytes->data + sizeof head);
    out->list = sp_calloc(head.count, sizeof *out->list);
    out->faults = sp_strdup(bytes->data + sizeof head + size);
    out->broken = head.broken;
    if (!out->list || !out->faults)
        return SP_ENOMEM;
    memcpy(out->list, bytes->data + sizeof head, size);
    out->count = head.count;
    return 0;
}

/* ---- a driver that is at fault ----------------------------------------------------------------------------------- */

struct driver {
    char *path;
    bool is_library, good;
};

/* The search for it. */
struct search {
    const char *how; /* what becomes of all together */
    int limit;
    struct driver *drivers; /* the environment that names them changes meanwhile */
    size_t count, capacity;
    struct sp_buf culprits;
    bool files, libraries; /* what the culprits are */
};

static int add_driver(const char *path, bool is_library, void *user)
{
    struct search *search = user;

    SP_TRY(sp_grow(&search->drivers, search->count, &search->capacity, sizeof *search->drivers, DRIVERS_MAX,
                   "OpenCL drivers"));
    search->drivers[search->count] = (struct driver){ sp_strdup(path), is_library, false };
    return search->drivers[search->count++].path ? 0 : SP_ENOMEM;
}

/* The drivers that are good, or the one of that number, become all that the loader sees: their .icd files are copied
 * into the folder. */
static int restrict_to(const char *folder, const struct search *search, size_t one)
{
    struct sp_buf libraries = SP_BUF(65536);
    int rc = sp_buf_puts(&libraries, "");

    for (size_t i = 0; rc == 0 && i < search->count; i++) {
        const struct driver *driver = &search->drivers[i];
        const char *slash = strrchr(driver->path, '/');
        char *copy = NULL, *text = NULL;
        size_t length;

        if (one < search->count ? i != one : !driver->good)
            continue;
        if (driver->is_library) {
            rc = sp_buf_printf(&libraries, "%s%s", libraries.length ? ":" : "", driver->path);
            continue;
        }
        rc = sp_fs_read(&text, &length, driver->path, ICD_MAX);
        if (rc == 0 && !(copy = sp_fs_join(folder, slash ? slash + 1 : driver->path)))
            rc = SP_ENOMEM;
        if (rc == 0)
            rc = sp_fs_write(copy, text, length);
        free(copy);
        free(text);
    }
    setenv("OCL_ICD_VENDORS", folder, 1);
    if (rc == 0)
        setenv(SP_DEVICE_LIBRARIES, libraries.data, 1);
    sp_buf_free(&libraries);
    return rc;
}

/* Takes the copies away again. */
static void empty(const char *folder, const struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        const char *path = search->drivers[i].path, *slash = strrchr(path, '/');
        char *copy = sp_fs_join(folder, slash ? slash + 1 : path);

        if (copy)
            unlink(copy);
        free(copy);
    }
}

/* Asks the driver alone. */
static int try_driver(struct search *search, size_t number, const char *folder)
{
    struct driver *driver = &search->drivers[number];
    struct sp_answer answer = { .how = "" };
    struct head head = { .rc = 0 };
    int rc = 0;

    if (search->count == 1) {
        snprintf(answer.how, sizeof answer.how, "%s", search->how);
    } else {
        rc = restrict_to(folder, search, number);
        if (rc == 0)
            rc = ask(&answer, search->limit);
        if (rc == 0 && !answer.how[0])
            memcpy(&head, answer.bytes.data, sizeof head);
        empty(folder, search);
        sp_buf_free(&answer.bytes);
    }
    if (rc == SP_EINTR)
        return rc;
    driver->good = rc == 0 && !answer.how[0];
    if (rc < 0)
        sp_terminal_print("   not tried %s: %s", driver->path, sp_error_message());
    else if (answer.how[0])
        sp_terminal_print("   WRONG   %s: %s", driver->path, answer.how);
    else
        sp_terminal_print(head.rc < 0 ? "   none    %s shows no device" : "   good    %s", driver->path);
    fflush(stdout);
    if (!answer.how[0])
        return 0;
    search->libraries = search->libraries || driver->is_library;
    search->files = search->files || !driver->is_library;
    return sp_buf_printf(&search->culprits, "%s%s %s", search->culprits.length ? "; " : "", driver->path, answer.how);
}

/* The message about the drivers that are at fault, in a new string. */
static char *fault_of(const struct search *search)
{
    if (!search->culprits.length)
        return sp_asprintf("the devices cannot be listed: one of the drivers %s, though none does by itself: set "
                           "OCL_ICD_VENDORS to a folder that holds the .icd files of fewer of them",
                           search->how);
    return sp_asprintf("the devices cannot be listed: %s. %s%s%s", search->culprits.data,
                       search->libraries ? "Take that library out of " SP_DEVICE_LIBRARIES : "",
                       search->libraries && search->files ? ". " : "",
                       search->files ? "Remove that .icd file, or set OCL_ICD_VENDORS to a folder that holds only "
                                       "those of drivers that work"
                                     : "");
}

/* Lists the devices of the drivers that are good; no device is no fault besides. */
static int list_good(struct sp_doctor_devices *out, const struct search *search)
{
    struct sp_answer answer;
    int rc;

    SP_TRY(restrict_to(out->folder, search, search->count));
    rc = ask(&answer, search->limit);
    if (rc == 0 && answer.how[0])
        sp_terminal_print("the others together: an OpenCL driver %s", answer.how);
    else if (rc == 0 && (rc = take(out, &answer.bytes)) == SP_ENOTFOUND)
        rc = 0;
    sp_buf_free(&answer.bytes);
    return rc;
}

/* The drivers together gave no answer. */
static int find_culprit(struct sp_doctor_devices *out, const char *how, int limit)
{
    const char *place;
    struct search search = { .how = how, .limit = limit, .culprits = SP_BUF(2000) };
    bool any = false;
    int rc;

    sp_terminal_print("an OpenCL driver %s; each by itself:", how);
    SP_GO(sp_device_each_driver(add_driver, &search));
    for (int i = 0; !out->folder && (place = sp_temporary_place(i)); i++)
        rc = sp_temporary_make(&out->folder, place, "speft-cl-doctor");
    SP_GO(rc);
    for (size_t i = 0; i < search.count; i++) {
        SP_GO(try_driver(&search, i, out->folder));
        any = any || search.drivers[i].good;
    }
    out->fault = fault_of(&search);
    SP_GO(out->fault ? 0 : SP_ENOMEM);
    if (any && search.culprits.length)
        rc = list_good(out, &search);
out:
    for (size_t i = 0; i < search.count; i++)
        free(search.drivers[i].path);
    free(search.drivers);
    sp_buf_free(&search.culprits);
    return rc;
}

int sp_doctor_list(struct sp_doctor_devices *out, int limit)
{
    struct sp_answer answer;
    int rc;

    *out = (struct sp_doctor_devices){ .count = 0 };
    rc = ask(&answer, limit);
    if (rc == 0)
        rc = answer.how[0] ? find_culprit(out, answer.how, limit) : take(out, &answer.bytes);
    sp_buf_free(&answer.bytes);
    return rc;
}

void sp_doctor_list_release(struct sp_doctor_devices *devices)
{
    sp_temporary_remove(devices->folder);
    free(devices->folder);
    free(devices->fault);
    free(devices->list);
    free(devices->faults);
}
