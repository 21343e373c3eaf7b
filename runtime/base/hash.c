#include "runtime/base/hash.h"

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
