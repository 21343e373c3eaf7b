/* SHA-256 by nettle (layer 0), as 64 lower-case hexadecimal digits. */
#ifndef SP_BASE_HASH_H
#define SP_BASE_HASH_H

#include <nettle/sha2.h>
#include <stddef.h>

#define SP_HASH_HEX 65 /* digits and the terminator */

struct sp_hash {
    struct sha256_ctx sha256;
};

void sp_hash_init(struct sp_hash *hash);
void sp_hash_update(struct sp_hash *hash, const void *data, size_t length);

/* Adds a string with its terminator, so that ("ab","c") and ("a","bc") differ. */
void sp_hash_update_string(struct sp_hash *hash, const char *text);
void sp_hash_final(struct sp_hash *hash, char hex[SP_HASH_HEX]);

/* Of a whole file. SP_EIO when it cannot be read. */
int sp_hash_file(char hex[SP_HASH_HEX], const char *path);

#endif
