/*
 * What the program sees of a model, for comparisons with other readers of it:
 *
 *     show_model config MODEL           config.json, or what is made of a GGUF's metadata
 *     show_model tokenizer MODEL        a GGUF's tokenizer.json and tokenizer_config.json, in one object
 *     show_model hashes MODEL           of each tensor: name, shape, SHA-256 of its numbers in fp32
 *     show_model tensor MODEL NAME      the numbers themselves, as bytes
 *     show_model checksum MODEL         what an adapter keeps of it
 *     show_model time MODEL             seconds that all tensors take to become fp32
 */
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "runtime/base/mem.h"
#include "runtime/io/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_tensor(float **out, const struct sp_tensor_info *t)
{
    *out = sp_calloc(t->count, sizeof **out);
    return *out ? sp_tensor_read_f32(*out, t, 0, t->count) : SP_ENOMEM;
}

static int show_hash(const struct sp_tensor_info *t)
{
    struct sp_hash hash;
    char hex[SP_HASH_HEX];
    float *values;
    int rc = read_tensor(&values, t);

    if (rc == 0) {
        sp_hash_init(&hash);
        sp_hash_update(&hash, values, sp_f32_bytes(t->count));
        sp_hash_final(&hash, hex);
        printf("%s", t->name);
        for (size_t i = 0; i < t->rank; i++)
            printf("%s%zu", i ? "x" : " ", t->shape[i]);
        printf(" %s\n", hex);
    }
    free(values);
    return rc;
}

static int show_time(const struct sp_checkpoint *model)
{
    size_t largest = 0, all = 0;
    float *values;
    double start;
    int rc = 0;

    for (size_t i = 0; i < sp_checkpoint_count(model); i++)
        largest = sp_checkpoint_at(model, i)->count > largest ? sp_checkpoint_at(model, i)->count : largest;
    values = sp_calloc(largest, sizeof *values);
    start = sp_clock_now();
    for (size_t i = 0; values && rc == 0 && i < sp_checkpoint_count(model); i++) {
        rc = sp_tensor_read_f32(values, sp_checkpoint_at(model, i), 0, sp_checkpoint_at(model, i)->count);
        all += sp_checkpoint_at(model, i)->count;
    }
    printf("%zu numbers in %.3f s\n", all, sp_clock_now() - start);
    free(values);
    return rc;
}

static int show_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(1) | JSON_PRESERVE_ORDER);

    if (text)
        puts(text);
    free(text);
    return text ? 0 : SP_ENOMEM;
}

static int show_tokenizer(struct sp_checkpoint *model)
{
    json_t *definition, *config, *both;
    int rc;

    SP_TRY(sp_checkpoint_tokenizer(&definition, &config, model));
    both = json_pack("{s:o, s:o}", "tokenizer", definition, "config", config);
    rc = both ? show_json(both) : sp_error(SP_ENOTFOUND, "it is no GGUF");
    json_decref(both);
    return rc;
}

static int show(struct sp_checkpoint *model, const char *what, const char *name)
{
    const struct sp_tensor_info *t = name ? sp_checkpoint_find(model, name) : NULL;
    float *values;
    int rc = 0;

    if (strcmp(what, "config") == 0)
        return show_json(sp_checkpoint_config(model));
    if (strcmp(what, "tokenizer") == 0)
        return show_tokenizer(model);
    if (strcmp(what, "checksum") == 0) {
        SP_TRY(sp_checkpoint_checksum(&name, model));
        return puts(name) < 0;
    }
    if (strcmp(what, "time") == 0)
        return show_time(model);
    for (size_t i = 0; rc == 0 && strcmp(what, "hashes") == 0 && i < sp_checkpoint_count(model); i++)
        rc = show_hash(sp_checkpoint_at(model, i));
    if (!name)
        return rc;
    if (!t)
        return sp_error(SP_ENOTFOUND, "there is no tensor %s", name);
    rc = read_tensor(&values, t);
    if (rc == 0)
        fwrite(values, sizeof *values, t->count, stdout);
    free(values);
    return rc;
}

int main(int argc, char **argv)
{
    struct sp_checkpoint *model = NULL;
    int rc = argc < 3 ? sp_error(SP_EINVAL, "show_model: see its source") : sp_checkpoint_open(&model, argv[2]);

    if (rc == 0)
        rc = show(model, argv[1], argc > 3 ? argv[3] : NULL);
    if (rc < 0)
        fprintf(stderr, "%s\n", sp_error_message());
    sp_checkpoint_close(model);
    return rc < 0;
}
