/*
 * A decoder's folder as llama.cpp's converter writes it: gguf_tool FOLDER FILE
 *
 * Of a LLaMA, the rows of queries and keys go so that both numbers that are turned together are neighbours; of a
 * Gemma2, 1 is added to the norms. The tokenizer is tokenizer.json's, a byte-level BPE that is taken apart as GPT-2's.
 */
#include "tests/unit/gguf_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/io/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 1000 };

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *from, *to;
    bool gemma2; /* which has two norms more, and calls one otherwise */
} parts[] = {
    { "model.embed_tokens.weight", "token_embd.weight", false },
    { "model.norm.weight", "output_norm.weight", false },
    { "lm_head.weight", "output.weight", false },
    { "input_layernorm.weight", "attn_norm.weight", false },
    { "post_attention_layernorm.weight", "post_attention_norm.weight", true },
    { "pre_feedforward_layernorm.weight", "ffn_norm.weight", true },
    { "post_feedforward_layernorm.weight", "post_ffw_norm.weight", true },
    { "post_attention_layernorm.weight", "ffn_norm.weight", false },
    { "self_attn.q_proj.weight", "attn_q.weight", false },
    { "self_attn.q_proj.bias", "attn_q.bias", false },
    { "self_attn.k_proj.weight", "attn_k.weight", false },
    { "self_attn.k_proj.bias", "attn_k.bias", false },
    { "self_attn.v_proj.weight", "attn_v.weight", false },
    { "self_attn.v_proj.bias", "attn_v.bias", false },
    { "self_attn.o_proj.weight", "attn_output.weight", false },
    { "mlp.gate_proj.weight", "ffn_gate.weight", false },
    { "mlp.up_proj.weight", "ffn_up.weight", false },
    { "mlp.down_proj.weight", "ffn_down.weight", false },
};

/* Keys that are "<architecture>.<key>", and where config.json has the number. */
static const struct {
    const char *key, *from;
    bool gemma2;
} keys[] = {
    { "block_count", "num_hidden_layers", false },
    { "context_length", "max_position_embeddings", false },
    { "embedding_length", "hidden_size", false },
    { "feed_forward_length", "intermediate_size", false },
    { "attention.head_count", "num_attention_heads", false },
    { "attention.head_count_kv", "num_key_value_heads", false },
    { "attention.key_length", "head_dim", false },
    { "attention.value_length", "head_dim", false },
    { "attention.layer_norm_rms_epsilon", "rms_norm_eps", false },
    { "rope.freq_base", "rope_theta", false },
    { "attention.sliding_window", "sliding_window", true },
    { "attn_logit_softcapping", "attn_logit_softcapping", true },
    { "final_logit_softcapping", "final_logit_softcapping", true },
};

static void die(const char *what)
{
    fprintf(stderr, "gguf_tool: %s: %s\n", what, sp_error_message());
    exit(1);
}

static void put_config(struct gguf_file *out, const json_t *config, const char *architecture)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        const json_t *value = json_object_get(config, keys[i].from);
        char key[80];

        if (keys[i].gemma2 && strcmp(architecture, "gemma2") != 0)
            continue;
        if (!value)
            value = json_object_get(json_object_get(config, "rope_parameters"), keys[i].from);
        snprintf(key, sizeof key, "%s.%s", architecture, keys[i].key);
        if (json_is_integer(value))
            gguf_int(out, key, (uint32_t)json_integer_value(value));
        else if (json_is_real(value))
            gguf_float(out, key, (float)json_real_value(value));
        else
            die(keys[i].from);
    }
    gguf_int(out, "tokenizer.ggml.bos_token_id", (uint32_t)json_integer_value(json_object_get(config, "bos_token_id")));
    gguf_int(out, "tokenizer.ggml.eos_token_id", (uint32_t)json_integer_value(json_object_get(config, "eos_token_id")));
}

static const char *file_name(char name[80], const char *from, bool gemma2)
{
    const char *part = from;
    long layer = -1;
    char *end;

    if (strncmp(from, "model.layers.", 13) == 0) {
        layer = strtol(from + 13, &end, 10);
        part = end + 1;
    }
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (strcmp(parts[i].from, part) != 0 || (parts[i].gemma2 && !gemma2))
            continue;
        if (layer < 0)
            return parts[i].to;
        snprintf(name, 80, "blk.%ld.%s", layer, parts[i].to);
        return name;
    }
    die(from);
    return NULL;
}

/* Row (head, half, i) comes to (head, i, half). */
static void interleave(float *out, const float *in, const struct sp_tensor_info *t, size_t size)
{
    size_t columns = t->rank > 1 ? t->shape[1] : 1;

    for (size_t row = 0; row < t->shape[0]; row++) {
        size_t head = row / size, half = row % size / (size / 2), i = row % (size / 2);

        memcpy(out + (head * size + 2 * i + half) * columns, in + row * columns, columns * sizeof *out);
    }
}

static void put_tensor(struct gguf_file *out, const struct sp_tensor_info *t, const json_t *config,
                       const char *architecture)
{
    size_t head = (size_t)json_integer_value(json_object_get(config, "head_dim"));
    bool turned = strstr(t->name, "q_proj") || strstr(t->name, "k_proj"), gemma2 = strcmp(architecture, "gemma2") == 0;
    float *values = calloc(t->count, sizeof *values), *written = calloc(t->count, sizeof *written);
    char name[80];

    if (!values || !written || sp_tensor_read_f32(values, t, 0, t->count) < 0)
        die(t->name);
    if (turned && strcmp(architecture, "llama") == 0)
        interleave(written, values, t, head);
    else
        for (size_t i = 0; i < t->count; i++)
            written[i] = gemma2 && t->rank == 1 ? values[i] + 1 : values[i];
    gguf_tensor(out, file_name(name, t->name, gemma2), GGUF_F32, t->shape[0], t->rank > 1 ? t->shape[1] : 0, written,
                t->count * sizeof *written);
    free(values);
    free(written);
}

static void put_tokenizer(struct gguf_file *out, const json_t *definition)
{
    const json_t *vocab = json_object_get(json_object_get(definition, "model"), "vocab");
    const json_t *list = json_object_get(json_object_get(definition, "model"), "merges");
    const char *tokens[TOKENS_MAX] = { NULL }, *merges[TOKENS_MAX] = { NULL }, *token;
    int32_t types[TOKENS_MAX];
    size_t i;
    json_t *value;

    if (json_object_size(vocab) > TOKENS_MAX || json_array_size(list) > TOKENS_MAX)
        die("too many tokens");
    json_object_foreach((json_t *)(size_t)vocab, token, value)
    {
        i = (size_t)json_integer_value(value);
        if (i >= TOKENS_MAX)
            die(token);
        tokens[i] = token;
        types[i] = 1;
    }
    json_array_foreach(json_object_get(definition, "added_tokens"), i, value)
        types[json_integer_value(json_object_get(value, "id"))] = 3;
    json_array_foreach(list, i, value)
        merges[i] = json_string_value(value);
    gguf_text(out, "tokenizer.ggml.model", "gpt2");
    gguf_text(out, "tokenizer.ggml.pre", "gpt-2");
    gguf_texts(out, "tokenizer.ggml.tokens", tokens, json_object_size(vocab));
    gguf_ints(out, "tokenizer.ggml.token_type", types, json_object_size(vocab));
    gguf_texts(out, "tokenizer.ggml.merges", merges, json_array_size(list));
}

int main(int argc, char **argv)
{
    const char *architecture;
    struct sp_checkpoint *model;
    struct gguf_file out;
    json_t *definition;
    struct sp_buf bytes;
    char path[4096];

    if (argc != 3)
        die("expected are a folder and a file");
    if (sp_checkpoint_open(&model, argv[1]) < 0)
        die(argv[1]);
    architecture = json_string_value(json_object_get(sp_checkpoint_config(model), "model_type"));
    snprintf(path, sizeof path, "%s/tokenizer.json", argv[1]);
    definition = json_load_file(path, 0, NULL);
    if (!architecture || !definition)
        die(path);
    gguf_begin(&out, architecture);
    put_config(&out, sp_checkpoint_config(model), architecture);
    put_tokenizer(&out, definition);
    for (size_t i = 0; i < sp_checkpoint_count(model); i++)
        put_tensor(&out, sp_checkpoint_at(model, i), sp_checkpoint_config(model), architecture);
    gguf_bytes(&bytes, &out);
    if (sp_fs_write(argv[2], bytes.data, bytes.length) < 0)
        die(argv[2]);
    sp_buf_free(&bytes);
    json_decref(definition);
    sp_checkpoint_close(model);
    return 0;
}
