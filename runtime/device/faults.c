/*
 * What is wrong with the drivers that are installed. The loader passes over an .icd file whose library is not there,
 * lacks one of its own, or is no driver, and over a driver without a platform, without a word. Those are found by doing
 * what it does, after a listing, when the libraries that can be loaded are.
 */
#include "runtime/device/driver.h"

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/device/access.h"
#include "runtime/device/icd.h"
#include "runtime/device/list.h"
#include "runtime/device/pocl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 16000

struct search {
    struct sp_buf broken, idle;
    bool hardware; /* an idle driver may be one of a GPU */
    struct sp_platforms platforms; /* the loader's */
};

static int add(struct sp_buf *list, const char *path, const char *why)
{
    return sp_buf_printf(list, "%s%s%s%s%s", list->length ? ", " : "", path, path[0] ? " (" : "", why,
                         path[0] ? ")" : "");
}

struct hiding {
    const char *variable, *platform;
};

static const struct hiding hidings[] = {
#define SP_HIDES(variable, platform) { variable, platform },
#include "runtime/device/quirk.def"
};

/* A variable that may hide the devices of the platform, "" of one that a driver hides, too; NULL for none. */
static const char *hidden_by(const char *platform)
{
    for (size_t i = 0; i < sizeof hidings / sizeof *hidings; i++) {
        const struct hiding *h = &hidings[i];

        if (getenv(h->variable) &&
            (platform[0] ? strncmp(platform, h->platform, strlen(h->platform)) == 0 : !sp_pocl_is(h->platform)))
            return h->variable;
    }
    return NULL;
}

/* Notes the driver as one without a device, and the variable that may be why. */
static int note_idle(struct search *search, const char *path, const char *platform, const char *reason)
{
    const char *variable = hidden_by(platform);
    char why[512];

    snprintf(why, sizeof why, "%s%s%s%s%s%s", reason, variable ? "; " : "", variable ? variable : "",
             variable ? " is \"" : "", variable ? getenv(variable) : "",
             variable ? "\", which says what it shows" : "");
    return add(&search->idle, path, why);
}

/* Of a driver whose platforms have no device. */
static int add_idle(struct search *search, const char *path, const char *platform)
{
    const char *enabled = getenv("RUSTICL_ENABLE");
    bool silent = strstr(platform, "rusticl") && !(enabled && enabled[0]);
    char why[512];

    snprintf(why, sizeof why, "platform %s%s", platform,
             silent ? "; it shows devices only when RUSTICL_ENABLE names their driver: radeonsi, iris, llvmpipe" : "");
    search->hardware = search->hardware || (!silent && !sp_pocl_is(platform));
    return note_idle(search, path, platform, why);
}

/* What the driver offers, and the loader has taken. */
static int check_platforms(struct search *search, const char *path, sp_icd_platforms *get)
{
    cl_platform_id own[SP_PLATFORMS_MAX];
    char name[sizeof ((struct sp_device_info *)0)->platform] = "", why[128];
    cl_uint count = 0;
    cl_int status = get(SP_PLATFORMS_MAX, own, &count);
    bool taken = false;

    if (status != CL_SUCCESS || count == 0) {
        search->hardware = true;
        snprintf(why, sizeof why, "it offers no platform%s%s", status == CL_SUCCESS ? "" : ": ",
                 status == CL_SUCCESS ? "" : sp_driver_status_name(status));
        return note_idle(search, path, "", why);
    }
    for (cl_uint i = 0; i < count && i < SP_PLATFORMS_MAX; i++)
        for (cl_uint k = 0; k < search->platforms.count; k++) {
            if (own[i] != search->platforms.ids[k])
                continue;
            taken = true;
            if (sp_platform_has_device(own[i]))
                return 0;
            SP_TRY(sp_platform_name(name, sizeof name, own[i]));
        }
    return taken ? add_idle(search, path, name)
                 : add(&search->broken, path, "the OpenCL loader does not take the platform that it offers");
}

/* Takes the loaded library apart. */
static int check_library(struct search *search, const char *path, void *library)
{
    sp_icd_platforms *get = NULL;
    const char *lacks = sp_icd_entry(&get, library);
    char why[128];

    if (!lacks)
        return check_platforms(search, path, get);
    snprintf(why, sizeof why, "it is no OpenCL driver: it has no %s", lacks);
    return add(&search->broken, path, why);
}

static int check_name(struct search *search, const char *path, const char *library)
{
    void *handle;
    int rc;

    if (!library[0])
        return add(&search->broken, path, "it names no library");
    if (strchr(library, '\r'))
        return add(&search->broken, path,
                   "its line ends as Windows' do, and the loader takes the carriage return for part of the library's "
                   "name: end it as Unix does");
    handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle)
        handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (!handle)
        return add(&search->broken, path, dlerror());
    rc = check_library(search, path, handle);
    dlclose(handle);
    return rc;
}

static int check_driver(const char *path, bool is_library, void *user)
{
    struct search *search = user;
    const char *fault = sp_trial_fault(path);
    char *library = NULL;
    int rc;

    if (fault)
        return add(&search->broken, path, fault);
    rc = sp_icd_library(&library, path, is_library);
    rc = rc == SP_ENOMEM ? rc
         : rc < 0        ? add(&search->broken, "", sp_error_message())
                         : check_name(search, path, library);
    free(library);
    return rc;
}

int sp_device_faults(struct sp_device_faults *out)
{
    struct search search = { SP_BUF(LIST_MAX), SP_BUF(LIST_MAX), .hardware = false };
    int rc;

    *out = (struct sp_device_faults){ .denied = false };
    SP_GO(sp_buf_puts(&search.broken, ""));
    SP_GO(sp_buf_puts(&search.idle, ""));
    sp_platforms_enter(&search.platforms);
    rc = sp_device_each_driver(check_driver, &search);
    sp_platforms_leave();
    SP_GO(rc);
    if (search.hardware)
        SP_GO(sp_device_access(&out->access, &out->denied, SP_ACCESS_FOLDER));
    out->broken = search.broken.data;
    out->idle = search.idle.data;
    return 0;
out:
    sp_buf_free(&search.broken);
    sp_buf_free(&search.idle);
    return rc;
}

void sp_device_faults_release(struct sp_device_faults *faults)
{
    free(faults->broken);
    free(faults->idle);
    free(faults->access);
    *faults = (struct sp_device_faults){ .denied = false };
}
