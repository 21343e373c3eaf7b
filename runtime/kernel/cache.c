#include "runtime/kernel/cache.h"

#include "runtime/base/fs.h"
#include "runtime/base/mem.h"

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
#define FILES_MAX 4096
#define SUFFIX ".program"

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

static char *path_of(const char *key)
{
    char *folder = sp_fs_cache_dir("programs"), *path;

    path = folder ? sp_asprintf("%s/%s" SUFFIX, folder, key) : NULL;
    free(folder);
    return path;
}

bool sp_cache_load(void **out, size_t *size, const char *key)
{
    char header[HEADER_SIZE + 1], *path = path_of(key), *data = NULL;
    size_t length = 0;
    bool hit = false;

    if (path && sp_fs_read(&data, &length, path, FILE_MAX) == 0 && length > HEADER_SIZE) {
        header_of(header, key, data + HEADER_SIZE, length - HEADER_SIZE);
        hit = memcmp(data, header, HEADER_SIZE) == 0;
    }
    if (hit) {
        utimensat(AT_FDCWD, path, NULL, 0); /* used now: the last to be pruned */
        *size = length - HEADER_SIZE;
        memmove(data, data + HEADER_SIZE, *size);
        *out = data;
    } else {
        free(data);
    }
    free(path);
    return hit;
}

void sp_cache_store(const char *key, const void *binary, size_t size)
{
    char *folder = sp_fs_cache_dir("programs"), *path = path_of(key), header[HEADER_SIZE + 1];
    struct sp_fs_writer writer;

    if (folder && path && size <= FILE_MAX - HEADER_SIZE && sp_fs_mkdirs(folder) == 0 &&
        sp_fs_writer_open(&writer, path) == 0) {
        header_of(header, key, binary, size);
        fwrite(header, 1, HEADER_SIZE, writer.file); /* commit sees a short write */
        fwrite(binary, 1, size, writer.file);
        sp_fs_writer_commit(&writer);
    }
    free(path);
    free(folder);
}

struct aged {
    struct timespec used;
    char name[SP_HASH_HEX + sizeof SUFFIX];
};

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const struct aged *)a)->used,
                          *y = &((const struct aged *)b)->used;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

void sp_cache_prune(void)
{
    char *folder = sp_fs_cache_dir("programs");
    DIR *dir = folder ? opendir(folder) : NULL;
    struct aged *files = NULL;
    size_t count = 0, capacity = 0;
    struct stat st;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);

        if (length >= sizeof files->name || length < sizeof SUFFIX ||
            strcmp(entry->d_name + length - (sizeof SUFFIX - 1), SUFFIX) != 0 ||
            fstatat(dirfd(dir), entry->d_name, &st, 0) != 0 ||
            sp_grow(&files, count, &capacity, sizeof *files, 1 << 20, "cached programs") < 0)
            continue;
        files[count].used = st.st_mtim;
        memcpy(files[count++].name, entry->d_name, length + 1);
    }
    if (count > FILES_MAX) {
        qsort(files, count, sizeof *files, by_age);
        for (size_t i = 0; i < count - FILES_MAX * 3 / 4; i++)
            unlinkat(dirfd(dir), files[i].name, 0);
    }
    if (dir)
        closedir(dir);
    free(files);
    free(folder);
}
