/* Weights in forms that are not read (layer 4, private to this folder): which one a folder holds, and how to convert it. */
#ifndef SP_IO_FOREIGN_PRIV_H
#define SP_IO_FOREIGN_PRIV_H

#include <jansson.h>

/* SP_ENOTFOUND, saying what form the folder's weights have and the Python that makes model.safetensors of them without losing any
 * that the model has: by the class that config.json's `architectures` names. `config` may be NULL: the folder has no config.json.
 * 0 where it holds no such form. */
int sp_foreign_weights(const char *dir, const json_t *config);

#endif
