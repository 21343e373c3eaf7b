/*
 * Drivers that are registered and cannot be loaded: the loader passes over an .icd file that cannot be read, or whose library is not
 * there, or lacks one of its own, without a word; one that is a pipe it waits for. Where the files lie is the loader's rule: $OCL_ICD_VENDORS, a folder or a file, or /etc/OpenCL/vendors.
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

static int check_pipe(const char *path, void *user)
{
    struct stat st;

    (void)user;
    if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
        return 0;
    return sp_error(SP_EIO, "%s is a pipe, which the OpenCL loader would wait for without end: remove it", path);
}

/* Adds the file to the list where it cannot be read, or its library not be loaded. */
static int check_file(const char *path, void *user)
{
    struct sp_buf *list = user;
    char *library = NULL;
    const char *fault;
    int rc = check_pipe(path, NULL) < 0 ? SP_EIO : sp_fs_read(&library, NULL, path, ICD_MAX);

    if (rc < 0)
        return sp_buf_printf(list, "%s%s", list->length ? ", " : "", sp_error_message());
    library[strcspn(library, "\r\n")] = '\0';
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

int sp_device_each_driver(int (*visit)(const char *path, void *user), void *user)
{
    const char *vendors = getenv("OCL_ICD_VENDORS");
    struct dirent **entries = NULL;
    int count, rc = 0;

    vendors = vendors && vendors[0] ? vendors : VENDORS;
    if (is_icd(vendors) && !sp_fs_is_dir(vendors))
        return visit(vendors, user);
    count = scandir(vendors, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *path = is_icd(entries[i]->d_name) ? sp_fs_join(vendors, entries[i]->d_name) : NULL;

        if (path && rc == 0)
            rc = visit(path, user);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return rc;
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
        rc = sp_device_each_driver(check_file, &list);
    if (rc == 0)
        *out = list.data;
    else
        sp_buf_free(&list);
    return rc;
}
