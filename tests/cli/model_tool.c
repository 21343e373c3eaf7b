/*
 * Model folders for the command tests.
 *
 *     model_tool random DIR LAYERS           a BERT body without a head, its values drawn at random
 *     model_tool head FILE OUTPUTS           FILE with a classifier of so many outputs, drawn at random
 *     model_tool drop FILE PREFIX            FILE without the tensors whose names begin so
 *     model_tool rename FILE FROM TO         the beginning FROM of names becomes TO; FROM may be ""
 *     model_tool reshape FILE NAME           the tensor NAME flat
 *     model_tool cast FILE NAME              the tensor NAME as I32 of the same bytes
 *     model_tool zero FILE NAME              all of NAME becomes 0
 *     model_tool set FILE NAME WORD          the first element of NAME becomes the 32-bit word (hexadecimal)
 *
 * FILE is a safetensors file and is replaced.
 */
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The sizes are those of tests/data/reference/multiclass, for the sake of compiled kernels. */
enum { VOCAB = 31, POSITIONS = 40, HIDDEN = 64, INTERMEDIATE = 90, TENSORS_MAX = 512 };

static struct sp_tensor_info tensors[TENSORS_MAX];
static size_t count;
static struct sp_safetensors *file;

/* What is freed at the end. */
static void *kept[4 * TENSORS_MAX];
static size_t kept_count;

static void *keep(void *memory)
{
    if (!memory || kept_count == sizeof kept / sizeof *kept) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return kept[kept_count++] = memory;
}

/* ---- a random model ---------------------------------------------------------------------------------------------- */

static void add(char *name, size_t rows, size_t cols)
{
    size_t elements = rows * (cols ? cols : 1);
    float *data = keep(sp_calloc(elements, sizeof *data));
    int norm = strstr(name, "LayerNorm.weight") != NULL;

    for (size_t i = 0; i < elements; i++)
        data[i] = (float)norm + 0.1f * (float)sp_rng_normal(1, SP_RNG_INIT, (uint32_t)count, i);
    tensors[count++] = (struct sp_tensor_info){ .name = name, .dtype = SP_F32, .rank = cols ? 2 : 1,
                                                .shape = { rows, cols }, .data = data };
}

static void add_linear(const char *prefix, const char *name, size_t out, size_t in)
{
    add(keep(sp_asprintf("%s%s.weight", prefix, name)), out, in);
    add(keep(sp_asprintf("%s%s.bias", prefix, name)), out, 0);
}

static void add_norm(const char *prefix, const char *name)
{
    add(keep(sp_asprintf("%s%s.LayerNorm.weight", prefix, name)), HIDDEN, 0);
    add(keep(sp_asprintf("%s%s.LayerNorm.bias", prefix, name)), HIDDEN, 0);
}

static void add_body(int layers)
{
    add(keep(sp_strdup("embeddings.word_embeddings.weight")), VOCAB, HIDDEN);
    add(keep(sp_strdup("embeddings.position_embeddings.weight")), POSITIONS, HIDDEN);
    add(keep(sp_strdup("embeddings.token_type_embeddings.weight")), 2, HIDDEN);
    add_norm("", "embeddings");
    for (int i = 0; i < layers; i++) {
        char prefix[64];

        snprintf(prefix, sizeof prefix, "encoder.layer.%d.", i);
        add_linear(prefix, "attention.self.query", HIDDEN, HIDDEN);
        add_linear(prefix, "attention.self.key", HIDDEN, HIDDEN);
        add_linear(prefix, "attention.self.value", HIDDEN, HIDDEN);
        add_linear(prefix, "attention.output.dense", HIDDEN, HIDDEN);
        add_norm(prefix, "attention.output");
        add_linear(prefix, "intermediate.dense", INTERMEDIATE, HIDDEN);
        add_linear(prefix, "output.dense", HIDDEN, INTERMEDIATE);
        add_norm(prefix, "output");
    }
    add_linear("", "pooler.dense", HIDDEN, HIDDEN);
}

static int write_text(const char *dir, const char *name, const char *text)
{
    return sp_fs_write(keep(sp_fs_join(dir, name)), text, strlen(text));
}

/* Special tokens, then the letters. */
static int write_vocab(const char *dir)
{
    char text[256] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    size_t length = strlen(text);

    for (char letter = 'a'; letter <= 'z'; letter++, length += 2)
        snprintf(text + length, sizeof text - length, "%c\n", letter);
    return write_text(dir, "vocab.txt", text);
}

static int make_random(const char *dir, int layers)
{
    char *config = keep(sp_asprintf("{\"model_type\": \"bert\", \"vocab_size\": %d, \"hidden_size\": %d, "
                                    "\"num_hidden_layers\": %d, \"num_attention_heads\": 2, \"intermediate_size\": %d, "
                                    "\"max_position_embeddings\": %d}\n",
                                    VOCAB, HIDDEN, layers, INTERMEDIATE, POSITIONS));

    SP_TRY(sp_fs_mkdirs(dir));
    SP_TRY(write_text(dir, "config.json", config));
    SP_TRY(write_vocab(dir));
    add_body(layers);
    return sp_safetensors_write(keep(sp_fs_join(dir, "model.safetensors")), tensors, count);
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static struct sp_tensor_info *find(const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    return NULL;
}

static void drop(const char *prefix)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        if (strncmp(tensors[i].name, prefix, strlen(prefix)) != 0)
            tensors[left++] = tensors[i];
    count = left;
}

static void rename_all(const char *from, const char *to)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(tensors[i].name, from, strlen(from)) == 0)
            tensors[i].name = keep(sp_asprintf("%s%s", to, tensors[i].name + strlen(from)));
}

/* For the width that the pooler has. */
static int add_head(size_t outputs)
{
    const struct sp_tensor_info *pooler = find("pooler.dense.bias");

    pooler = pooler ? pooler : find("bert.pooler.dense.bias");
    if (!pooler)
        return sp_error(SP_ENOTFOUND, "there is no pooler");
    drop("classifier.");
    add_linear("", "classifier", outputs, pooler->shape[0]);
    return 0;
}

static int change(const char *verb, const char *name, const char *word)
{
    struct sp_tensor_info *tensor = find(name);

    if (strcmp(verb, "drop") == 0) {
        drop(name);
        return 0;
    }
    if (strcmp(verb, "rename") == 0 && word) {
        rename_all(name, word);
        return 0;
    }
    if (strcmp(verb, "head") == 0)
        return add_head(strtoul(name, NULL, 10));
    if (!tensor)
        return sp_error(SP_ENOTFOUND, "there is no tensor %s", name);
    if (strcmp(verb, "reshape") == 0) {
        tensor->shape[0] = tensor->count;
        tensor->rank = 1;
    } else if (strcmp(verb, "cast") == 0) {
        tensor->dtype = SP_I32;
    } else if (strcmp(verb, "zero") == 0) {
        tensor->data = keep(sp_calloc(tensor->bytes, 1));
    } else if (strcmp(verb, "set") == 0 && word) {
        uint32_t value = (uint32_t)strtoul(word, NULL, 16);
        char *data = keep(sp_calloc(tensor->bytes, 1));

        memcpy(data, tensor->data, tensor->bytes);
        memcpy(data, &value, sizeof value);
        tensor->data = data;
    } else {
        return sp_error(SP_EINVAL, "what is %s?", verb);
    }
    return 0;
}

static int edit(const char *path, const char *verb, const char *name, const char *word)
{
    SP_TRY(sp_safetensors_open(&file, path));
    for (count = 0; count < sp_safetensors_count(file) && count < TENSORS_MAX; count++)
        tensors[count] = *sp_safetensors_at(file, count);
    SP_TRY(change(verb, name, word));
    return sp_safetensors_write(path, tensors, count); /* by rename: the mapped file stays */
}

int main(int argc, char **argv)
{
    int rc = sp_error(SP_EINVAL, "model_tool: see its source");

    if (argc == 4 && strcmp(argv[1], "random") == 0)
        rc = make_random(argv[2], (int)strtol(argv[3], NULL, 10));
    else if (argc >= 4)
        rc = edit(argv[2], argv[1], argv[3], argc > 4 ? argv[4] : NULL);
    if (rc < 0)
        fprintf(stderr, "%s\n", sp_error_message());
    sp_safetensors_close(file);
    while (kept_count > 0)
        free(kept[--kept_count]);
    return rc < 0;
}
