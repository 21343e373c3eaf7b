/*
 * What is there in place of the model that was meant (layer 4, private to this folder): weights in forms that are not
 * read, and how to convert them; files of other kinds; models in subfolders.
 */
#ifndef SP_IO_FOREIGN_PRIV_H
#define SP_IO_FOREIGN_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* SP_ENOTFOUND, saying what form the folder's weights have and the Python that makes model.safetensors of them without
 * losing any that the model has, by the class that config.json's `architectures` names; or that they were not fetched
 * whole. `config` may be NULL: the folder has no config.json. 0 where it holds no such form. */
int sp_foreign_weights(const char *dir, const json_t *config);

/* Whether dir/name is there, be it a link to nothing. */
bool sp_foreign_has(const char *dir, const char *name);

/* SP_ENOTFOUND, naming what lies in the folder where none of those do: a download that was cut, a safetensors file
 * under another name, an export, an archive; else 0. The first of these alone. */
int sp_foreign_other(const char *dir);
int sp_foreign_unfinished(const char *dir);

/* SP_ENOTFOUND, naming a GGUF file in the folder, where there is one, else 0. */
int sp_foreign_gguf(const char *dir);

bool sp_foreign_is_archive(const char *path); /* by its name */

/* SP_EFORMAT, saying what the file is, where its first bytes are those of a known kind; else 0, and the message set
 * before stays. */
int sp_foreign_form(const char *path, const void *data, size_t size);

/* SP_ENOTFOUND, naming the folders below `dir` that hold a model, where there are any, else 0. `lacks` is what `dir`
 * itself lacks. */
int sp_foreign_subfolders(const char *dir, const char *lacks);

/* The folders below `dir`, to a depth of some, that `is` takes: to be released, after failures too. */
struct sp_foreign_found {
    size_t count;
    char *first, *list; /* the first by name, NULL for none; and several, as a message shows them */
};
int sp_foreign_below(struct sp_foreign_found *out, const char *dir, bool (*is)(const char *dir));
void sp_foreign_found_release(struct sp_foreign_found *found);

#endif
