#include "runtime/base/fs.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAPS_MAX 256     /* maps whose names a bus error finds */
#define MAP_NAME_MAX 512 /* bytes of such a name */
#define LINK_SHOWN 300   /* bytes of a link's target in a message */
#define ANSWER_MAX 500   /* bytes of a site's answer, which is one line */
#define ANSWER_SHOWN 80
#define POINTER_MAX 1024 /* bytes of a Git LFS pointer, by its specification */

int sp_fs_error(const char *doing, const char *path)
{
    int code = errno == ENOENT ? SP_ENOTFOUND : errno == ENOMEM ? SP_ENOMEM : SP_EIO, saved = errno;
    char target[LINK_SHOWN];
    ssize_t length = saved == ENOENT ? readlink(path, target, sizeof target) : -1;

    if (length > 0)
        return sp_error(code,
                        "cannot %s %s: it is a link to %.*s%s, which is not there; copy or fetch what the link leads "
                        "to, too",
                        doing, path, (int)length, target, length == sizeof target ? "..." : "");
    errno = saved;
    return sp_error(code, "cannot %s %s: %s", doing, path, strerror(errno));
}

/* What is mapped, for signal handlers: an entry counts while its start is set, and its name stays as it is
 * meanwhile. */
static struct named_map {
    _Atomic uintptr_t start;
    size_t size;
    char name[MAP_NAME_MAX];
} named_maps[MAPS_MAX];

static void note_map(const struct sp_map *map, const char *path)
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        struct named_map *named = &named_maps[i];
        uintptr_t free_entry = 0;

        if (!atomic_compare_exchange_strong(&named->start, &free_entry, 1)) /* 1: taken, and at no address yet */
            continue;
        named->size = map->size;
        strncpy(named->name, path, MAP_NAME_MAX - 1);
        atomic_store(&named->start, (uintptr_t)map->data);
        return;
    }
}

static void forget_map(const struct sp_map *map)
{
    for (size_t i = 0; i < MAPS_MAX; i++)
        if (atomic_load(&named_maps[i].start) == (uintptr_t)map->data)
            atomic_store(&named_maps[i].start, 0);
}

const char *sp_fs_map_name(const void *address)
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        uintptr_t start = atomic_load(&named_maps[i].start), at = (uintptr_t)address;

        if (start > 1 && at >= start && at - start < named_maps[i].size)
            return named_maps[i].name;
    }
    return NULL;
}

/* What Git leaves of a large file that was not fetched. */
static int refuse_pointer(const char *path, const void *data, size_t size)
{
    static const char *const versions[] = { "version https://git-lfs.github.com/spec/",
                                            "version https://hawser.github.com/spec/" };
    bool is = false;

    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) /* the second is of LFS before its release */
        is = is ||
             (size > strlen(versions[i]) && size <= POINTER_MAX && memcmp(data, versions[i], strlen(versions[i])) == 0);
    if (!is)
        return 0;
    return sp_error(SP_EFORMAT,
                    "%s is a Git LFS pointer, %zu bytes in place of the file itself: fetch that with `git lfs pull` in "
                    "its folder, or download it by itself",
                    path, size);
}

static int refuse_archive(const char *path, const char *data, size_t size)
{
    bool gzip = size >= 2 && memcmp(data, "\037\213", 2) == 0;

    if (!gzip && (size < 4 || memcmp(data, "PK\003\004", 4) != 0))
        return 0;
    return sp_error(SP_EFORMAT, "%s is packed, as a %s archive: unpack it", path, gzip ? "gzip" : "zip");
}

/* Whether the text begins with one of the list, which ends in NULL, in any case of letters. */
static bool begins_with(const char *text, size_t size, const char *const *list)
{
    for (; *list; list++)
        if (size >= strlen(*list) && strncasecmp(text, *list, strlen(*list)) == 0)
            return true;
    return false;
}

int sp_fs_refuse_page(const char *path, const char *text, size_t size)
{
    static const char *const pages[] = { "<!DOCTYPE html", "<html", "<head", "<?xml", "<Error>", NULL };
    static const char *const answers[] = {
        "Entry not found", "Repository not found", "Revision not found", "File not found", "Not found",
        "Page not found", "404: ", "404 ", "403: ", "403 ", "401: ", "401 ", "Access denied", "Access to ",
        "Forbidden", "Unauthorized",
        "Invalid credentials", "Invalid username or password", "Too many requests", "Rate limit", "Bad gateway",
        "Gateway timeout", "Internal server error", "Service unavailable", NULL,
    };

    size_t mark = sp_text_mark(text, size);

    text += mark;
    size -= mark;
    while (size > 0 && strchr(" \t\r\n", *text)) {
        text++;
        size--;
    }
    if (begins_with(text, size, pages))
        return sp_error(SP_EFORMAT,
                        "%s is a page in HTML or XML, as a site sends it in place of a file: download the file itself",
                        path);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        size--;
    if (size <= ANSWER_MAX && begins_with(text, size, answers) && !memchr(text, '\n', size))
        return sp_error(SP_EFORMAT, "%s holds \"%.*s\", a site's answer in place of a file: download the file itself",
                        path, size < ANSWER_SHOWN ? (int)size : ANSWER_SHOWN, text);
    return 0;
}

int sp_fs_map(struct sp_map *out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer opens at once */
    int rc;

    *out = (struct sp_map){ .data = NULL };
    SP_TRY(fd < 0 ? sp_fs_error("open", path) : sp_fs_map_fd(out, fd, path));
    rc = refuse_pointer(path, out->data, out->size);
    if (rc < 0)
        sp_fs_unmap(out);
    return rc;
}

int sp_fs_map_fd(struct sp_map *out, int fd, const char *path)
{
    struct stat st;
    void *data;
    int rc = 0;

    *out = (struct sp_map){ .data = NULL };
    if (fstat(fd, &st) < 0) {
        rc = sp_fs_error("read", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = sp_error(SP_EIO, "%s is a %s; a regular file is expected", path,
                      S_ISDIR(st.st_mode) ? "folder" : S_ISFIFO(st.st_mode) ? "pipe" : "device or socket");
    } else if (st.st_size > 0) {
        /* where standard input is closed, no file stands in for it */
        int kept = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

        data = kept < 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, kept, 0);
        if (data == MAP_FAILED) {
            rc = sp_fs_error("map", path);
            if (kept >= 0)
                close(kept);
        } else {
            *out = (struct sp_map){ .data = data, .size = (size_t)st.st_size, .file = st, .fd = kept };
            note_map(out, path);
        }
    }
    close(fd);
    return rc;
}

void sp_fs_unmap(struct sp_map *map)
{
    if (map->data && !map->owned) {
        forget_map(map);
        munmap((void *)(size_t)map->data, map->size);
        close(map->fd);
    }
    free(map->owned);
    *map = (struct sp_map){ .data = NULL };
}

void sp_fs_map_forget(const struct sp_map *map)
{
    if (map->data && !map->owned)
        madvise((void *)(size_t)map->data, map->size, MADV_DONTNEED);
}

bool sp_fs_changed(int fd, const struct stat *then)
{
    struct stat now;

    return fstat(fd, &now) == 0 && S_ISREG(now.st_mode) &&
           (now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

bool sp_fs_map_changed(const struct sp_map *map)
{
    return map->data && !map->owned && sp_fs_changed(map->fd, &map->file);
}

int sp_fs_map_check_unchanged(const struct sp_map *map, const char *path)
{
    if (!sp_fs_map_changed(map))
        return 0;
    return sp_error(SP_EIO,
                    "%s was written to or touched while it was in use, so that what was read of it is not known for "
                    "sure; new weights belong into a file of their own, renamed over the old",
                    path);
}

int sp_fs_read(char **out, size_t *length, const char *path, size_t limit)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
    size_t size;

    SP_TRY(fd < 0 ? sp_fs_error("open", path) : sp_fs_read_fd(out, &size, fd, path, limit));
    rc = refuse_pointer(path, *out, size);
    if (rc == 0)
        rc = refuse_archive(path, *out, size);
    if (rc == 0)
        rc = sp_fs_refuse_page(path, *out, size);
    if (rc < 0) {
        free(*out);
        *out = NULL;
    } else if (length) {
        *length = size;
    }
    return rc;
}

int sp_fs_read_fd(char **out, size_t *length, int fd, const char *path, size_t limit)
{
    struct sp_buf buf = SP_BUF(limit);
    FILE *file = fdopen(fd, "rb");
    char block[65536];
    size_t got;
    int rc = 0;

    if (!file) {
        close(fd);
        return SP_ENOMEM;
    }
    while (rc == 0 && (got = fread(block, 1, sizeof block, file)) > 0)
        rc = sp_buf_append(&buf, block, got);
    if (rc == SP_ELIMIT)
        rc = sp_error(SP_ELIMIT, "%s is larger than the limit of %zu bytes", path, limit);
    if (rc == 0 && ferror(file))
        rc = sp_fs_error("read", path);
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

bool sp_fs_is_unexpanded(char *why, size_t size, const char *path)
{
    const char *home = getenv("HOME"), *variable = strchr(path, '$');
    size_t scheme = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789+");

    if (strcmp(path, "~") == 0 || strncmp(path, "~/", 2) == 0)
        snprintf(why, size,
                 "in which only a shell reads ~ as the home folder; write %s%s, or ./%s for a folder of that name",
                 home ? home : "the whole path: /home/...", home ? path + 1 : "", path);
    else if (variable && (isalpha((unsigned char)variable[1]) || strchr("_{", variable[1])) && variable[1] &&
             !sp_fs_exists(path))
        snprintf(why, size, "in which only a shell replaces %.*s by its value; write the whole path",
                 (int)strcspn(variable, "/.-"), variable);
    else if (scheme && strncmp(path + scheme, "://", 3) == 0)
        snprintf(why, size, "an address, where one on this machine is expected; download it and give its path");
    else
        return false;
    return true;
}

bool sp_fs_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

int sp_fs_check_way(const char *path)
{
    struct stat st;
    char *copy;
    int rc = 0;

    if (stat(path, &st) == 0 || errno != EACCES)
        return 0;
    copy = sp_strdup(path);
    if (!copy)
        return SP_ENOMEM;
    for (char *p = copy; rc == 0 && (p = strchr(p + 1, '/')) != NULL;) {
        *p = '\0';
        if (faccessat(AT_FDCWD, copy, X_OK, AT_EACCESS) < 0 && errno == EACCES)
            rc = sp_fs_error("look into the folder", copy);
        *p = '/';
    }
    free(copy);
    return rc;
}

bool sp_fs_has_name(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
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
    const char *named = getenv("SPEFT_CACHE_DIR");

    return named && named[0] ? sp_fs_join(named, name) : sp_fs_home_cache_dir(name);
}

char *sp_fs_home_cache_dir(const char *name)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (xdg && xdg[0] == '/')
        return sp_asprintf("%s/speft-cl/%s", xdg, name);
    if (home && home[0])
        return sp_asprintf("%s/.cache/speft-cl/%s", home, name);
    return NULL;
}
