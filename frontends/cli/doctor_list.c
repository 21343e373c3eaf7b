/* speft-cl doctor: the devices, listed in a process of its own, and which driver is at fault where it crashes or hangs. */
#include "frontends/cli/doctor.h"

#include "frontends/cli/devices.h"
#include "frontends/cli/terminal.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/device/device.h"
#include "runtime/device/guard.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX = 1 << 22, PATIENCE = 10 }; /* PATIENCE: seconds, after which it is said what is waited for */

/* What the worker reports: this, `count` descriptors, and the idle drivers, or the message. */
struct head {
    int rc;
    size_t count;
};

void sp_doctor_report_list(FILE *report)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    struct head head = { .count = 0 };
    struct sp_device_info *list = NULL;
    char *idle = NULL;

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        signal(faults[i], SIG_DFL); /* the command tells of it */
    sp_device_guard_end();
    head.rc = sp_device_list(&list, &head.count);
    if (head.rc == 0)
        head.rc = sp_devices_idle(&idle);
    if (head.rc < 0)
        head.count = 0;
    fwrite(&head, sizeof head, 1, report);
    if (head.count)
        fwrite(list, sizeof *list, head.count, report);
    fputs(head.rc < 0 ? sp_error_message() : idle, report);
    fflush(report);
    free(idle);
    free(list);
}

/* A worker's answer, or what became of the driver instead. */
struct answer {
    struct sp_buf bytes;
    char how[96]; /* "" where it answered */
};

/* Takes all that comes until the worker is done; false when that takes too long. */
static bool receive(struct answer *answer, int fd, int limit)
{
    double began = sp_clock_now();
    bool said = false;
    char part[4096];
    ssize_t n = 1;

    while (n != 0 && !sp_interrupted()) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };

        if (poll(&ready, 1, 100) > 0) {
            n = read(fd, part, sizeof part);
            if (n > 0 && sp_buf_append(&answer->bytes, part, (size_t)n) < 0)
                return true;
        } else if (sp_clock_now() - began > limit) {
            return false;
        } else if (!said && sp_clock_now() - began > PATIENCE) {
            said = true;
            sp_log(SP_LOG_INFO, "waiting for the drivers to list their devices, for %d seconds at most (--timeout)", limit);
        }
    }
    return true;
}

static int ask(struct answer *answer, int limit)
{
    struct sp_child child;
    bool in_time;
    int status;

    *answer = (struct answer){ .bytes = SP_BUF(ANSWER_MAX) };
    SP_TRY(sp_doctor_start(&child, (const char *const[]){ "speft-cl", SP_DOCTOR_WORKER, NULL }));
    in_time = receive(answer, child.fd, limit);
    if (!in_time || sp_interrupted())
        sp_child_signal(&child, SIGKILL);
    sp_child_wait(&child, -1, &status);
    if (sp_interrupted())
        return sp_error(SP_EINTR, "interrupted");
    if (!in_time)
        snprintf(answer->how, sizeof answer->how, "has not listed its devices after %d seconds (--timeout)", limit);
    else if (WIFSIGNALED(status))
        snprintf(answer->how, sizeof answer->how, "crashes (signal %d) when it is asked for its devices", WTERMSIG(status));
    else if (answer->bytes.length < sizeof(struct head))
        snprintf(answer->how, sizeof answer->how, "ends the process when it is asked for its devices");
    return 0;
}

/* The search for a driver that is at fault. */
struct search {
    const char *how; /* what becomes of all together */
    int limit;
    size_t count;
    char *folder; /* with the .icd file of one driver */
    struct sp_buf culprits;
};

static int count_driver(const char *path, void *user)
{
    struct search *search = user;

    (void)path;
    search->count++;
    return 0;
}

/* Asks the one driver in the folder. */
static int ask_in(struct answer *answer, const struct search *search)
{
    char *vendors = getenv("OCL_ICD_VENDORS");
    int rc;

    vendors = vendors ? sp_strdup(vendors) : NULL;
    setenv("OCL_ICD_VENDORS", search->folder, 1);
    setenv("OCL_ICD_FILENAMES", "", 1);
    rc = ask(answer, search->limit);
    if (vendors)
        setenv("OCL_ICD_VENDORS", vendors, 1);
    else
        unsetenv("OCL_ICD_VENDORS");
    free(vendors);
    return rc;
}

/* Asks the driver alone. */
static int ask_driver(struct answer *answer, const struct search *search, const char *path)
{
    char *copy = sp_fs_join(search->folder, "driver.icd"), *text = NULL;
    size_t length;
    int rc = copy ? 0 : SP_ENOMEM;

    if (rc == 0)
        rc = sp_fs_read(&text, &length, path, 4096);
    if (rc == 0)
        rc = sp_fs_write(copy, text, length);
    if (rc == 0)
        rc = ask_in(answer, search);
    if (copy)
        unlink(copy);
    free(copy);
    free(text);
    return rc;
}

static int try_driver(const char *path, void *user)
{
    struct search *search = user;
    struct answer answer = { .how = "" };
    int rc = 0;

    if (search->count > 1)
        rc = ask_driver(&answer, search, path);
    else
        snprintf(answer.how, sizeof answer.how, "%s", search->how);
    sp_buf_free(&answer.bytes);
    if (rc == SP_EINTR)
        return rc;
    if (rc < 0)
        sp_terminal_print("   not tried %s: %s", path, sp_error_message());
    else if (answer.how[0])
        sp_terminal_print("   WRONG   %s: %s", path, answer.how);
    else
        sp_terminal_print("   good    %s", path);
    fflush(stdout);
    if (!answer.how[0])
        return 0;
    return sp_buf_printf(&search->culprits, "%s%s %s", search->culprits.length ? "; " : "", path, answer.how);
}

/* The drivers together gave no answer. */
static int find_culprit(const char *how, int limit)
{
    const char *temporary = getenv("TMPDIR");
    struct search search = { .how = how, .limit = limit, .culprits = SP_BUF(2000) };
    int rc;

    sp_terminal_print("an OpenCL driver %s; each by itself:", how);
    sp_device_each_driver(count_driver, &search);
    search.folder = sp_asprintf("%s/speft-cl-doctor-XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
    if (!search.folder)
        return SP_ENOMEM;
    if (!mkdtemp(search.folder)) {
        rc = sp_fs_error("make", search.folder);
        free(search.folder);
        return rc;
    }
    rc = sp_device_each_driver(try_driver, &search);
    if (rc == 0 && search.culprits.length)
        rc = sp_error(SP_EDEVICE, "the devices cannot be listed: %s. Remove that .icd file, or set OCL_ICD_VENDORS to a folder that holds "
                      "only those of drivers that work", search.culprits.data);
    else if (rc == 0)
        rc = sp_error(SP_EDEVICE, "the devices cannot be listed: one of the drivers %s, though none does by itself: set OCL_ICD_VENDORS "
                      "to a folder that holds the .icd files of fewer of them", how);
    rmdir(search.folder);
    free(search.folder);
    sp_buf_free(&search.culprits);
    return rc;
}

/* The parts of a whole answer. */
static int take(struct sp_device_info **list, size_t *count, char **idle, struct sp_buf *bytes)
{
    struct head head;
    size_t size;

    memcpy(&head, bytes->data, sizeof head);
    size = head.count * sizeof **list;
    if (bytes->length - sizeof head < size)
        return sp_error(SP_EIO, "the list of devices is cut short");
    if (head.rc < 0)
        return sp_error(head.rc, "%s", bytes->data + sizeof head);
    *list = sp_calloc(head.count, sizeof **list);
    *idle = sp_strdup(bytes->data + sizeof head + size);
    if (!*list || !*idle) {
        free(*list);
        free(*idle);
        return SP_ENOMEM;
    }
    memcpy(*list, bytes->data + sizeof head, size);
    *count = head.count;
    return 0;
}

int sp_doctor_list(struct sp_device_info **list, size_t *count, char **idle, int limit)
{
    struct answer answer;
    int rc;

    setenv("SPEFT_DRIVER_TIMEOUT", "0", 1); /* the workers' time is taken here */
    rc = ask(&answer, limit);
    if (rc == 0)
        rc = answer.how[0] ? find_culprit(answer.how, limit) : take(list, count, idle, &answer.bytes);
    sp_buf_free(&answer.bytes);
    return rc;
}
