/*
 * The binary cache (layer 2, inside runtime/kernel): drivers' binaries in the user's cache folder,
 * one file each, named by a SHA-256 over everything that a binary depends on. A file that is not
 * exactly what was stored is a miss and is replaced; a folder that cannot be read or written, or that
 * is not the user's or root's alone (runtime/base/private.h), is no error, but is said once. Any number
 * of processes may share the folder: files appear whole, by rename.
 * From a folder that another keeps for all, a site's, programs are only read; others are kept in the home folder's
 * cache.
 */
#ifndef SP_KERNEL_CACHE_H
#define SP_KERNEL_CACHE_H

#include "runtime/base/hash.h"
#include "runtime/device/device.h"

#include <stdbool.h>
#include <stddef.h>

/* The key of one program: format, device, driver, host processor (CPU devices), options, source. */
void sp_cache_key(char key[SP_HASH_HEX], const struct sp_device_info *info, const char *options,
                  const char *source);

/* The stored binary, freed by the caller; false for a miss. Never an error. */
bool sp_cache_load(void **out, size_t *size, const char *key);
void sp_cache_store(const char *key, const void *binary, size_t size);

/* Whether what is stored now can be expected to be there for the next run: the folder, which is made, can be written
 * and has room. */
bool sp_cache_keeps(void);

/* That what `key` names was checked and found good (check.h). */
bool sp_cache_load_verdict(const char *key);
void sp_cache_store_verdict(const char *key);

/* Removes the oldest files while there are more than a few thousand, and what killed processes left. The thread's
 * message stays: a device is closed while an error is on its way, too. */
void sp_cache_prune(void);

#endif
