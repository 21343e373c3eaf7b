#include "runtime/base/process.h"

#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_ROOM 180 /* bytes of a name that are kept before the mark: the whole stays below 255 */
#define MARK "%ld-%llu-%08lx" /* PID, start, host */
#define FOREIGN_SECONDS (24 * 60 * 60)

/* When the process began, in ticks since the machine did: with it a process is not taken for a later one of the same
 * number. 0 where it is not known. */
static unsigned long long start_of(long pid)
{
    char path[64], text[1024], *at;
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    at = strrchr(text, ')'); /* the second field is a name that may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

void sp_process_host(char host[SP_PROCESS_HOST])
{
    if (gethostname(host, SP_PROCESS_HOST) < 0 || !host[0])
        snprintf(host, SP_PROCESS_HOST, "an unknown host");
    host[SP_PROCESS_HOST - 1] = '\0';
}

/* The first line of a file of the system's, without its end; "" where there is none. */
static void read_line(char *line, int size, const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file || !fgets(line, size, file))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (file)
        fclose(file);
}

/*
 * Within one host (and one space of process numbers, as containers have their own) processes know each other. Two
 * machines may have one name and one number for that space, which is the same on every Linux, but not one boot.
 */
static unsigned long host_mark(void)
{
    char host[SP_PROCESS_HOST], space[64] = "", boot[64] = "", sum[SP_HASH_HEX];
    struct sp_hash hash;

    sp_process_host(host);
    if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0)
        space[0] = '\0';
    read_line(boot, sizeof boot, "/proc/sys/kernel/random/boot_id");
    sp_hash_init(&hash);
    sp_hash_update_string(&hash, host);
    sp_hash_update_string(&hash, space);
    sp_hash_update_string(&hash, boot);
    sp_hash_final(&hash, sum);
    sum[8] = '\0';
    return strtoul(sum, NULL, 16);
}

void sp_process_mark(char mark[SP_PROCESS_MARK])
{
    snprintf(mark, SP_PROCESS_MARK, MARK, (long)getpid(), start_of((long)getpid()), host_mark());
}

char *sp_process_beside(const char *path, const char *purpose, int attempt)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char mark[SP_PROCESS_MARK];

    sp_process_mark(mark);
    return sp_asprintf("%.*s%.*s.%s-%s-%d", (int)(name - path), path, NAME_ROOM, name, purpose, mark, attempt);
}

/* What a name says of its maker. */
struct maker {
    size_t base; /* bytes of the name before the mark */
    bool aside;  /* "old": what was moved out of the way of something new */
    long pid;
    unsigned long long start;
    unsigned long host;
};

static const char *last_part(const char *name, const char *part)
{
    const char *at = NULL;

    for (const char *p = name; (p = strstr(p, part)) != NULL; p++)
        at = p;
    return at;
}

/* Only exactly what sp_process_beside makes: `data.csv.tmp-20230101-120000` is a user's own. */
static bool parse(struct maker *maker, const char *name)
{
    const char *tmp = last_part(name, ".tmp-"), *old = last_part(name, ".old-"), *at = tmp ? tmp : old;
    char again[SP_PROCESS_MARK + 32];
    char *end;
    long attempt;

    if (!at || at == name)
        return false;
    *maker = (struct maker){ .base = (size_t)(at - name), .aside = !tmp };
    at += strlen(".tmp-");
    maker->pid = strtol(at, &end, 10);
    maker->start = strtoull(*end ? end + 1 : end, &end, 10);
    maker->host = strtoul(*end ? end + 1 : end, &end, 16);
    attempt = strtol(*end ? end + 1 : end, NULL, 10);
    if (maker->pid <= 0 || attempt < 0)
        return false;
    snprintf(again, sizeof again, MARK "-%ld", maker->pid, maker->start, maker->host, attempt);
    return strcmp(at, again) == 0;
}

/* What mkstemp makes of XXXXXX, and hardly a person: six letters and digits in disorder, capital and small ones, which
 * no hexadecimal number has. */
static bool is_random(const char *text)
{
    bool small = false, capital = false;
    int changes = 0;

    for (int i = 0; i < 6; i++) {
        if (!isalnum((unsigned char)text[i]))
            return false;
        small = small || islower((unsigned char)text[i]);
        capital = capital || isupper((unsigned char)text[i]);
        changes += i > 0 && (!isdigit((unsigned char)text[i]) != !isdigit((unsigned char)text[i - 1]) ||
                             !isupper((unsigned char)text[i]) != !isupper((unsigned char)text[i - 1]));
    }
    return text[6] == '\0' && changes >= 3 && small && capital;
}

/* Whether the name is one that the program gives to what it keeps, KEY.program, up to the point. */
static bool is_kept(const char *name, const char *point)
{
    const char *kind = name + strspn(name, "0123456789abcdef");

    return kind - name == SP_HASH_HEX - 1 && *kind == '.' &&
           kind + 1 + strspn(kind + 1, "abcdefghijklmnopqrstuvwxyz") == point;
}

/* Whether all names in the folder begin as `base` does up to its first point, and with that: adapter.json for
 * adapter.unevaluated. */
static bool has_only(int at, const char *name, const char *base)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    size_t length = strcspn(base, ".");
    bool only = folder != NULL;

    for (struct dirent *entry; only && (entry = readdir(folder));)
        only = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
               (strncmp(entry->d_name, base, length) == 0 && entry->d_name[length] == '.');
    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
    return only;
}

/*
 * Earlier versions' names say less: BASE.tmp-PID-N of a folder, BASE.XXXXXX of a file. So more must speak for their
 * being ours: no process has the number, and a folder for `adapter` holds nothing but adapter.json and
 * adapter.safetensors; a file has mkstemp's letters and is a day old, and, where any may be meant, has a name that only
 * the program gives: the folder may be a user's, too.
 */
static bool is_of_earlier(int at, const char *name, const char *base, const struct stat *st)
{
    const char *point = base ? name + strlen(base) : strrchr(name, '.');
    char again[64], *end;
    long pid, attempt;

    if (!point || point == name || (base && strncmp(name, base, strlen(base)) != 0) || *point != '.')
        return false;
    if (S_ISREG(st->st_mode))
        return is_random(point + 1) && (base || is_kept(name, point)) && time(NULL) - st->st_mtime > FOREIGN_SECONDS;
    if (!base || strncmp(point, ".tmp-", strlen(".tmp-")) != 0)
        return false;
    pid = strtol(point + strlen(".tmp-"), &end, 10);
    attempt = strtol(*end ? end + 1 : end, NULL, 10);
    if (pid <= 0 || attempt < 0 || attempt >= SP_PROCESS_ATTEMPTS)
        return false;
    snprintf(again, sizeof again, ".tmp-%ld-%ld", pid, attempt);
    return strcmp(point, again) == 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH && has_only(at, name, base);
}

static bool is_gone(const struct maker *maker, const struct stat *st)
{
    unsigned long long start;

    if (maker->host != host_mark())
        return time(NULL) - st->st_mtime > FOREIGN_SECONDS;
    if (kill((pid_t)maker->pid, 0) < 0 && errno == ESRCH)
        return true;
    start = start_of(maker->pid);
    return maker->start && start && start != maker->start;
}

/* Whether the maker of the name is gone, and made it beside `base`, NULL: beside anything. */
static bool is_left(struct maker *maker, const char *name, const char *base, const struct stat *st)
{
    size_t length = base ? strnlen(base, NAME_ROOM) : 0;

    return parse(maker, name) && (!base || (maker->base == length && memcmp(name, base, length) == 0)) &&
           is_gone(maker, st);
}

/* A file or folder of this user's. */
static bool is_own(struct stat *st, int folder, const char *name)
{
    return fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW) == 0 && st->st_uid == geteuid() &&
           (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

bool sp_process_is_left(int folder, const char *name, const char *base)
{
    struct maker maker;
    struct stat st;

    return is_own(&st, folder, name) && is_left(&maker, name, base, &st);
}

int sp_process_dissolve(int at, const char *name, const char *heir)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int to = heir && fd >= 0 ? openat(at, heir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool unknown = heir && to < 0 && errno != ENOENT; /* what it lacks */
    DIR *folder = fd >= 0 && !unknown ? fdopendir(fd) : NULL;
    struct maker maker;
    int rc;

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *file = entry->d_name;

        if (strcmp(file, ".") == 0 || strcmp(file, "..") == 0)
            continue;
        if (to < 0 || parse(&maker, file) || faccessat(to, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            (void)unlinkat(fd, file, 0);
        else
            (void)renameat(fd, file, to, file);
    }
    if (to >= 0)
        close(to);
    rc = unlinkat(at, name, AT_REMOVEDIR);
    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
    return rc;
}

/* A file, or a folder and the files in it. A process that was killed after its folder had changed places with `base`
 * left in it what a person had put there, which stays where there is no `base` that it could move to. */
static void remove_entry(int at, const char *name, const char *base)
{
    struct stat st;
    bool is_folder = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);

    if (is_folder && base && faccessat(at, base, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && !has_only(at, name, base)) {
        sp_log(SP_LOG_WARNING,
               "%s, which a process that is gone left, holds more than this program writes: move that where it is to "
               "stay, and remove the folder",
               name);
        return;
    }
    if ((is_folder ? sp_process_dissolve(at, name, base) : unlinkat(at, name, 0)) == 0)
        sp_log(SP_LOG_INFO, "removed %s, which a process that is gone left", name);
}

/* What was aside goes back where nothing has come in its place; all else is removed. */
static void clear(int at, const char *name, const struct maker *maker, const char *base)
{
    if (!base || !maker->aside)
        remove_entry(at, name, base);
    else if (faccessat(at, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        remove_entry(at, name, base);
    else if (errno == ENOENT && renameat(at, name, at, base) == 0)
        sp_log(SP_LOG_INFO, "put %s back as %s: a process that is gone had moved it aside", name, base);
}

void sp_process_clear(int folder, const char *base)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* read from its beginning */
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *name = entry->d_name;
        struct maker maker;
        struct stat st;

        if (!is_own(&st, folder, name))
            continue;
        if (is_left(&maker, name, base, &st))
            clear(folder, name, &maker, base);
        else if (!parse(&maker, name) && is_of_earlier(folder, name, base, &st))
            remove_entry(folder, name, NULL);
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

int sp_process_clear_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? sp_strndup(path, (size_t)(slash - path) + 1) : sp_strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        sp_process_clear(fd, slash ? slash + 1 : path);
        close(fd);
    }
    if (!folder)
        return SP_ENOMEM;
    free(folder);
    return 0;
}
