/* GGUF files as models: the configuration, names, numbers and checksum that come of them, and variants that are
 * refused. */
#include "tests/unit/gguf_files.h"
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/io/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 4, KV_HEADS = 2, HEAD = 8, WIDTH = 32, INNER = 40, WORDS = 7, LAYERS = 1 };

static char logged[4096];

static void keep_log(enum sp_log_level level, const char *message, void *user)
{
    (void)level;
    (void)user;
    snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", message);
}

static void key_int(struct gguf_file *file, const char *architecture, const char *key, uint32_t value)
{
    char name[100];

    snprintf(name, sizeof name, "%s.%s", architecture, key);
    gguf_int(file, name, value);
}

static void key_float(struct gguf_file *file, const char *architecture, const char *key, float value)
{
    char name[100];

    snprintf(name, sizeof name, "%s.%s", architecture, key);
    gguf_float(file, name, value);
}

/* The keys that every architecture has, and the tensors of a model without its blocks. */
static void begin_layers(struct gguf_file *file, const char *architecture, uint32_t layers)
{
    gguf_begin(file, architecture);
    key_int(file, architecture, "block_count", layers);
    key_int(file, architecture, "context_length", 64);
    key_int(file, architecture, "embedding_length", WIDTH);
    key_int(file, architecture, "feed_forward_length", INNER);
    key_int(file, architecture, "attention.head_count", HEADS);
    key_int(file, architecture, "attention.head_count_kv", KV_HEADS);
    key_float(file, architecture, "attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_ramp(file, "token_embd.weight", WORDS, WIDTH, 1);
    gguf_ramp(file, "output_norm.weight", WIDTH, 0, 0.5f);
}

static void begin(struct gguf_file *file, const char *architecture)
{
    begin_layers(file, architecture, LAYERS);
}

static void add_block(struct gguf_file *file, bool biases)
{
    gguf_ramp(file, "blk.0.attn_norm.weight", WIDTH, 0, 2);
    gguf_ramp(file, "blk.0.attn_q.weight", HEADS * HEAD, WIDTH, 1);
    gguf_ramp(file, "blk.0.attn_k.weight", KV_HEADS * HEAD, WIDTH, 1);
    gguf_ramp(file, "blk.0.attn_v.weight", KV_HEADS * HEAD, WIDTH, 1);
    gguf_ramp(file, "blk.0.attn_output.weight", WIDTH, HEADS * HEAD, 1);
    gguf_ramp(file, "blk.0.ffn_norm.weight", WIDTH, 0, 3);
    gguf_ramp(file, "blk.0.ffn_gate.weight", INNER, WIDTH, 1);
    gguf_ramp(file, "blk.0.ffn_up.weight", INNER, WIDTH, 1);
    gguf_ramp(file, "blk.0.ffn_down.weight", WIDTH, INNER, 1);
    if (biases) {
        gguf_ramp(file, "blk.0.attn_q.bias", HEADS * HEAD, 0, 1);
        gguf_ramp(file, "blk.0.attn_k.bias", KV_HEADS * HEAD, 0, 1);
        gguf_ramp(file, "blk.0.attn_v.bias", KV_HEADS * HEAD, 0, 1);
    }
}

static struct sp_checkpoint *open_made(struct gguf_file *file)
{
    struct sp_checkpoint *model;
    const char *path = gguf_end(file, "m.gguf");

    if (sp_checkpoint_open(&model, path) != 0)
        fail_msg("%s", sp_error_message());
    return model;
}

/* config.json must be this but for spaces and the order of keys. */
static void assert_config(struct sp_checkpoint *model, const char *expected)
{
    json_t *wanted = json_loads(expected, 0, NULL);
    const json_t *got = sp_checkpoint_config(model);
    char *text = json_dumps(got, JSON_INDENT(1));

    assert_non_null(wanted);
    if (!json_equal((json_t *)(size_t)got, wanted))
        fail_msg("the configuration is %s", text);
    free(text);
    json_decref(wanted);
}

static void assert_refused(struct gguf_file *made, const char *part, const char *more)
{
    struct sp_checkpoint *model;
    const char *path = gguf_end(made, "m.gguf");

    io_assert_error(sp_checkpoint_open(&model, path), SP_EFORMAT, path, part, more, NULL);
}

/* The number of a ramp of step `step` that element (row, column) must be. */
static void assert_element(const struct sp_checkpoint *model, const char *name, size_t row, size_t column,
                           float expected)
{
    const struct sp_tensor_info *t = sp_checkpoint_find(model, name);
    float value;

    if (!t)
        fail_msg("there is no %s", name);
    assert_int_equal(sp_tensor_read_f32(&value, t, row * (t->rank > 1 ? t->shape[1] : 1) + column, 1), 0);
    if (value != expected)
        fail_msg("%s[%zu, %zu] is %g, expected %g", name, row, column, (double)value, (double)expected);
}

static void test_llama(void **state)
{
    struct gguf_file file;
    struct sp_checkpoint *model;
    float row[WIDTH];

    (void)state;
    begin(&file, "llama");
    add_block(&file, true);
    gguf_ramp(&file, "output.weight", WORDS, WIDTH, 1);
    gguf_int(&file, "llama.vocab_size", WORDS);
    gguf_int(&file, "llama.rope.dimension_count", HEAD);
    gguf_float(&file, "llama.rope.freq_base", 500000);
    gguf_int(&file, "tokenizer.ggml.bos_token_id", 1);
    gguf_int(&file, "tokenizer.ggml.eos_token_id", 2);
    gguf_int(&file, "tokenizer.ggml.eot_token_id", 3);
    model = open_made(&file);
    assert_config(model, "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_size\": 32, "
                         "\"intermediate_size\": 40, \"num_hidden_layers\": 1, \"num_attention_heads\": 4, "
                         "\"num_key_value_heads\": 2, \"head_dim\": 8, \"max_position_embeddings\": 64, "
                         "\"vocab_size\": 7, \"tie_word_embeddings\": false, \"rms_norm_eps\": 1e-5, "
                         "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}, "
                         "\"hidden_act\": \"silu\", \"attention_bias\": true, \"mlp_bias\": false, "
                         "\"bos_token_id\": 1, \"eos_token_id\": [2, 3]}");
    assert_string_equal(sp_checkpoint_dir(model), io_path("m.gguf"));
    assert_string_equal(sp_checkpoint_wrapper(model), "");
    assert_int_equal(sp_checkpoint_count(model), 15);
    assert_element(model, "model.embed_tokens.weight", 6, 1, 6 * WIDTH + 1);
    assert_element(model, "lm_head.weight", 1, 0, WIDTH);
    assert_element(model, "model.norm.weight", 0, 3, 1.5f);
    assert_element(model, "model.layers.0.input_layernorm.weight", 0, 3, 6);
    assert_element(model, "model.layers.0.post_attention_layernorm.weight", 0, 3, 9);
    assert_element(model, "model.layers.0.self_attn.v_proj.weight", 9, 2, 9 * WIDTH + 2);
    assert_element(model, "model.layers.0.self_attn.o_proj.weight", 9, 2, 9 * WIDTH + 2);
    assert_element(model, "model.layers.0.mlp.gate_proj.weight", 39, 31, 39 * WIDTH + 31);
    assert_element(model, "model.layers.0.mlp.up_proj.weight", 39, 31, 39 * WIDTH + 31);
    assert_element(model, "model.layers.0.mlp.down_proj.weight", 31, 39, 31 * INNER + 39);
    for (size_t head = 0; head < HEADS; head++) /* rows 0 to 3 of a head lie at 0, 2, 4, 6, and the others between */
        for (size_t i = 0; i < HEAD; i++) {
            size_t lies = HEAD * head + (i < HEAD / 2 ? 2 * i : 2 * i - HEAD + 1);

            assert_element(model, "model.layers.0.self_attn.q_proj.weight", HEAD * head + i, 5,
                           (float)(lies * WIDTH + 5));
            assert_element(model, "model.layers.0.self_attn.q_proj.bias", 0, HEAD * head + i, (float)lies);
            if (head >= KV_HEADS)
                continue;
            assert_element(model, "model.layers.0.self_attn.k_proj.weight", HEAD * head + i, 5,
                           (float)(lies * WIDTH + 5));
            assert_element(model, "model.layers.0.self_attn.k_proj.bias", 0, HEAD * head + i, (float)lies);
        }
    sp_checkpoint_forget(model);
    assert_int_equal(sp_tensor_read_f32(row, sp_checkpoint_find(model, "lm_head.weight"), WIDTH, WIDTH), 0);
    assert_true(row[0] == WIDTH && row[WIDTH - 1] == 2 * WIDTH - 1);
    assert_int_equal(sp_checkpoint_check_unchanged(model), 0);
    sp_checkpoint_close(model);
}

static void test_mistral(void **state)
{
    struct gguf_file file;
    struct sp_checkpoint *model;
    const json_t *config;

    (void)state;
    begin(&file, "llama");
    add_block(&file, false);
    gguf_int(&file, "llama.attention.sliding_window", 4096);
    gguf_int(&file, "llama.attention.key_length", HEAD);
    gguf_int(&file, "llama.attention.value_length", HEAD);
    model = open_made(&file);
    config = sp_checkpoint_config(model);
    assert_string_equal(json_string_value(json_object_get(config, "model_type")), "mistral");
    assert_int_equal(json_integer_value(json_object_get(config, "sliding_window")), 4096);
    assert_true(json_is_true(json_object_get(config, "tie_word_embeddings")));
    assert_null(json_object_get(config, "eos_token_id"));
    sp_checkpoint_close(model);
}

/* No row is where it is not; the sizes of heads are said, and not the width through their number. */
static void test_qwen(void **state)
{
    struct gguf_file file;
    struct sp_checkpoint *model;

    (void)state;
    begin(&file, "qwen2");
    add_block(&file, true);
    gguf_float(&file, "qwen2.rope.freq_base", 1000000);
    model = open_made(&file);
    assert_config(model, "{\"architectures\": [\"Qwen2ForCausalLM\"], \"model_type\": \"qwen2\", \"hidden_size\": 32, "
                         "\"intermediate_size\": 40, \"num_hidden_layers\": 1, \"num_attention_heads\": 4, "
                         "\"num_key_value_heads\": 2, \"head_dim\": 8, \"max_position_embeddings\": 64, "
                         "\"vocab_size\": 7, \"tie_word_embeddings\": true, \"rms_norm_eps\": 1e-5, "
                         "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 1000000.0}, "
                         "\"hidden_act\": \"silu\"}");
    assert_element(model, "model.layers.0.self_attn.q_proj.weight", 1, 0, WIDTH);
    assert_element(model, "model.layers.0.self_attn.k_proj.bias", 0, 1, 1);
    sp_checkpoint_close(model);

    begin(&file, "qwen3");
    gguf_int(&file, "qwen3.attention.key_length", 2 * HEAD);
    gguf_int(&file, "qwen3.attention.value_length", 2 * HEAD);
    gguf_ramp(&file, "blk.0.attn_q.weight", 2 * HEADS * HEAD, WIDTH, 1);
    gguf_ramp(&file, "blk.0.attn_q_norm.weight", 2 * HEAD, 0, 1);
    gguf_ramp(&file, "blk.0.attn_k_norm.weight", 2 * HEAD, 0, 1);
    model = open_made(&file);
    assert_string_equal(json_string_value(json_object_get(sp_checkpoint_config(model), "model_type")), "qwen3");
    assert_int_equal(json_integer_value(json_object_get(sp_checkpoint_config(model), "head_dim")), 2 * HEAD);
    assert_true(json_is_false(json_object_get(sp_checkpoint_config(model), "attention_bias")));
    assert_element(model, "model.layers.0.self_attn.q_norm.weight", 0, 3, 3);
    assert_element(model, "model.layers.0.self_attn.k_norm.weight", 0, 3, 3);
    assert_element(model, "model.layers.0.self_attn.q_proj.weight", 1, 0, WIDTH);
    sp_checkpoint_close(model);
}

static void test_gemma2(void **state)
{
    struct gguf_file file;
    struct sp_checkpoint *model;

    (void)state;
    begin(&file, "gemma2");
    add_block(&file, false);
    gguf_int(&file, "gemma2.attention.key_length", HEAD);
    gguf_int(&file, "gemma2.attention.value_length", HEAD);
    gguf_int(&file, "gemma2.attention.sliding_window", 16);
    gguf_float(&file, "gemma2.attn_logit_softcapping", 50);
    gguf_float(&file, "gemma2.final_logit_softcapping", 30);
    gguf_ramp(&file, "blk.0.post_attention_norm.weight", WIDTH, 0, 4);
    gguf_ramp(&file, "blk.0.post_ffw_norm.weight", WIDTH, 0, 5);
    model = open_made(&file);
    assert_config(model,
                  "{\"architectures\": [\"Gemma2ForCausalLM\"], \"model_type\": \"gemma2\", \"hidden_size\": 32, "
                  "\"intermediate_size\": 40, \"num_hidden_layers\": 1, \"num_attention_heads\": 4, "
                  "\"num_key_value_heads\": 2, \"head_dim\": 8, \"max_position_embeddings\": 64, "
                  "\"vocab_size\": 7, \"tie_word_embeddings\": true, \"rms_norm_eps\": 1e-5, "
                  "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}, "
                  "\"sliding_window\": 16, \"attn_logit_softcapping\": 50.0, \"final_logit_softcapping\": 30.0, "
                  "\"query_pre_attn_scalar\": 8, \"hidden_activation\": \"gelu_pytorch_tanh\"}");
    assert_element(model, "model.norm.weight", 0, 3, 0.5f); /* all norms less 1 */
    assert_element(model, "model.layers.0.input_layernorm.weight", 0, 3, 5);
    assert_element(model, "model.layers.0.pre_feedforward_layernorm.weight", 0, 3, 8);
    assert_element(model, "model.layers.0.post_attention_layernorm.weight", 0, 3, 11);
    assert_element(model, "model.layers.0.post_feedforward_layernorm.weight", 0, 3, 14);
    assert_element(model, "model.layers.0.self_attn.q_proj.weight", 1, 0, WIDTH);
    assert_element(model, "model.embed_tokens.weight", 0, 1, 1);
    sp_checkpoint_close(model);

    /* the 27B, whose queries are scaled by the width of a head's share */
    begin_layers(&file, "gemma2", 46);
    gguf_int(&file, "gemma2.attention.key_length", 2 * HEAD);
    gguf_int(&file, "gemma2.attention.value_length", 2 * HEAD);
    model = open_made(&file);
    assert_int_equal(json_integer_value(json_object_get(sp_checkpoint_config(model), "num_hidden_layers")), 46);
    assert_int_equal(json_integer_value(json_object_get(sp_checkpoint_config(model), "query_pre_attn_scalar")), HEAD);
    sp_checkpoint_close(model);
}

/* The rope_parameters of a model of LLaMA's with these keys and factors. */
static json_t *rope_of(struct gguf_file *file)
{
    struct sp_checkpoint *model = open_made(file);
    json_t *rope = json_incref(json_object_get(sp_checkpoint_config(model), "rope_parameters"));

    sp_checkpoint_close(model);
    return rope;
}

static void assert_rope(struct gguf_file *file, const char *expected)
{
    json_t *got = rope_of(file), *wanted = json_loads(expected, 0, NULL);
    char *text = json_dumps(got, 0);

    assert_non_null(wanted);
    if (!json_equal(got, wanted))
        fail_msg("rope_parameters is %s", text);
    free(text);
    json_decref(got);
    json_decref(wanted);
}

/* Factors as llama.cpp's converter writes them. */
static void llama3_factors(float *out, size_t count, double theta, double factor, double low, double high)
{
    for (size_t i = 0; i < count; i++) {
        double wave = 2 * acos(-1.0) * pow(theta, (double)i / (double)count),
               smooth = (8192 / wave - low) / (high - low);

        out[i] = (float)(wave < 8192 / high ? 1 : wave > 8192 / low ? factor : 1 / ((1 - smooth) / factor + smooth));
    }
}

static void add_factors(struct gguf_file *file, size_t count, double factor, double high)
{
    float factors[HEAD];

    assert_true(count <= HEAD);
    llama3_factors(factors, count, 500000, factor, 1, high);
    gguf_float(file, "llama.rope.freq_base", 500000);
    gguf_tensor(file, "rope_freqs.weight", GGUF_F32, count, 0, factors, count * sizeof *factors);
}

static void test_rope(void **state)
{
    struct gguf_file file;

    (void)state;
    for (int factor = 8; factor <= 32; factor *= 4) {
        char expected[300];

        begin(&file, "llama");
        add_factors(&file, HEAD / 2, factor, 4);
        snprintf(expected, sizeof expected,
                 "{\"rope_type\": \"llama3\", \"rope_theta\": 500000.0, \"factor\": %d.0, \"low_freq_factor\": 1.0, "
                 "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}",
                 factor);
        assert_rope(&file, expected);
    }
    begin(&file, "llama");
    add_factors(&file, HEAD / 2, 8, 3);
    assert_refused(&file, "the factors in tensor rope_freqs.weight are not those of LLaMA-3's scaling",
                   "not supported");
    begin(&file, "llama");
    add_factors(&file, HEAD, 8, 4);
    assert_refused(&file, "tensor rope_freqs.weight has 8 factors, for heads of 8 numbers; expected 4", NULL);
    begin(&file, "llama");
    gguf_text(&file, "llama.rope.scaling.type", "linear");
    gguf_float(&file, "llama.rope.scaling.factor", 2.5f);
    assert_rope(&file, "{\"rope_type\": \"linear\", \"rope_theta\": 10000.0, \"factor\": 2.5}");
    begin(&file, "llama");
    gguf_float(&file, "llama.rope.scale_linear", 4);
    assert_rope(&file, "{\"rope_type\": \"linear\", \"rope_theta\": 10000.0, \"factor\": 4.0}");
    begin(&file, "llama");
    gguf_text(&file, "llama.rope.scaling.type", "none");
    gguf_float(&file, "llama.rope.scaling.factor", 2.5f);
    assert_rope(&file, "{\"rope_type\": \"default\", \"rope_theta\": 10000.0}");
    begin(&file, "llama");
    gguf_text(&file, "llama.rope.scaling.type", "yarn");
    gguf_float(&file, "llama.rope.scaling.factor", 4);
    gguf_int(&file, "llama.rope.scaling.original_context_length", 32768);
    gguf_float(&file, "llama.rope.scaling.yarn_beta_fast", 32);
    gguf_float(&file, "llama.rope.scaling.yarn_attn_factor", 1.1f);
    assert_rope(&file, "{\"rope_type\": \"yarn\", \"rope_theta\": 10000.0, \"factor\": 4.0, "
                       "\"original_max_position_embeddings\": 32768, \"beta_fast\": 32.0, \"attention_factor\": 1.1}");
    begin(&file, "llama");
    gguf_text(&file, "llama.rope.scaling.type", "yarn");
    gguf_float(&file, "llama.rope.scaling.factor", 4);
    assert_refused(&file, "has no \"llama.rope.scaling.original_context_length\"", NULL);
    begin(&file, "llama");
    gguf_text(&file, "llama.rope.scaling.type", "longrope");
    assert_refused(&file, "\"llama.rope.scaling.type\" is \"longrope\"; supported are none, linear and yarn", NULL);
    begin(&file, "llama");
    gguf_float(&file, "llama.rope.scaling.factor", 4);
    add_factors(&file, HEAD / 2, 8, 4);
    assert_refused(&file, "both at once are not supported", NULL);
}

static void test_refused(void **state)
{
    static const struct {
        const char *architecture, *key;
        uint32_t value;
        const char *part;
    } keys[] = {
        { "llama", "llama.expert_count", 8,
          "\"llama.expert_count\" makes it a variant of llama that is not supported, a "
          "mixture of experts" },
        { "llama", "llama.logit_scale", 2, "\"llama.logit_scale\" makes it a variant of llama" },
        { "llama", "llama.attn_logit_softcapping", 50, "\"llama.attn_logit_softcapping\" makes it" },
        { "qwen2", "qwen2.attention.sliding_window", 64, "\"qwen2.attention.sliding_window\" is 64: windows are not" },
        { "llama", "llama.rope.dimension_count", 4, "\"llama.rope.dimension_count\" is 4, but heads have 8" },
        { "llama", "llama.attention.value_length", 4, "\"llama.attention.value_length\" is 4, but heads have 8" },
        { "llama", "llama.vocab_size", 8, "\"llama.vocab_size\" is 8, but tensor token_embd.weight has 7 rows" },
        { "llama", "llama.attention.key_length", 0,
          "\"llama.attention.key_length\" is 0; expected is a number from 1" },
    };
    static const int32_t per_layer[] = { 4 };
    struct gguf_file file;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        begin(&file, keys[i].architecture);
        gguf_int(&file, keys[i].key, keys[i].value);
        assert_refused(&file, keys[i].part, NULL);
    }
    begin(&file, "llama");
    gguf_bool(&file, "llama.attention.causal", false);
    assert_refused(&file, "\"llama.attention.causal\" makes it a variant", NULL);
    begin(&file, "llama");
    gguf_ints(&file, "llama.attention.temperature_length", per_layer, 1);
    assert_refused(&file, "temperature_length\" makes it a variant", NULL);
    begin(&file, "phi3");
    assert_refused(&file,
                   "\"general.architecture\" is \"phi3\"; of GGUF files these are read: llama, qwen2, qwen3, gemma2",
                   NULL);
    begin(&file, "llama");
    gguf_ramp(&file, "blk.0.ffn_gate_inp.weight", 4, 4, 1);
    assert_refused(&file, "tensor blk.0.ffn_gate_inp.weight is none that this program knows of architecture llama",
                   NULL);
    begin(&file, "llama");
    gguf_ramp(&file, "blk.00.ffn_up.weight", 4, 4, 1);
    assert_refused(&file, "tensor blk.00.ffn_up.weight is none", NULL);
    begin(&file, "qwen2");
    gguf_ramp(&file, "blk.0.attn_q_norm.weight", 4, 0, 1);
    assert_refused(&file, "tensor blk.0.attn_q_norm.weight is none", NULL);
    begin(&file, "llama");
    gguf_ramp(&file, "blk.0.attn_q.weight", 12, WIDTH, 1);
    assert_refused(&file, "tensor blk.0.attn_q.weight is F32 [12, 32], whose rows are not those of 4 heads", NULL);
    gguf_begin(&file, "llama");
    gguf_ramp(&file, "token_embd.weight", WORDS, WIDTH, 1);
    assert_refused(&file, "has no \"llama.embedding_length\", without which the model is not known", NULL);
    gguf_begin(&file, NULL);
    gguf_ramp(&file, "token_embd.weight", WORDS, WIDTH, 1);
    assert_refused(&file, "has no \"general.architecture\"", NULL);
}

/* Values that change nothing are fine, tables of frequencies are not needed, and of an unknown key a word is said. */
static void test_harmless(void **state)
{
    struct gguf_file file;

    (void)state;
    begin(&file, "llama");
    gguf_int(&file, "llama.expert_count", 0);
    gguf_bool(&file, "llama.attention.causal", true);
    gguf_text(&file, "llama.tensor_data_layout", "Meta AI original pth");
    gguf_int(&file, "llama.new_thing", 1);
    gguf_int(&file, "llamas.other", 1);
    gguf_ramp(&file, "blk.0.attn_rot_embd.weight", HEAD / 2, 0, 1);
    logged[0] = '\0';
    sp_log_set_sink(keep_log, NULL);
    sp_checkpoint_close(open_made(&file));
    sp_log_set_sink(NULL, NULL);
    assert_non_null(strstr(logged, "m.gguf: not known, and not used: llama.new_thing; if these change"));
    assert_null(strstr(logged, "causal"));
}

/* Over what lies in the file: its names, types and bytes; not its metadata. */
static void test_checksum(void **state)
{
    const char *sum, *again;
    char first[65];

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct gguf_file file;
        struct sp_checkpoint *model;

        begin(&file, "llama");
        gguf_ramp(&file, "blk.0.attn_norm.weight", WIDTH, 0, i == 2 ? 3 : 2);
        if (i == 1)
            gguf_text(&file, "general.name", "another");
        model = open_made(&file);
        assert_int_equal(sp_checkpoint_checksum(&sum, model), 0);
        assert_int_equal(sp_checkpoint_checksum(&again, model), 0);
        assert_ptr_equal(sum, again);
        if (i == 0)
            snprintf(first, sizeof first, "%s", sum);
        assert_int_equal(strcmp(first, sum) == 0, i < 2);
        sp_checkpoint_close(model);
    }
    assert_string_equal(first, "029ffb7c67f60a60b7d9d87a7c09b05e5aabd66b912430431954ccec256c0a31");
    /* as the Python of doc/adapter-format.md makes it */
}

static int refuse(const json_t *config, void *user)
{
    snprintf(user, 10, "%s", json_string_value(json_object_get(config, "model_type")));
    return sp_error(SP_EFORMAT, "no");
}

static void test_paths(void **state)
{
    char type[10] = "";
    struct sp_checkpoint *model;
    struct gguf_file file;
    char *path;

    (void)state;
    begin(&file, "qwen2");
    gguf_end(&file, "cache/models/small/q.gguf");
    setenv("SPEFT_CACHE_DIR", io_path("cache"), 1);
    assert_int_equal(sp_checkpoint_resolve(&path, io_path("cache/models/small/q.gguf")), 0);
    assert_string_equal(path, io_path("cache/models/small/q.gguf"));
    free(path);
    assert_int_equal(sp_checkpoint_resolve(&path, "small/q.gguf"), 0);
    assert_string_equal(path, io_path("cache/models/small/q.gguf"));
    io_assert_error(sp_checkpoint_open_if(&model, path, refuse, type), SP_EFORMAT, "no", NULL);
    assert_string_equal(type, "qwen2");
    free(path);
    path = sp_checkpoint_config_path(io_path("cache/models/small/q.gguf"));
    assert_string_equal(path, io_path("cache/models/small/q.gguf"));
    free(path);
    path = sp_checkpoint_config_path(io_path("cache"));
    assert_string_equal(path, io_path("cache/config.json"));
    free(path);
    /* a folder of such files is not one of a model */
    io_assert_error(sp_checkpoint_open(&model, io_path("cache/models/small")), SP_ENOTFOUND, "q.gguf",
                    "give that file as the model", NULL);
    unsetenv("SPEFT_CACHE_DIR");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_llama),   TEST(test_mistral),  TEST(test_qwen),     TEST(test_gemma2), TEST(test_rope),
        TEST(test_refused), TEST(test_harmless), TEST(test_checksum), TEST(test_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
