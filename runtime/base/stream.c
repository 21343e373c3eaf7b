#include "runtime/base/stream.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int read_all(struct sp_buf *out, int fd, const char *name)
{
    char block[65536];
    ssize_t got;

    for (;;) {
        got = read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR && !sp_interrupted())
            continue;
        if (sp_interrupted())
            return sp_error(SP_EINTR, "interrupted");
        if (got < 0)
            return sp_fs_error("read", name);
        if (got == 0)
            return 0;
        if (out->length + (size_t)got > out->limit)
            return sp_error(SP_ELIMIT, "%s holds more than the limit of %zu MiB: write it to a file, and give that",
                            name, out->limit >> 20);
        SP_TRY(sp_buf_append(out, block, (size_t)got));
    }
}

int sp_stream_map(struct sp_map *out, int fd, const char *name, size_t limit)
{
    struct sp_buf bytes = SP_BUF(limit);
    struct stat st = { 0 };
    int rc;

    *out = (struct sp_map){ .data = NULL };
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* mapping closes it */

        return copy < 0 ? sp_fs_error("read", name) : sp_fs_map_fd(out, copy, name);
    }
    if (isatty(fd))
        sp_log(SP_LOG_INFO, "reading %s from the terminal; Ctrl-D ends it", name);
    rc = read_all(&bytes, fd, name);
    if (rc < 0) {
        sp_buf_free(&bytes);
        return rc;
    }
    *out = (struct sp_map){
        .data = (unsigned char *)bytes.data, .size = bytes.length, .owned = bytes.data, .file = st
    };
    return 0;
}
