#include "runtime/kernel/cache.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/private.h"
#include "runtime/base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "speft-cl program 1"
#define HEADER_SIZE 256 /* room for the header; a header is shorter and padded with spaces */
#define FILE_MAX (256 << 20)
#define FILES_MAX 8192 /* programs, and a verdict for each kernel */
#define SUFFIX ".program"
#define VERDICT ".checked" /* no longer than SUFFIX */
#define FILE_NAME (SP_HASH_HEX + sizeof SUFFIX)

/* Drivers name the processor loosely, and a folder may be shared by unlike machines. */
static void hash_processor(struct sp_hash *hash)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[8192];

    while (file && fgets(line, sizeof line, file) && line[0] != '\n')
        if (strncmp(line, "model", 5) == 0 || strncmp(line, "flags", 5) == 0 ||
            strncmp(line, "Features", 8) == 0)
            sp_hash_update_string(hash, line);
    if (file)
        fclose(file);
}

void sp_cache_key(char key[SP_HASH_HEX], const struct sp_device_info *info, const char *options,
                  const char *source)
{
    const char *texts[] = { FORMAT,        info->platform, info->platform_version,
                            info->name,    info->vendor,   info->driver,
                            info->version, options,        source };
    struct sp_hash hash;

    sp_hash_init(&hash);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        sp_hash_update_string(&hash, texts[i]);
    if (info->type == SP_DEVICE_CPU)
        hash_processor(&hash);
    sp_hash_final(&hash, key);
}

/* What a file of this binary starts with: key, length and checksum, so that a truncated, changed or
 * renamed file does not match. */
static void header_of(char header[HEADER_SIZE + 1], const char *key, const void *binary,
                      size_t size)
{
    struct sp_hash hash;
    char sum[SP_HASH_HEX], text[HEADER_SIZE];

    sp_hash_init(&hash);
    sp_hash_update(&hash, binary, size);
    sp_hash_final(&hash, sum);
    snprintf(text, sizeof text, "%s\n%s\n%zu bytes\n%s\n", FORMAT, key, size, sum);
    snprintf(header, HEADER_SIZE + 1, "%-*s", HEADER_SIZE, text);
}

static bool is_verdict(const char *suffix)
{
    return strcmp(suffix, VERDICT) == 0;
}

/* The message at hand without the entry's name, in a new string: what is the same of every entry of a folder is told of
 * one. */
static char *kind_of_trouble(const char *entry)
{
    const char *message = sp_error_message(), *at = strstr(message, entry);

    return at ? sp_asprintf("%.*s%s", (int)(at - message), message, at + strlen(entry)) : sp_strdup(message);
}

/* The message at hand, about this entry or, with "", the folder, is why the cache is of no use, or of less. */
static void tell_not_kept(const char *entry, const char *suffix)
{
    char *kind = kind_of_trouble(entry);

    if (kind)
        sp_log_once_of(kind, SP_LOG_WARNING,
                       "%s are not kept for the next run: %s (SPEFT_CACHE_DIR names another cache folder)",
                       is_verdict(suffix) ? "verdicts of the self-test" : "compiled programs", sp_error_message());
    free(kind);
}

static void tell_not_used(const char *entry, const char *suffix)
{
    char *kind = kind_of_trouble(entry);

    if (kind)
        sp_log_once_of(kind, SP_LOG_WARNING, "a %s is not used: %s; others of which the same holds are not named",
                       is_verdict(suffix) ? "verdict of the self-test" : "compiled program", sp_error_message());
    free(kind);
}

/* Opens a folder of programs. One that there is no use of is told of once; one that is not there is nothing to tell. */
static bool open_at(struct sp_private *out, char *path, bool make)
{
    int rc = path ? sp_private_open(out, path, make)
                  : sp_error(SP_EINVAL, "neither HOME nor XDG_CACHE_HOME names a folder");

    if (rc < 0 && rc != SP_ENOTFOUND)
        tell_not_kept("", SUFFIX);
    if (rc < 0 && path)
        sp_private_close(out);
    free(path);
    return rc == 0;
}

static bool open_folder(struct sp_private *out, bool make)
{
    return open_at(out, sp_fs_cache_dir("programs"), make);
}

/* Whether the folder is a site's: another's, in which this user only reads. */
static bool is_site(const struct sp_private *folder)
{
    struct stat st;

    return fstat(folder->fd, &st) == 0 && st.st_uid != geteuid() && faccessat(folder->fd, ".", W_OK, AT_EACCESS) < 0;
}

/* The folder to keep programs in: what a site's lacks goes to the user's own, in the home folder. */
static bool open_own(struct sp_private *out, bool make)
{
    if (!open_folder(out, make))
        return false;
    if (!is_site(out))
        return true;
    sp_private_close(out);
    return open_at(out, sp_fs_home_cache_dir("programs"), make);
}

static void name_of(char name[FILE_NAME], const char *key, const char *suffix)
{
    snprintf(name, FILE_NAME, "%s%s", key, suffix);
}

/* Reads an entry and holds it against its header. */
static bool read_entry(char **data, size_t *length, const struct sp_private *folder, const char *name, const char *key,
                       const char *suffix)
{
    char header[HEADER_SIZE + 1];
    int rc = sp_private_read(data, length, folder, name, FILE_MAX);

    if (rc < 0) {
        if (rc != SP_ENOTFOUND)
            tell_not_used(name, suffix);
        return false;
    }
    if (*length > HEADER_SIZE) {
        header_of(header, key, *data + HEADER_SIZE, *length - HEADER_SIZE);
        if (memcmp(*data, header, HEADER_SIZE) == 0)
            return true;
    }
    free(*data);
    return false;
}

static bool load(void **out, size_t *size, const char *key, const char *suffix)
{
    struct sp_private folder;
    char name[FILE_NAME], *data;
    size_t length;
    bool hit;

    if (!open_folder(&folder, false))
        return false;
    name_of(name, key, suffix);
    hit = read_entry(&data, &length, &folder, name, key, suffix);
    if (!hit && is_site(&folder)) {
        sp_private_close(&folder);
        if (!open_own(&folder, false))
            return false;
        hit = read_entry(&data, &length, &folder, name, key, suffix);
    }
    if (hit) {
        utimensat(folder.fd, name, NULL, AT_SYMLINK_NOFOLLOW); /* used now: the last to be pruned */
        *size = length - HEADER_SIZE;
        memmove(data, data + HEADER_SIZE, *size);
        *out = data;
    }
    sp_private_close(&folder);
    return hit;
}

static void store(const char *key, const void *binary, size_t size, const char *suffix)
{
    char header[HEADER_SIZE + 1], name[FILE_NAME];
    struct sp_private folder;
    struct sp_fs_writer writer;

    if (size > FILE_MAX - HEADER_SIZE || !open_own(&folder, true))
        return;
    name_of(name, key, suffix);
    if (sp_private_writer_open(&writer, &folder, name) == 0) {
        header_of(header, key, binary, size);
        (void)sp_fs_writer_put(&writer, header, HEADER_SIZE); /* commit fails with it */
        (void)sp_fs_writer_put(&writer, binary, size);
        if (sp_fs_writer_commit(&writer) < 0)
            tell_not_kept(name, suffix);
    } else {
        tell_not_kept(name, suffix);
    }
    sp_private_close(&folder);
}

bool sp_cache_load(void **out, size_t *size, const char *key)
{
    return load(out, size, key, SUFFIX);
}

void sp_cache_store(const char *key, const void *binary, size_t size)
{
    store(key, binary, size, SUFFIX);
}

bool sp_cache_load_verdict(const char *key)
{
    void *data = NULL;
    size_t size;
    bool found = load(&data, &size, key, VERDICT);

    free(data);
    return found;
}

void sp_cache_store_verdict(const char *key)
{
    store(key, "good\n", 5, VERDICT);
}

bool sp_cache_keeps(void)
{
    struct sp_private folder;
    bool keeps;

    if (!open_own(&folder, true))
        return false;
    keeps = faccessat(folder.fd, ".", W_OK, AT_EACCESS) == 0 && sp_private_has_room(&folder);
    sp_private_close(&folder);
    return keeps;
}

struct aged {
    struct timespec used;
    char name[FILE_NAME];
};

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const struct aged *)a)->used,
                          *y = &((const struct aged *)b)->used;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* The folder's programs in a new array. */
static size_t list_files(struct aged **out, DIR *dir)
{
    size_t count = 0, capacity = 0;
    struct aged *files = NULL;
    struct stat st;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *suffix = strrchr(entry->d_name, '.');
        size_t length = strlen(entry->d_name);

        if (length >= sizeof files->name || !suffix || (strcmp(suffix, SUFFIX) != 0 && strcmp(suffix, VERDICT) != 0) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            sp_grow(&files, count, &capacity, sizeof *files, 1 << 20, "cached programs") < 0)
            continue;
        files[count].used = st.st_mtim;
        memcpy(files[count++].name, entry->d_name, length + 1);
    }
    *out = files;
    return count;
}

static void prune(void)
{
    struct sp_private folder;
    struct aged *files;
    size_t count;
    DIR *dir;
    int fd;

    if (!open_own(&folder, false))
        return;
    sp_process_clear(folder.fd, NULL);
    fd = openat(folder.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd >= 0 ? fdopendir(fd) : NULL;
    count = list_files(&files, dir);
    if (count > FILES_MAX) {
        qsort(files, count, sizeof *files, by_age);
        for (size_t i = 0; i < count - FILES_MAX * 3 / 4; i++)
            unlinkat(folder.fd, files[i].name, 0);
    }
    if (dir)
        closedir(dir);
    free(files);
    sp_private_close(&folder);
}

void sp_cache_prune(void)
{
    char *message = sp_strdup(sp_error_message());

    prune();
    if (message)
        (void)sp_error(0, "%s", message);
    free(message);
}
