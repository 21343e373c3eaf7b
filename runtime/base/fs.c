#include "runtime/base/fs.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int io_error(const char *doing, const char *path)
{
    int code = errno == ENOENT ? SP_ENOTFOUND : errno == ENOMEM ? SP_ENOMEM : SP_EIO;

    return sp_error(code, "cannot %s %s: %s", doing, path, strerror(errno));
}

int sp_fs_map(struct sp_map *out, const char *path)
{
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer opens at once */
    struct stat st;
    void *data;

    *out = (struct sp_map){ .data = NULL };
    if (fd < 0)
        return io_error("open", path);
    if (fstat(fd, &st) < 0) {
        rc = io_error("read", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = sp_error(SP_EIO, "%s is a %s; a regular file is expected", path,
                      S_ISDIR(st.st_mode) ? "folder" : S_ISFIFO(st.st_mode) ? "pipe" : "device or socket");
    } else if (st.st_size > 0) {
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            rc = io_error("map", path);
        else
            *out = (struct sp_map){ data, (size_t)st.st_size, st };
    }
    close(fd);
    return rc;
}

void sp_fs_unmap(struct sp_map *map)
{
    if (map->data)
        munmap((void *)(size_t)map->data, map->size);
    *map = (struct sp_map){ .data = NULL };
}

void sp_fs_map_forget(const struct sp_map *map)
{
    if (map->data)
        madvise((void *)(size_t)map->data, map->size, MADV_DONTNEED);
}

bool sp_fs_map_changed(const struct sp_map *map, const char *path)
{
    const struct stat *then = &map->file;
    struct stat now;

    return stat(path, &now) == 0 && now.st_dev == then->st_dev && now.st_ino == then->st_ino &&
           (now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

int sp_fs_read(char **out, size_t *length, const char *path, size_t limit)
{
    struct sp_buf buf = SP_BUF(limit);
    FILE *file = fopen(path, "rbe");
    char block[65536];
    size_t got;
    int rc = 0;

    if (!file)
        return io_error("open", path);
    while (rc == 0 && (got = fread(block, 1, sizeof block, file)) > 0)
        rc = sp_buf_append(&buf, block, got);
    if (rc == SP_ELIMIT)
        rc = sp_error(SP_ELIMIT, "%s is larger than the limit of %zu bytes", path, limit);
    if (rc == 0 && ferror(file))
        rc = io_error("read", path);
    fclose(file);
    if (rc == 0 && !buf.data)
        rc = sp_buf_append(&buf, "", 0);
    if (rc < 0) {
        sp_buf_free(&buf);
        return rc;
    }
    *out = buf.data;
    if (length)
        *length = buf.length;
    return 0;
}

int sp_fs_write(const char *path, const void *data, size_t length)
{
    struct sp_fs_writer writer;

    SP_TRY(sp_fs_writer_open(&writer, path));
    fwrite(data, 1, length, writer.file); /* commit sees a short write through ferror */
    return sp_fs_writer_commit(&writer);
}

/* The file that a name stands for: a link's target is replaced, not the link. NULL when out of memory. */
static char *follow(const char *path)
{
    char *target = realpath(path, NULL); /* NULL where nothing lies there yet */

    return target ? target : sp_strdup(path);
}

/* A temporary file beside writer->path, with the mode that the user's umask gives. */
static int open_temporary(struct sp_fs_writer *writer)
{
    mode_t mask = umask(0);
    int fd, rc = 0;

    umask(mask);
    writer->temporary = sp_asprintf("%s.XXXXXX", writer->path);
    if (!writer->temporary)
        return SP_ENOMEM;
    fd = mkstemp(writer->temporary);
    if (fd >= 0 && fchmod(fd, 0666 & ~mask) == 0)
        writer->file = fdopen(fd, "w+b");
    if (writer->file)
        return 0;
    rc = io_error("write", writer->path);
    if (fd >= 0) {
        close(fd);
        unlink(writer->temporary);
    }
    free(writer->temporary);
    writer->temporary = NULL;
    return rc;
}

int sp_fs_writer_open(struct sp_fs_writer *writer, const char *path)
{
    struct stat st;
    int rc = 0;

    *writer = (struct sp_fs_writer){ .path = follow(path) };
    if (!writer->path)
        return SP_ENOMEM;
    if (stat(writer->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        writer->file = fopen(writer->path, "wbe"); /* a device or a pipe is written to, never replaced */
        if (!writer->file)
            rc = io_error("write", path);
    } else {
        rc = open_temporary(writer);
    }
    if (rc < 0)
        sp_fs_writer_abandon(writer);
    return rc;
}

int sp_fs_check_writable(const char *path)
{
    struct sp_fs_writer writer;
    struct stat st;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return 0;
    SP_TRY(sp_fs_writer_open(&writer, path));
    sp_fs_writer_abandon(&writer);
    return 0;
}

int sp_fs_writer_commit(struct sp_fs_writer *writer)
{
    int rc = 0;

    errno = 0;
    if (fflush(writer->file) != 0 || ferror(writer->file) || (writer->temporary && fsync(fileno(writer->file)) != 0)) {
        errno = errno ? errno : EIO;
        rc = io_error("write", writer->path);
    }
    if (fclose(writer->file) != 0 && rc == 0)
        rc = io_error("write", writer->path);
    writer->file = NULL;
    if (rc == 0 && writer->temporary) {
        if (rename(writer->temporary, writer->path) < 0) {
            rc = io_error("replace", writer->path);
        } else {
            free(writer->temporary);
            writer->temporary = NULL;
        }
    }
    sp_fs_writer_abandon(writer);
    return rc;
}

void sp_fs_writer_abandon(struct sp_fs_writer *writer)
{
    if (writer->file)
        fclose(writer->file);
    if (writer->temporary)
        unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    *writer = (struct sp_fs_writer){ NULL, NULL, NULL };
}

int sp_fs_mkdirs(const char *path)
{
    char *copy = sp_strdup(path);
    int rc = 0;

    if (!copy)
        return SP_ENOMEM;
    for (char *p = copy + 1; rc == 0 && p[-1]; p++) {
        char saved = *p;

        if (saved != '/' && saved != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            rc = io_error("make the folder", copy);
        *p = saved;
    }
    if (rc == 0 && !sp_fs_is_dir(path))
        rc = sp_error(SP_EIO, "cannot make the folder %s: a file of that name is in the way", path);
    free(copy);
    return rc;
}

bool sp_fs_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool sp_fs_same(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino && S_ISREG(x.st_mode);
}

bool sp_fs_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *sp_fs_join(const char *folder, const char *name)
{
    if (name[0] == '/' || folder[0] == '\0')
        return sp_strdup(name);
    return sp_asprintf("%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}

char *sp_fs_cache_dir(const char *name)
{
    const char *own = getenv("SPEFT_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (own && own[0])
        return sp_fs_join(own, name);
    if (xdg && xdg[0] == '/')
        return sp_asprintf("%s/speft-cl/%s", xdg, name);
    if (home && home[0])
        return sp_asprintf("%s/.cache/speft-cl/%s", home, name);
    return NULL;
}
