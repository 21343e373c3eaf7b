/* A GGUF's metadata as config.json would say it. */
#include "runtime/io/gguf_model_priv.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 128
#define UNKNOWN_LIMIT 500 /* characters of keys in one warning */

/* What is read of, and the configuration that comes of it. */
struct reader {
    const struct sp_gguf *file;
    const struct sp_gguf_architecture *architecture;
    json_t *config;
};

/* "llama.block_count" from "block_count". */
static const char *full(char out[KEY_SIZE], const struct reader *r, const char *key)
{
    snprintf(out, KEY_SIZE, "%s.%s", r->architecture->name, key);
    return out;
}

static int set(const struct reader *r, const char *name, json_t *value)
{
    return json_object_set_new(r->config, name, value) < 0 ? sp_error(SP_ENOMEM, "out of memory") : 0;
}

static long long integer_of(const struct reader *r, const char *name)
{
    return json_integer_value(json_object_get(r->config, name));
}

static int missing(const struct reader *r, const char *key)
{
    return sp_error(SP_EFORMAT, "%s has no \"%s.%s\", without which the model is not known", sp_gguf_path(r->file),
                    r->architecture->name, key);
}

/* A size of the model, from 1 on; `otherwise` where the key is missing, and 0 as that: it must be there. */
static int read_size(long long *out, const struct reader *r, const char *key, long long otherwise)
{
    char name[KEY_SIZE];

    *out = otherwise;
    SP_TRY(sp_gguf_get_int(out, r->file, full(name, r, key)));
    if (*out >= 1 && *out <= INT_MAX)
        return 0;
    if (!sp_gguf_has(r->file, name))
        return missing(r, key);
    return sp_error(SP_EFORMAT, "%s: \"%s\" is %lld; expected is a number from 1 to %d", sp_gguf_path(r->file), name,
                    *out, INT_MAX);
}

/* A number above 0, or `otherwise` where the key is missing; with an `otherwise` of 0 the caller minds that. */
static int read_number(double *out, const struct reader *r, const char *key, double otherwise)
{
    char name[KEY_SIZE];

    *out = otherwise;
    SP_TRY(sp_gguf_get_double(out, r->file, full(name, r, key)));
    if (!sp_gguf_has(r->file, name) || (*out > 0 && isfinite(*out)))
        return 0;
    return sp_error(SP_EFORMAT, "%s: \"%s\" is %g; expected is a number above 0", sp_gguf_path(r->file), name, *out);
}

/* ---- what is known of keys ---- */

/* Keys that change what is computed, to what no configuration here says: to be missing, or 0, or true. `but`: an
 * architecture for which they are read. */
static const struct {
    const char *key, *but;
} refused[] = {
    { "expert_count", NULL },
    { "attention.causal", NULL },
    { "attention.scale", NULL },
    { "attention.output_scale", NULL },
    { "attention.clamp_kqv", NULL },
    { "attention.max_alibi_bias", NULL },
    { "attention.temperature_scale", NULL },
    { "attention.temperature_length", NULL },
    { "attention.sliding_window_pattern", NULL },
    { "attn_logit_softcapping", "gemma2" },
    { "final_logit_softcapping", "gemma2" },
    { "logit_scale", NULL },
    { "residual_scale", NULL },
    { "embedding_scale", NULL },
    { "nextn_predict_layers", NULL },
    { "rope.dimension_sections", NULL },
    { "rope.scaling.yarn_log_multiplier", NULL },
    { "swin_norm", NULL },
    { "use_parallel_residual", NULL },
};

static const char *const known[] = {
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "expert_used_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "pooling_type",
    "tensor_data_layout",
};

static int refuse_keys(const struct reader *r)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        bool causal = strcmp(refused[i].key, "attention.causal") == 0, yes = causal;
        char name[KEY_SIZE];
        double value = 0;

        if (!sp_gguf_has(r->file, full(name, r, refused[i].key)) ||
            (refused[i].but && strcmp(refused[i].but, r->architecture->name) == 0))
            continue;
        if (sp_gguf_get_bool(&yes, r->file, name) == 0 && yes == causal)
            continue;
        if (!causal && sp_gguf_get_double(&value, r->file, name) == 0 && value == 0)
            continue;
        return sp_error(SP_EFORMAT,
                        "%s: \"%s\" makes it a variant of %s that is not supported%s: the model would be computed "
                        "wrongly",
                        sp_gguf_path(r->file), name, r->architecture->name,
                        strcmp(refused[i].key, "expert_count") == 0 ? ", a mixture of experts" : "");
    }
    return 0;
}

static bool is_known(const char *key, size_t length)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i]) == length && memcmp(known[i], key, length) == 0)
            return true;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strlen(refused[i].key) == length && memcmp(refused[i].key, key, length) == 0)
            return true;
    return false;
}

/* Keys of the architecture that nobody here has heard of may be of newer variants. */
static int tell_unknown(const struct reader *r)
{
    size_t before = strlen(r->architecture->name) + 1;
    struct sp_buf names = SP_BUF(UNKNOWN_LIMIT);

    for (size_t i = 0; i < sp_gguf_keys(r->file); i++) {
        struct sp_gguf_text key = sp_gguf_key(r->file, i);

        if (key.length < before || memcmp(key.data, r->architecture->name, before - 1) != 0 ||
            key.data[before - 1] != '.' || is_known(key.data + before, key.length - before))
            continue;
        (void)sp_buf_printf(&names, "%s%.*s", names.data ? ", " : "", key.length < 100 ? (int)key.length : 100,
                            key.data);
    }
    if (names.data)
        sp_log(SP_LOG_WARNING,
               "%s: not known, and not used: %s; if these change what the model computes, results are others",
               sp_gguf_path(r->file), names.data);
    sp_buf_free(&names);
    return 0;
}

/* ---- the model's sizes ---- */

static const struct sp_tensor_info *find(const struct reader *r, const char *name)
{
    return sp_gguf_find(r->file, name);
}

static int set_vocabulary(const struct reader *r)
{
    const struct sp_tensor_info *table = find(r, "token_embd.weight");
    long long said;

    if (!table || table->rank != 2 || table->shape[0] > INT_MAX)
        return sp_error(SP_EFORMAT, "%s has no tensor token_embd.weight of two dimensions: it is no model's file",
                        sp_gguf_path(r->file));
    SP_TRY(read_size(&said, r, "vocab_size", (long long)table->shape[0]));
    if ((size_t)said != table->shape[0])
        return sp_error(SP_EFORMAT, "%s: \"%s.vocab_size\" is %lld, but tensor token_embd.weight has %zu rows",
                        sp_gguf_path(r->file), r->architecture->name, said, table->shape[0]);
    SP_TRY(set(r, "vocab_size", json_integer(said)));
    return set(r, "tie_word_embeddings", json_boolean(!find(r, "output.weight")));
}

static int set_sizes(const struct reader *r)
{
    static const struct {
        const char *key, *name;
    } sizes[] = {
        { "embedding_length", "hidden_size" },           { "feed_forward_length", "intermediate_size" },
        { "block_count", "num_hidden_layers" },          { "attention.head_count", "num_attention_heads" },
        { "context_length", "max_position_embeddings" },
    };
    long long value;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        SP_TRY(read_size(&value, r, sizes[i].key, 0));
        SP_TRY(set(r, sizes[i].name, json_integer(value)));
    }
    SP_TRY(read_size(&value, r, "attention.head_count_kv", integer_of(r, "num_attention_heads")));
    return set(r, "num_key_value_heads", json_integer(value));
}

/* One size of a head for queries, keys and values, all of which is turned. */
static int set_head(const struct reader *r)
{
    static const char *const others[] = { "attention.value_length", "rope.dimension_count" };
    long long heads = integer_of(r, "num_attention_heads"), width = integer_of(r, "hidden_size"), size, other;

    SP_TRY(read_size(&size, r, "attention.key_length", width / heads));
    if (!sp_gguf_has(r->file, full((char[KEY_SIZE]){ "" }, r, "attention.key_length")) && width % heads)
        return sp_error(SP_EFORMAT, "%s: a width of %lld does not divide into %lld heads", sp_gguf_path(r->file), width,
                        heads);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        SP_TRY(read_size(&other, r, others[i], size));
        if (other != size)
            return sp_error(SP_EFORMAT, "%s: \"%s.%s\" is %lld, but heads have %lld: that is not supported",
                            sp_gguf_path(r->file), r->architecture->name, others[i], other, size);
    }
    return set(r, "head_dim", json_integer(size));
}

/* ---- rotary embeddings ---- */

#define LLAMA3_LOW 1.0
#define LLAMA3_HIGH 4.0
#define LLAMA3_POSITIONS 8192
#define LLAMA3_NEAR 1e-4 /* the file has fp32 */

/* How much of a frequency LLaMA-3's scaling leaves as it is: 1 for the high ones, 0 for the low ones. */
static double llama3_share(double theta, size_t i, size_t halves)
{
    double frequency = pow(theta, -(double)i / (double)halves);
    double share = (LLAMA3_POSITIONS * frequency / (2 * acos(-1.0)) - LLAMA3_LOW) / (LLAMA3_HIGH - LLAMA3_LOW);

    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* The tensor rope_freqs.weight has a factor for each frequency; the configuration has what they were made of. */
static int read_llama3(const struct reader *r, json_t *rope, double theta)
{
    const struct sp_tensor_info *t = find(r, "rope_freqs.weight");
    size_t halves = (size_t)integer_of(r, "head_dim") / 2, last = halves - 1;
    double share, scale = 1;
    float *factors;
    bool fits = true;
    int rc = 0;

    if (halves == 0 || t->rank != 1 || t->count != halves)
        return sp_error(SP_EFORMAT,
                        "%s: tensor rope_freqs.weight has %zu factors, for heads of %lld numbers; expected %zu",
                        t->file, t->count, integer_of(r, "head_dim"), halves);
    factors = sp_calloc(halves, sizeof *factors);
    SP_GO(factors ? sp_tensor_read_f32(factors, t, 0, halves) : SP_ENOMEM);
    share = llama3_share(theta, last, halves);
    if (share < 1)
        scale = (1 - share) / (1 / (double)factors[last] - share);
    if (fabs(scale - round(scale)) < LLAMA3_NEAR * scale)
        scale = round(scale);
    for (size_t i = 0; i < halves; i++) {
        share = llama3_share(theta, i, halves);
        fits = fits && fabs((double)factors[i] * ((1 - share) / scale + share) - 1) < LLAMA3_NEAR;
    }
    if (!fits || !(scale >= 1) || !isfinite(scale))
        SP_GO(sp_error(
            SP_EFORMAT,
            "%s: the factors in tensor rope_freqs.weight are not those of LLaMA-3's scaling (from %d positions, "
            "with low_freq_factor %g and high_freq_factor %g): other factors are not supported",
            t->file, LLAMA3_POSITIONS, LLAMA3_LOW, LLAMA3_HIGH));
    json_object_set_new(rope, "rope_type", json_string("llama3"));
    json_object_set_new(rope, "factor", json_real(scale));
    json_object_set_new(rope, "low_freq_factor", json_real(LLAMA3_LOW));
    json_object_set_new(rope, "high_freq_factor", json_real(LLAMA3_HIGH));
    json_object_set_new(rope, "original_max_position_embeddings", json_integer(LLAMA3_POSITIONS));
out:
    free(factors);
    return rc;
}

static int read_yarn(const struct reader *r, json_t *rope)
{
    static const struct {
        const char *key, *name;
    } numbers[] = {
        { "rope.scaling.yarn_attn_factor", "attention_factor" },
        { "rope.scaling.yarn_beta_fast", "beta_fast" },
        { "rope.scaling.yarn_beta_slow", "beta_slow" },
    };
    long long positions;
    double value;

    SP_TRY(read_size(&positions, r, "rope.scaling.original_context_length", 0));
    json_object_set_new(rope, "original_max_position_embeddings", json_integer(positions));
    SP_TRY(read_number(&value, r, "rope.scaling.yarn_ext_factor", 1));
    if (value != 1)
        return sp_error(SP_EFORMAT, "%s: \"%s.rope.scaling.yarn_ext_factor\" is %g; only 1 is supported",
                        sp_gguf_path(r->file), r->architecture->name, value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        SP_TRY(read_number(&value, r, numbers[i].key, 0));
        if (value > 0)
            json_object_set_new(rope, numbers[i].name, json_real(value));
    }
    return 0;
}

static bool is(struct sp_gguf_text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

/* The scaling that the keys name; of a factor alone, linear. */
static int read_scaling(const struct reader *r, json_t *rope)
{
    struct sp_gguf_text type = { NULL, 0 };
    char name[KEY_SIZE];
    double factor;

    SP_TRY(read_number(&factor, r, "rope.scale_linear", 1));
    SP_TRY(read_number(&factor, r, "rope.scaling.factor", factor));
    SP_TRY(sp_gguf_get_text(&type, r->file, full(name, r, "rope.scaling.type")));
    if (type.data && !is(type, "none") && !is(type, "linear") && !is(type, "yarn"))
        return sp_error(SP_EFORMAT, "%s: \"%s\" is \"%.*s\"; supported are none, linear and yarn",
                        sp_gguf_path(r->file), name, type.length < 60 ? (int)type.length : 60, type.data);
    if (factor == 1 || (type.data && is(type, "none")))
        return 0;
    if (find(r, "rope_freqs.weight"))
        return sp_error(SP_EFORMAT,
                        "%s has a scaling of positions (\"%s\") and a tensor rope_freqs.weight: both at once "
                        "are not supported",
                        sp_gguf_path(r->file), name);
    json_object_set_new(rope, "rope_type", json_string(type.data && is(type, "yarn") ? "yarn" : "linear"));
    json_object_set_new(rope, "factor", json_real(factor));
    return type.data && is(type, "yarn") ? read_yarn(r, rope) : 0;
}

static int set_rope(const struct reader *r)
{
    json_t *rope = json_pack("{s:s}", "rope_type", "default");
    double theta;

    if (!rope || set(r, "rope_parameters", rope) < 0)
        return sp_error(SP_ENOMEM, "out of memory");
    SP_TRY(read_number(&theta, r, "rope.freq_base", 10000));
    json_object_set_new(rope, "rope_theta", json_real(theta));
    SP_TRY(read_scaling(r, rope));
    return find(r, "rope_freqs.weight") ? read_llama3(r, rope, theta) : 0;
}

/* ---- what single architectures have ---- */

#define GEMMA2_27B_LAYERS 46 /* whose queries are not scaled by the size of a head */

static int set_gemma2(const struct reader *r)
{
    long long window, layers = integer_of(r, "num_hidden_layers"), scaled = integer_of(r, "head_dim");
    double attention, final;

    if (layers == GEMMA2_27B_LAYERS) /* no key says so */
        scaled = integer_of(r, "hidden_size") / integer_of(r, "num_attention_heads");
    SP_TRY(read_size(&window, r, "attention.sliding_window", 4096));
    SP_TRY(read_number(&attention, r, "attn_logit_softcapping", 50));
    SP_TRY(read_number(&final, r, "final_logit_softcapping", 30));
    SP_TRY(set(r, "sliding_window", json_integer(window)));
    SP_TRY(set(r, "attn_logit_softcapping", json_real(attention)));
    SP_TRY(set(r, "final_logit_softcapping", json_real(final)));
    SP_TRY(set(r, "query_pre_attn_scalar", json_integer(scaled)));
    return set(r, "hidden_activation", json_string("gelu_pytorch_tanh"));
}

/* LLaMA's architecture with a window is Mistral; with Qwen's nothing says which layers have one. */
static int set_window(const struct reader *r)
{
    long long window = 0;
    char name[KEY_SIZE];

    SP_TRY(sp_gguf_get_int(&window, r->file, full(name, r, "attention.sliding_window")));
    if (window <= 0)
        return 0;
    if (strcmp(r->architecture->name, "llama") != 0)
        return sp_error(SP_EFORMAT, "%s: \"%s\" is %lld: windows are not supported with this architecture",
                        sp_gguf_path(r->file), name, window);
    SP_TRY(set(r, "model_type", json_string("mistral")));
    SP_TRY(set(r, "architectures", json_pack("[s]", "MistralForCausalLM")));
    return set(r, "sliding_window", json_integer(window));
}

static int set_others(const struct reader *r)
{
    SP_TRY(set(r, "hidden_act", json_string("silu")));
    SP_TRY(set_window(r));
    if (strcmp(r->architecture->name, "qwen2") != 0) /* which always has them */
        SP_TRY(set(r, "attention_bias", json_boolean(find(r, "blk.0.attn_q.bias"))));
    return strcmp(r->architecture->name, "llama") == 0
               ? set(r, "mlp_bias", json_boolean(find(r, "blk.0.ffn_gate.bias")))
               : 0;
}

/* One id, or a list where turns and texts end with different tokens. */
static int set_ends(const struct reader *r)
{
    static const char *const keys[] = { "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.eom_token_id" };
    json_t *ends = json_array();
    int rc = ends ? 0 : SP_ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof keys / sizeof *keys; i++) {
        long long id = -1;
        bool there = false;

        rc = sp_gguf_get_int(&id, r->file, keys[i]);
        for (size_t k = 0; k < json_array_size(ends); k++)
            there = there || json_integer_value(json_array_get(ends, k)) == id;
        if (rc == 0 && id >= 0 && !there)
            json_array_append_new(ends, json_integer(id));
    }
    if (rc == 0 && json_array_size(ends))
        rc = set(r, "eos_token_id",
                 json_array_size(ends) == 1 ? json_incref(json_array_get(ends, 0)) : json_incref(ends));
    json_decref(ends);
    return rc;
}

static int set_tokens(const struct reader *r)
{
    static const char *const ids[][2] = { { "tokenizer.ggml.bos_token_id", "bos_token_id" },
                                          { "tokenizer.ggml.padding_token_id", "pad_token_id" } };

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        long long id = -1;

        SP_TRY(sp_gguf_get_int(&id, r->file, ids[i][0]));
        if (id >= 0)
            SP_TRY(set(r, ids[i][1], json_integer(id)));
    }
    return set_ends(r);
}

static int read_config(const struct reader *r)
{
    double epsilon;

    SP_TRY(set(r, "architectures", json_pack("[s]", r->architecture->class)));
    SP_TRY(set(r, "model_type", json_string(r->architecture->model_type)));
    SP_TRY(refuse_keys(r));
    SP_TRY(tell_unknown(r));
    SP_TRY(set_sizes(r));
    SP_TRY(set_head(r));
    SP_TRY(set_vocabulary(r));
    SP_TRY(read_number(&epsilon, r, "attention.layer_norm_rms_epsilon", 0));
    if (epsilon == 0)
        return missing(r, "attention.layer_norm_rms_epsilon");
    SP_TRY(set(r, "rms_norm_eps", json_real(epsilon)));
    SP_TRY(set_rope(r));
    SP_TRY(strcmp(r->architecture->name, "gemma2") == 0 ? set_gemma2(r) : set_others(r));
    return set_tokens(r);
}

int sp_gguf_config(json_t **out, const struct sp_gguf *file)
{
    struct reader r = { file, NULL, json_object() };
    int rc = r.config ? 0 : SP_ENOMEM;

    *out = NULL;
    SP_GO(rc);
    SP_GO(sp_gguf_architecture(&r.architecture, file));
    SP_GO(read_config(&r));
    *out = r.config;
    r.config = NULL;
out:
    json_decref(r.config);
    return rc;
}
