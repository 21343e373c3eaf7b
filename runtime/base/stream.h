/* Standard input as if it were a mapped file (layer 0): what is no file is read to its end, up to a limit. */
#ifndef SP_BASE_STREAM_H
#define SP_BASE_STREAM_H

#include "runtime/base/fs.h"

/* Maps what `fd` has left to give, `name` in messages: a regular file from its start as it is, everything else in
 * memory. More than `limit` bytes of the latter is SP_ELIMIT. Release it by sp_fs_unmap. */
int sp_stream_map(struct sp_map *out, int fd, const char *name, size_t limit);

#endif
