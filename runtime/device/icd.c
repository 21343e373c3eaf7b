/*
 * The drivers that the loader loads, and those of them that cannot be loaded: it passes over an .icd file whose library is not there, or
 * lacks one of its own, without a word. Where they are named is the loaders' rule: $OCL_ICD_VENDORS is a folder of .icd files, one such
 * file (by its name alone: one of the system's), or a library; else $OPENCL_VENDOR_PATH is a folder; else it is /etc/OpenCL/vendors.
 * Khronos' loader also takes the libraries of $OCL_ICD_FILENAMES, parted by colons; ocl-icd, which is Debian's, does not.
 */
#include "runtime/device/driver.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VENDORS "/etc/OpenCL/vendors"
#define ICD_MAX 4096      /* bytes of an .icd file: a library's name */
#define LIST_MAX 4000

/* Why the library cannot be loaded; NULL when it can, or has been. The text is the system's. */
static const char *fault_of(const char *library)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    const char *fault = NULL;

    if (!handle) {
        handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
        fault = handle ? NULL : dlerror();
    }
    if (handle)
        dlclose(handle);
    return fault;
}

static int check_pipe(const char *path, bool is_library, void *user)
{
    struct stat st;

    (void)is_library;
    (void)user;
    if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
        return 0;
    return sp_error(SP_EIO, "%s is a pipe, which the OpenCL loader would wait for without end: remove it", path);
}

/* Adds the driver to the list where its file cannot be read, or its library not be loaded. */
static int check_driver(const char *path, bool is_library, void *user)
{
    struct sp_buf *list = user;
    char *library = NULL;
    const char *fault;
    int rc = check_pipe(path, is_library, NULL);

    if (rc == 0 && !is_library)
        rc = sp_fs_read(&library, NULL, path, ICD_MAX);
    else if (rc == 0 && !(library = sp_strdup(path)))
        return SP_ENOMEM;
    if (rc < 0)
        return sp_buf_printf(list, "%s%s", list->length ? ", " : "", sp_error_message());
    library[strcspn(library, "\n")] = '\0';
    if (strchr(library, '\r'))
        fault = "its line ends as Windows' do, and the loader takes the carriage return for part of the library's name: end it as Unix does";
    else
        fault = library[0] ? fault_of(library) : "it names no library";
    if (fault)
        rc = sp_buf_printf(list, "%s%s (%s)", list->length ? ", " : "", path, fault);
    free(library);
    return rc;
}

static bool is_icd(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && strcmp(name + length - 4, ".icd") == 0;
}

static int visit_folder(const char *folder, sp_device_driver_visit *visit, void *user)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort), rc = 0;

    for (int i = 0; i < count; i++) {
        char *path = is_icd(entries[i]->d_name) ? sp_fs_join(folder, entries[i]->d_name) : NULL;

        if (path && rc == 0)
            rc = visit(path, false, user);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* The one .icd file that is named. */
static int visit_file(const char *name, const char *folder, sp_device_driver_visit *visit, void *user)
{
    char *path = strchr(name, '/') ? NULL : sp_fs_join(folder, name);
    int rc = visit(path && sp_fs_exists(path) ? path : name, false, user);

    free(path);
    return rc;
}

static int visit_libraries(const char *list, sp_device_driver_visit *visit, void *user)
{
    int rc = 0;

    while (*list && rc == 0) {
        size_t length = strcspn(list, ":");
        char *library = sp_strndup(list, length);

        rc = !library ? SP_ENOMEM : length ? visit(library, true, user) : 0;
        free(library);
        list += length + (list[length] == ':');
    }
    return rc;
}

/* A variable's value; NULL where it is empty, too. */
static const char *value_of(const char *variable)
{
    const char *value = getenv(variable);

    return value && value[0] ? value : NULL;
}

int sp_device_each_driver(sp_device_driver_visit *visit, void *user)
{
    const char *vendors = value_of("OCL_ICD_VENDORS"), *folder = value_of("OPENCL_VENDOR_PATH"), *more = value_of(SP_DEVICE_LIBRARIES);

    folder = folder ? folder : VENDORS;
    if (!vendors || sp_fs_is_dir(vendors))
        SP_TRY(visit_folder(vendors ? vendors : folder, visit, user));
    else if (is_icd(vendors))
        SP_TRY(visit_file(vendors, folder, visit, user));
    else if (sp_fs_exists(vendors) || !strchr(vendors, '/')) /* else most likely a folder that is not there */
        SP_TRY(visit(vendors, true, user));
    return more ? visit_libraries(more, visit, user) : 0;
}

int sp_device_check_pipes(void)
{
    return sp_device_each_driver(check_pipe, NULL);
}

int sp_device_broken_drivers(char **out)
{
    struct sp_buf list = SP_BUF(LIST_MAX);
    int rc = sp_buf_puts(&list, "");

    *out = NULL;
    if (rc == 0)
        rc = sp_device_each_driver(check_driver, &list);
    if (rc == 0)
        *out = list.data;
    else
        sp_buf_free(&list);
    return rc;
}
