#include "runtime/io/gguf_model_priv.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 128

static const struct sp_gguf_architecture architectures[] = {
    { "llama", "llama", "LlamaForCausalLM", .interleaved = true },
    { "qwen2", "qwen2", "Qwen2ForCausalLM", .interleaved = false },
    { "qwen3", "qwen3", "Qwen3ForCausalLM", .interleaved = false },
    { "gemma2", "gemma2", "Gemma2ForCausalLM", .norms_added = true },
};

int sp_gguf_architecture(const struct sp_gguf_architecture **out, const struct sp_gguf *file)
{
    struct sp_gguf_text name = { NULL, 0 };
    char known[200] = "";

    SP_TRY(sp_gguf_get_text(&name, file, "general.architecture"));
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++) {
        *out = &architectures[i];
        if (name.length == strlen((*out)->name) && memcmp(name.data, (*out)->name, name.length) == 0)
            return 0;
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", (*out)->name);
    }
    if (!name.data)
        return sp_error(SP_EFORMAT, "%s has no \"general.architecture\": it is no model's file", sp_gguf_path(file));
    return sp_error(SP_EFORMAT, "%s: \"general.architecture\" is \"%.*s\"; of GGUF files these are read: %s",
                    sp_gguf_path(file), name.length < 60 ? (int)name.length : 60, name.data, known);
}

/* ---- names ---- */

enum role { PLAIN, NORM, QUERY, KEY };

/* llama.cpp's names of a block's tensors, without "blk.N.", and Hugging Face's, without "model.layers.N."; a name that
 * an architecture has otherwise, or alone, comes first. */
static const struct {
    const char *name, *becomes, *only; /* only: an architecture; NULL for all */
    enum role role;
} block_names[] = {
    { "ffn_norm.weight", "pre_feedforward_layernorm.weight", "gemma2", NORM },
    { "post_attention_norm.weight", "post_attention_layernorm.weight", "gemma2", NORM },
    { "post_ffw_norm.weight", "post_feedforward_layernorm.weight", "gemma2", NORM },
    { "attn_q_norm.weight", "self_attn.q_norm.weight", "qwen3", NORM },
    { "attn_k_norm.weight", "self_attn.k_norm.weight", "qwen3", NORM },
    { "attn_norm.weight", "input_layernorm.weight", NULL, NORM },
    { "attn_q.weight", "self_attn.q_proj.weight", NULL, QUERY },
    { "attn_q.bias", "self_attn.q_proj.bias", NULL, QUERY },
    { "attn_k.weight", "self_attn.k_proj.weight", NULL, KEY },
    { "attn_k.bias", "self_attn.k_proj.bias", NULL, KEY },
    { "attn_v.weight", "self_attn.v_proj.weight", NULL, PLAIN },
    { "attn_v.bias", "self_attn.v_proj.bias", NULL, PLAIN },
    { "attn_output.weight", "self_attn.o_proj.weight", NULL, PLAIN },
    { "attn_output.bias", "self_attn.o_proj.bias", NULL, PLAIN },
    { "ffn_norm.weight", "post_attention_layernorm.weight", NULL, NORM },
    { "ffn_gate.weight", "mlp.gate_proj.weight", NULL, PLAIN },
    { "ffn_gate.bias", "mlp.gate_proj.bias", NULL, PLAIN },
    { "ffn_up.weight", "mlp.up_proj.weight", NULL, PLAIN },
    { "ffn_up.bias", "mlp.up_proj.bias", NULL, PLAIN },
    { "ffn_down.weight", "mlp.down_proj.weight", NULL, PLAIN },
    { "ffn_down.bias", "mlp.down_proj.bias", NULL, PLAIN },
};

static const struct {
    const char *name, *becomes;
    enum role role;
} other_names[] = {
    { "token_embd.weight", "model.embed_tokens.weight", PLAIN },
    { "output_norm.weight", "model.norm.weight", NORM },
    { "output.weight", "lm_head.weight", PLAIN },
};

/* Tensors that say nothing that the configuration does not: LLaMA-3's factors, tables of frequencies in old files. */
static bool is_table(const char *name)
{
    size_t length = strlen(name), end = strlen(".attn_rot_embd.weight");

    return strcmp(name, "rope_freqs.weight") == 0 ||
           (length > end && strcmp(name + length - end, ".attn_rot_embd.weight") == 0);
}

/* The name of a block's tensor; false where there is none. */
static bool rename_block(char out[NAME_SIZE], enum role *role, const char *name, const char *architecture)
{
    size_t digits = strspn(name, "0123456789");

    if (digits == 0 || digits > 5 || name[digits] != '.' || (name[0] == '0' && digits > 1))
        return false;
    for (size_t i = 0; i < sizeof block_names / sizeof *block_names; i++) {
        const char *only = block_names[i].only;

        if (strcmp(name + digits + 1, block_names[i].name) != 0 || (only && strcmp(only, architecture) != 0))
            continue;
        snprintf(out, NAME_SIZE, "model.layers.%.*s.%s", (int)digits, name, block_names[i].becomes);
        *role = block_names[i].role;
        return true;
    }
    return false;
}

static bool rename_tensor(char out[NAME_SIZE], enum role *role, const char *name, const char *architecture)
{
    if (strncmp(name, "blk.", 4) == 0)
        return rename_block(out, role, name + 4, architecture);
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++) {
        if (strcmp(name, other_names[i].name) != 0)
            continue;
        snprintf(out, NAME_SIZE, "%s", other_names[i].becomes);
        *role = other_names[i].role;
        return true;
    }
    return false;
}

/* ---- tensors ---- */

static size_t size_of(const json_t *config, const char *key)
{
    return (size_t)json_integer_value(json_object_get(config, key));
}

/* What was done to the tensor when it was put into the file. */
static int set_form(struct sp_tensor_form *form, const struct sp_tensor_info *t, const char *in_file, enum role role,
                    const struct sp_gguf_architecture *architecture, const json_t *config)
{
    char shape[SP_SHAPE_TEXT];

    if (role == NORM && architecture->norms_added)
        form->added = 1;
    if (!architecture->interleaved || (role != QUERY && role != KEY))
        return 0;
    form->heads = size_of(config, role == QUERY ? "num_attention_heads" : "num_key_value_heads");
    if (t->rank == 0 || t->shape[0] % (2 * form->heads))
        return sp_error(SP_EFORMAT, "%s: tensor %s is %s, whose rows are not those of %zu heads of an even size each",
                        t->file, in_file, sp_tensor_describe(shape, t), form->heads);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct sp_tensor_info *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static int add_tensor(struct sp_gguf_tensors *out, const struct sp_tensor_info *in_file,
                      const struct sp_gguf_architecture *architecture, const json_t *config)
{
    struct sp_tensor_info *t = &out->list[out->count];
    struct sp_tensor_form *form = &out->forms[out->count];
    char *name = out->names + out->count * NAME_SIZE;
    enum role role;

    if (is_table(in_file->name))
        return 0;
    if (!rename_tensor(name, &role, in_file->name, architecture->name))
        return sp_error(
            SP_EFORMAT,
            "%s: tensor %s is none that this program knows of architecture %s: it is a variant that would be "
            "computed wrongly without it",
            in_file->file, in_file->name, architecture->name);
    *t = *in_file;
    *form = *in_file->form;
    t->name = name;
    t->form = form;
    out->count++;
    return set_form(form, t, in_file->name, role, architecture, config);
}

int sp_gguf_tensors(struct sp_gguf_tensors *out, const struct sp_gguf *file, const json_t *config)
{
    const struct sp_gguf_architecture *architecture;
    size_t count = sp_gguf_count(file);

    *out = (struct sp_gguf_tensors){ .list = sp_calloc(count, sizeof *out->list),
                                     .forms = sp_calloc(count, sizeof *out->forms),
                                     .names = sp_calloc(count, NAME_SIZE) };
    if (!out->list || !out->forms || !out->names)
        return SP_ENOMEM;
    SP_TRY(sp_gguf_architecture(&architecture, file));
    for (size_t i = 0; i < count; i++)
        SP_TRY(add_tensor(out, sp_gguf_at(file, i), architecture, config));
    qsort(out->list, out->count, sizeof *out->list, compare_names);
    return 0;
}

void sp_gguf_tensors_release(struct sp_gguf_tensors *tensors)
{
    free(tensors->list);
    free(tensors->forms);
    free(tensors->names);
    *tensors = (struct sp_gguf_tensors){ .count = 0 };
}
