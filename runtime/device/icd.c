/*
 * The drivers that the loader loads. Where they are named is the loaders' rule: $OCL_ICD_VENDORS is a folder of .icd
 * files, one such file (by its name alone: one of the system's), or a library; else $OPENCL_VENDOR_PATH is a folder;
 * else it is /etc/OpenCL/vendors. Khronos' loader also takes the libraries of $OCL_ICD_FILENAMES, parted by colons;
 * ocl-icd, which is Debian's, does not.
 */
#include "runtime/device/icd.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/device/device.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VENDORS "/etc/OpenCL/vendors"
#define ICD_MAX 4096 /* bytes of an .icd file: a library's name */

static int refuse_pipe(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
        return 0;
    return sp_error(SP_EIO, "%s is a pipe, which the OpenCL loader would wait for without end: remove it", path);
}

int sp_icd_library(char **out, const char *path, bool is_library)
{
    *out = NULL;
    SP_TRY(refuse_pipe(path));
    if (is_library)
        return (*out = sp_strdup(path)) ? 0 : SP_ENOMEM;
    SP_TRY(sp_fs_read(out, NULL, path, ICD_MAX));
    (*out)[strcspn(*out, "\n")] = '\0';
    return 0;
}

/* The file that names a driver, and the library that it names. */
static int check_pipe(const char *path, bool is_library, void *user)
{
    char *library;
    int rc = refuse_pipe(path);

    (void)user;
    if (rc < 0 || sp_icd_library(&library, path, is_library) < 0) /* what else is wrong is told after the listing */
        return rc;
    rc = strchr(library, '/') ? refuse_pipe(library) : 0;
    free(library);
    return rc;
}

const char *sp_icd_entry(sp_icd_platforms **out, void *library)
{
    void *(*find)(const char *);

    *(void **)&find = dlsym(library, "clGetExtensionFunctionAddress");
    if (!find)
        return "clGetExtensionFunctionAddress";
    *(void **)out = find("clIcdGetPlatformIDsKHR");
    if (!*out)
        *(void **)out = dlsym(library, "clIcdGetPlatformIDsKHR");
    return *out ? NULL : "clIcdGetPlatformIDsKHR";
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
    const char *vendors = value_of("OCL_ICD_VENDORS"), *folder = value_of("OPENCL_VENDOR_PATH"),
               *more = value_of(SP_DEVICE_LIBRARIES);

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
