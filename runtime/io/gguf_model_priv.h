/*
 * What a GGUF holds as a model in Hugging Face's terms (layer 4, private to this folder): config.json, the names of
 * tensors and their numbers, tokenizer.json, made of the file's metadata and tensors. Of which architectures:
 * gguf_model.c. JSON is the caller's; all else is borrowed from the open file.
 */
#ifndef SP_IO_GGUF_MODEL_PRIV_H
#define SP_IO_GGUF_MODEL_PRIV_H

#include "runtime/io/gguf.h"

#include <jansson.h>

struct sp_gguf_architecture {
    const char *name;       /* "general.architecture", and the beginning of its keys */
    const char *model_type; /* Hugging Face's */
    const char *class;      /* "LlamaForCausalLM" */
    bool interleaved;       /* rows of q and k lie by turns: sp_tensor_form's heads */
    bool norms_added;       /* norms have 1 added */
};

/* The file's architecture; SP_EFORMAT, naming it and those that are read, for another. */
int sp_gguf_architecture(const struct sp_gguf_architecture **out, const struct sp_gguf *file);

/* config.json. A variant that would be computed wrongly from it is refused by its key. */
int sp_gguf_config(json_t **out, const struct sp_gguf *file);

/* The tensors under Hugging Face's names, sorted by these; `config` is what sp_gguf_config made. */
struct sp_gguf_tensors {
    struct sp_tensor_info *list;
    size_t count;
    struct sp_tensor_form *forms;
    char *names;
};
int sp_gguf_tensors(struct sp_gguf_tensors *out, const struct sp_gguf *file, const json_t *config);
void sp_gguf_tensors_release(struct sp_gguf_tensors *tensors); /* after failures too */

/* What tokenizer.json and tokenizer_config.json would hold. SP_ENOTFOUND: the file has no tokenizer, or one of a kind
 * that is not supported. */
int sp_gguf_tokenizer(json_t **definition, json_t **config, const struct sp_gguf *file);

#endif
