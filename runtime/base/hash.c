#include "runtime/base/hash.h"

#include "runtime/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void sp_hash_init(struct sp_hash *hash)
{
    sha256_init(&hash->sha256);
}

void sp_hash_update(struct sp_hash *hash, const void *data, size_t length)
{
    sha256_update(&hash->sha256, length, data);
}

void sp_hash_update_string(struct sp_hash *hash, const char *text)
{
    sp_hash_update(hash, text, strlen(text) + 1);
}

void sp_hash_final(struct sp_hash *hash, char hex[SP_HASH_HEX])
{
    unsigned char digest[SHA256_DIGEST_SIZE];

    sha256_digest(&hash->sha256, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

int sp_hash_file(char hex[SP_HASH_HEX], const char *path)
{
    FILE *file = fopen(path, "rbe");
    struct sp_hash hash;
    char buffer[1 << 16];
    size_t got;
    int failed;

    if (!file)
        return sp_error(SP_EIO, "cannot open %s: %s", path, strerror(errno));
    sp_hash_init(&hash);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        sp_hash_update(&hash, buffer, got);
    failed = ferror(file);
    fclose(file);
    if (failed)
        return sp_error(SP_EIO, "cannot read %s", path);
    sp_hash_final(&hash, hex);
    return 0;
}
