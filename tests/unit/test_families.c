/* What the model families read of a config.json, in both spellings, and what they refuse by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/decoder.h"
#include "models/models.h"
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/io/safetensors.h"
#include "runtime/train/load.h"

#include <stdio.h>
#include <string.h>

#define SIZES                                                                                                          \
    "\"vocab_size\": 100, \"hidden_size\": 48, \"num_hidden_layers\": 4, \"num_attention_heads\": 6, "                 \
    "\"intermediate_size\": 96, \"ffn_dim\": 96, \"num_key_value_heads\": 2, \"max_position_embeddings\": 64"

/* A configuration of SIZES and `more`, which may say one of them again. Returns what reading gives. */
static int read_config(struct sp_model *out, const char *type, const char *more)
{
    const struct sp_model_family *family = sp_model_find(sp_model_families, sp_model_family_count, type);
    json_t *config = json_loads("{" SIZES "}", 0, NULL), *own = json_loads(more, 0, NULL);
    int rc;

    assert_non_null(family);
    assert_non_null(own);
    json_object_update(config, own);
    rc = sp_model_read(out, family, config, "config.json");
    json_decref(own);
    json_decref(config);
    return rc;
}

static const struct sp_decoder_config *decoder(struct sp_model *out, const char *type, const char *more)
{
    if (read_config(out, type, more) < 0)
        fail_msg("%s: %s", more, sp_error_message());
    return out->config;
}

static void test_refused(void **state)
{
    static const struct {
        const char *type, *more, *said;
    } cases[] = {
        { "llama", "{\"num_key_value_heads\": 4}",
          "\"num_attention_heads\" 6 is not a multiple of \"num_key_value_heads\" 4" },
        { "llama", "{\"hidden_size\": 50}", "\"hidden_size\" 50 is not a multiple of \"num_attention_heads\" 6" },
        { "llama", "{\"head_dim\": 7}", "heads of 7 columns" },
        { "llama", "{\"vocab_size\": null}", "\"vocab_size\" is missing" },
        { "llama", "{\"num_local_experts\": 8}", "mixtures of experts" },
        { "llama", "{\"quantization_config\": {\"bits\": 4}}", "quantised weights" },
        { "llama", "{\"hidden_act\": \"tanh\"}", "silu, swish" },
        { "llama", "{\"pad_token_id\": 100}", "\"pad_token_id\" is 100" },
        { "llama", "{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}", "of type \"dynamic\"" },
        { "llama", "{\"rope_parameters\": {\"rope_type\": \"longrope\"}}", "of type \"longrope\"" },
        { "llama", "{\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 8}}", "\"low_freq_factor\"" },
        { "llama", "{\"rope_scaling\": {\"type\": \"linear\"}}",
          "\"factor\" of rotary positions of type linear is missing" },
        { "llama", "{\"rope_theta\": -1}", "\"rope_theta\" of rotary positions is out of range" },
        { "llama", "{\"rope_theta\": 1}", "config.json: rotary embeddings with rope_theta 1" },
        { "llama",
          "{\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, "
          "\"high_freq_factor\": 4}}",
          "config.json: rotary embeddings with low_freq_factor 4" },
        { "llama", "{\"partial_rotary_factor\": 0.5}", "\"partial_rotary_factor\" is 0.5" },
        { "qwen2", "{\"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [4, 2, 2]}}", "positions of images" },
        { "qwen2", "{\"attention_bias\": true}", "\"attention_bias\" is set" },
        { "qwen2", "{\"use_sliding_window\": true, \"max_window_layers\": -1}", "\"max_window_layers\" is -1" },
        { "mistral", "{\"attention_bias\": true}", "\"attention_bias\" is set" },
        { "mistral", "{\"layer_types\": [\"full_attention\"]}", "1 entries for 4 layers" },
        { "gemma2", "{\"use_bidirectional_attention\": true}", "only causal attention" },
        { "gemma2", "{\"layer_types\": [\"a\", \"a\", \"a\", \"a\"]}", "\"layer_types\" has \"a\"" },
        { "gemma2", "{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}}", "kinds of layers" },
        { "opt", "{\"layer_norm_elementwise_affine\": false}", "norms without weights" },
        { "opt", "{\"num_attention_heads\": 5}", "not a multiple" },
        { "opt", "{\"activation_function\": \"silu\"}", "relu" },
        { "bert", "{\"is_decoder\": true}", "\"is_decoder\" is set" },
        { "bert", "{\"hidden_act\": \"silu\"}", "gelu, relu" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sp_model model;
        int rc = read_config(&model, cases[i].type, cases[i].more);

        if (rc != SP_EFORMAT || !strstr(sp_error_message(), cases[i].said))
            fail_msg("%s: %d, %s", cases[i].more, rc, rc < 0 ? sp_error_message() : "accepted");
    }
}

static void test_both_spellings(void **state)
{
    static const char *const spellings[] = {
        "{\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": "
        "1, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 32}}",
        "{\"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": \"llama3\", \"factor\": 8, "
        "\"low_freq_factor\": 1, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 32}}",
        /* Phi-3's manner: beside the section, before what stands in it */
        "{\"original_max_position_embeddings\": 32, \"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": "
        "\"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
        "\"original_max_position_embeddings\": 16}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct sp_model model;
        const struct sp_rope *rope = &decoder(&model, "llama", spellings[i])->rope;

        assert_int_equal(rope->scaling, SP_ROPE_LLAMA3);
        assert_true(rope->base == 500000 && rope->factor == 8 && rope->low_freq_factor == 1 &&
                    rope->high_freq_factor == 4 && rope->original_max_position_embeddings == 32);
        sp_model_release(&model);
    }
}

/* Which of the four layers have a window, as digits. */
static void check_windows(const char *type, const char *more, const char *layers, int window)
{
    struct sp_model model;
    const struct sp_decoder_config *c = decoder(&model, type, more);

    for (int i = 0; i < 4; i++)
        if (c->windowed[i] != (layers[i] == '1'))
            fail_msg("%s %s: layer %d", type, more, i);
    assert_int_equal(c->sliding_window, window);
    sp_model_release(&model);
}

static void test_windows(void **state)
{
    (void)state;
    check_windows("llama", "{\"sliding_window\": 8}", "0000", 0);
    check_windows("mistral", "{\"sliding_window\": 8}", "1111", 8);
    check_windows("mistral", "{\"sliding_window\": null}", "0000", 0);
    check_windows("mistral", "{}", "1111", 4096);
    check_windows("qwen2", "{\"sliding_window\": 8, \"use_sliding_window\": false, \"max_window_layers\": 2}", "0000",
                  0);
    check_windows("qwen2", "{\"sliding_window\": 8, \"use_sliding_window\": true, \"max_window_layers\": 2}", "0011",
                  8);
    check_windows("qwen3", "{\"sliding_window\": 8, \"use_sliding_window\": true, \"max_window_layers\": 0}", "1111",
                  8);
    check_windows("gemma2", "{\"sliding_window\": 8}", "1010", 8);
    check_windows("gemma2",
                  "{\"sliding_window\": 8, \"layer_types\": [\"full_attention\", \"full_attention\", "
                  "\"sliding_attention\", \"full_attention\"]}",
                  "0010", 8);
}

static void test_defaults(void **state)
{
    struct sp_model model;
    const struct sp_decoder_config *c;

    (void)state;
    c = decoder(&model, "llama", "{\"num_key_value_heads\": null}");
    assert_int_equal(c->num_key_value_heads, 6);
    assert_int_equal(c->head_dim, 8);
    assert_int_equal(c->padding, -1);
    assert_false(model.tied);
    sp_model_release(&model);

    c = decoder(&model, "gemma2", "{\"attn_logit_softcapping\": null}");
    assert_int_equal(c->head_dim, 256);
    assert_true(model.tied);
    assert_true(c->attention_softcap == 0 && model.logit_softcap == 30);
    assert_true(c->attention_scale == 1.0f / 16 && c->activation == SP_ACTIVATION_GELU_TANH);
    sp_model_release(&model);

    c = decoder(&model, "qwen3", "{}");
    assert_true(c->qk_norm && !c->qkv_bias && c->head_dim == 128);
    sp_model_release(&model);

    c = decoder(&model, "qwen2", "{}");
    assert_true(!c->qk_norm && c->qkv_bias && !c->o_bias && c->head_dim == 8);
    sp_model_release(&model);
}

/* ---- a vocabulary of its own, or the embeddings ------------------------------------------------------------------ */

static char said[1024];

static void listen(enum sp_log_level level, const char *text, void *user)
{
    (void)level, (void)user;
    snprintf(said, sizeof said, "%s", text);
}

/* What is tied, and said, of a checkpoint of two matrices, of which the second may be missing (NULL), by a config.json
 * that says `tied`. */
static bool ties(bool tied, const float *table, const float *own)
{
    enum { ROWS = 3, COLS = 2 };
    struct sp_tensor_info tensors[] = {
        { .name = "model.embed_tokens.weight", .dtype = SP_F32, .rank = 2, .shape = { ROWS, COLS }, .data = table },
        { .name = "lm_head.weight", .dtype = SP_F32, .rank = 2, .shape = { ROWS, COLS }, .data = own },
    };
    struct sp_run run = { .model_file = (char *)(uintptr_t)"config.json" };

    for (int i = 0; i < 2; i++)
        tensors[i].count = ROWS * COLS, tensors[i].bytes = ROWS * COLS * sizeof(float);
    io_write_text("config.json", "{}");
    assert_int_equal(sp_safetensors_write(io_path("model.safetensors"), tensors, own ? 2 : 1), 0);
    decoder(&run.model, "llama", tied ? "{\"tie_word_embeddings\": true}" : "{}");
    assert_int_equal(sp_checkpoint_open(&run.checkpoint, io_path("")), 0);
    said[0] = '\0';
    sp_log_set_sink(listen, NULL);
    assert_int_equal(sp_load_tie(&run), 0);
    sp_log_set_sink(NULL, NULL);
    tied = run.model.tied;
    sp_checkpoint_close(run.checkpoint);
    sp_model_release(&run.model);
    return tied;
}

/* Where config.json and the weights disagree, the weights are right; equal ones are tied, as transformers has it. */
static void test_tied(void **state)
{
    static const float table[] = { 1, 2, 3, 4, 5, 6 }, same[] = { 1, 2, 3, 4, 5, 6 }, other[] = { 1, 2, 3, 4, 5, 7 };

    (void)state;
    assert_true(ties(true, table, NULL) && !said[0]);
    assert_true(ties(true, table, same) && !said[0]);
    assert_true(!ties(false, table, other) && !said[0]);
    assert_true(!ties(false, table, same) && !said[0]);
    assert_true(ties(false, table, NULL));
    assert_string_equal(said, "config.json: \"tie_word_embeddings\" is false, but there is no lm_head.weight: it is "
                              "tied to model.embed_tokens.weight");
    assert_false(ties(true, table, other));
    assert_string_equal(said, "config.json: \"tie_word_embeddings\" is true, but lm_head.weight has other values "
                              "than model.embed_tokens.weight: they are not tied");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_both_spellings),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test_setup_teardown(test_tied, io_setup, io_teardown),
    };

    return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
