#include "runtime/device/access.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 4000 };

/* Mesa's and Intel's, AMD's ROCm, NVIDIA's, and that of Windows' Linux. */
static const char *const patterns[] = { "dri/renderD*", "kfd", "nvidiactl", "nvidia[0-9]*", "dxg" };

struct files {
    struct sp_buf open, closed; /* their names, parted by ", "; with the reason for those that cannot be opened */
    struct sp_buf groups;       /* whose members could open them */
};

static int add(struct sp_buf *list, const char *text)
{
    return sp_buf_printf(list, "%s%s", list->length ? ", " : "", text);
}

static int add_closed(struct files *files, const char *path, int why)
{
    struct stat st;
    const struct group *group = why == EACCES && stat(path, &st) == 0 && (st.st_mode & 0060) == 0060
                                    ? getgrgid(st.st_gid)
                                    : NULL;

    SP_TRY(sp_buf_printf(&files->closed, "%s%s (%s%s%s)", files->closed.length ? ", " : "", path, strerror(why),
                         group ? "; it is for the group " : "", group ? group->gr_name : ""));
    if (group && !(files->groups.data && strstr(files->groups.data, group->gr_name)))
        return sp_buf_printf(&files->groups, "%s%s", files->groups.length ? "," : "", group->gr_name);
    return 0;
}

/* Opening is the only way to know: a container's rules do not show in the permissions. */
static int try_file(struct files *files, const char *path)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return add_closed(files, path, errno);
    close(fd);
    return add(&files->open, path);
}

static int try_all(struct files *files, const char *folder)
{
    int rc = 0;

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns && rc == 0; i++) {
        char *pattern = sp_asprintf("%s/%s", folder, patterns[i]);
        glob_t found = { .gl_pathc = 0 };

        if (!pattern)
            return SP_ENOMEM;
        if (glob(pattern, 0, NULL, &found) == 0)
            for (size_t k = 0; k < found.gl_pathc && rc == 0; k++)
                rc = try_file(files, found.gl_pathv[k]);
        globfree(&found);
        free(pattern);
    }
    return rc;
}

static char *compose(const struct files *files, const char *folder)
{
    const struct passwd *user = getpwuid(geteuid());

    if (files->groups.length)
        return sp_asprintf("this user cannot open %s: `usermod -aG %s %s`, run by root, mends that from the next login "
                           "on",
                           files->closed.data, files->groups.data, user ? user->pw_name : "USER");
    if (files->closed.length)
        return sp_asprintf("the GPU's device file cannot be opened: %s; see `ls -l` of it, whether the kernel's driver "
                           "for the GPU is loaded, and in a container whether that was given the device",
                           files->closed.data);
    if (files->open.length)
        return sp_asprintf("the GPU's device files can be opened (%s), so that the driver is for other hardware, or "
                           "does not fit the kernel's driver",
                           files->open.data);
    return sp_asprintf("there is no device file of a GPU (%s/dri/renderD*, %s/kfd, %s/nvidia*): either there is no "
                       "GPU, or the kernel's driver for it (amdgpu, i915, xe, nvidia) is not loaded, or this is a "
                       "container that was not given it",
                       folder, folder, folder);
}

int sp_device_access(char **out, bool *denied, const char *folder)
{
    struct files files = { SP_BUF(TEXT_MAX), SP_BUF(TEXT_MAX), SP_BUF(TEXT_MAX) };
    int rc = try_all(&files, folder);

    *denied = files.closed.length > 0;
    *out = rc == 0 ? compose(&files, folder) : NULL;
    sp_buf_free(&files.open);
    sp_buf_free(&files.closed);
    sp_buf_free(&files.groups);
    return rc == 0 && !*out ? SP_ENOMEM : rc;
}
