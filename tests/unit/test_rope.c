/* Rotary embeddings' frequencies and table against numbers of transformers 5.23 (tests/tools/rope_torch.py). */
#include "runtime/base/error.h"
#include "runtime/nn/rope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* torch's pow and ours may round differently in the last bit, of which what is made of it has a few. */
#define RELATIVE 4e-7

static const struct {
    const char *name;
    struct sp_rope rope;
    double scale;
    float inverse[8];
} cases[] = {
    { "default",
      { .head_dim = 10, .base = 10000 },
      1.0,
      { 0x1p+0f, 0x1.44960cp-3f, 0x1.9b8c26p-6f, 0x1.04e748p-8f, 0x1.4acda8p-11f } },
    { "linear",
      { .head_dim = 16, .base = 10000, .scaling = SP_ROPE_LINEAR, .factor = 4 },
      1.0,
      { 0x1p-2f, 0x1.43d136p-4f, 0x1.99999ap-6f, 0x1.030dc6p-7f, 0x1.47ae14p-9f, 0x1.9e7c7p-11f, 0x1.0624dep-12f,
        0x1.4b96cp-14f } },
    { "llama3",
      { .head_dim = 16,
        .base = 500000,
        .scaling = SP_ROPE_LLAMA3,
        .factor = 8,
        .low_freq_factor = 1,
        .high_freq_factor = 4,
        .original_max_position_embeddings = 8192 },
      1.0,
      { 0x1p+0f, 0x1.8d276p-3f, 0x1.34119p-5f, 0x1.ddee9ep-8f, 0x1.132ba4p-11f, 0x1.1f91fp-15f, 0x1.be2188p-18f,
        0x1.5a0f4ep-20f } },
    { "yarn",
      { .head_dim = 16,
        .base = 1000000,
        .scaling = SP_ROPE_YARN,
        .factor = 4,
        .original_max_position_embeddings = 32768 },
      1.138629436111989,
      { 0x1p+0f, 0x1.6c310ep-3f, 0x1.030dc6p-5f, 0x1.1466eap-8f, 0x1.0624dep-11f, 0x1.74eea6p-15f, 0x1.094564p-17f,
        0x1.796182p-20f } },
    { "yarn, all of its options",
      { .head_dim = 16,
        .base = 10000,
        .scaling = SP_ROPE_YARN,
        .factor = 40,
        .original_max_position_embeddings = 4096,
        .beta_fast = 24,
        .beta_slow = 2,
        .mscale = 1,
        .mscale_all_dim = 0.707,
        .no_truncate = true },
      1.0857263992561355,
      { 0x1p+0f, 0x1.43d136p-2f, 0x1.99999ap-4f, 0x1.e732f2p-6f, 0x1.403778p-8f, 0x1.e92ab8p-14f, 0x1.a36e2ep-16f,
        0x1.094566p-17f } },
    { "yarn, its attention factor given",
      { .head_dim = 16,
        .base = 10000,
        .scaling = SP_ROPE_YARN,
        .factor = 2,
        .original_max_position_embeddings = 64,
        .attention_factor = 1.25 },
      1.25,
      { 0x1p+0f, 0x1.0dd902p-2f, 0x1.11111p-4f, 0x1.030dc6p-6f, 0x1.47ae14p-8f, 0x1.9e7c7p-10f, 0x1.0624dep-11f,
        0x1.4b96cp-13f } },
};

static void near(const char *name, int i, double got, double expected)
{
    if (!(fabs(got - expected) <= RELATIVE * fabs(expected)))
        fail_msg("%s, %d: %.9g, expected %.9g", name, i, got, expected);
}

static void test_frequencies(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        float inverse[8], scale;

        assert_int_equal(sp_rope_frequencies(inverse, &scale, &cases[c].rope), 0);
        near(cases[c].name, -1, (double)scale, cases[c].scale);
        for (int i = 0; i < cases[c].rope.head_dim / 2; i++)
            near(cases[c].name, i, (double)inverse[i], (double)cases[c].inverse[i]);
    }
}

/* GGUF's factors: here those that make llama3 of the default. */
static void test_factors(void **state)
{
    const struct sp_rope plain = { .head_dim = 16, .base = 500000 };
    struct sp_rope with = plain;
    float inverse[8], factors[8], scale;

    (void)state;
    assert_int_equal(sp_rope_frequencies(inverse, &scale, &plain), 0);
    for (int i = 0; i < 8; i++)
        factors[i] = inverse[i] / cases[2].inverse[i];
    with.factors = factors;
    assert_int_equal(sp_rope_frequencies(inverse, &scale, &with), 0);
    for (int i = 0; i < 8; i++)
        near("factors", i, (double)inverse[i], (double)cases[2].inverse[i]);
}

/* Position 1023 of the default, as torch's cosines and sines of its fp32 angles; and times a scale. */
static void test_table(void **state)
{
    static const float cosines[] = { 0x1.99ab7ap-2f, 0x1.57f278p-2f, 0x1.b0be34p-1f, -0x1.31a9b8p-1f, 0x1.98fe9cp-1f };
    static const float sines[] = { -0x1.d53d92p-1f, -0x1.e24112p-1f, 0x1.11a336p-1f, -0x1.9abf9p-1f, 0x1.34016ep-1f };
    static float table[1024 * 10];

    (void)state;
    sp_rope_table(table, cases[0].inverse, 1, 10, 1024);
    for (int i = 0; i < 5; i++) {
        near("cos", i, (double)table[10230 + i], (double)cosines[i]);
        near("sin", i, (double)table[10235 + i], (double)sines[i]);
        near("cos 0", i, (double)table[i], 1);
        assert_true(table[5 + i] == 0);
    }
    sp_rope_table(table, cases[0].inverse, 1.5f, 10, 1024);
    for (int i = 0; i < 5; i++)
        near("scaled", i, (double)table[10235 + i], 1.5 * (double)sines[i]);
}

static void test_refused(void **state)
{
    static const float zero[] = { 0 };
    static const struct {
        struct sp_rope rope;
        const char *says;
    } wrong[] = {
        { { .head_dim = 15, .base = 10000 }, "heads of 15" },
        { { .head_dim = 16, .base = 0 }, "rope_theta 0" },
        { { .head_dim = 16, .base = NAN }, "rope_theta nan" },
        { { .head_dim = 16, .base = 10000, .scaling = SP_ROPE_LINEAR }, "factor 0" },
        { { .head_dim = 16, .base = 10000, .scaling = SP_ROPE_YARN, .factor = 2 },
          "original_max_position_embeddings 0" },
        { { .head_dim = 16,
            .base = 10000,
            .scaling = SP_ROPE_LLAMA3,
            .factor = 2,
            .original_max_position_embeddings = 64,
            .low_freq_factor = 4,
            .high_freq_factor = 4 },
          "high_freq_factor 4" },
        { { .head_dim = 2, .base = 10000, .factors = zero }, "divided by 0" },
    };
    float inverse[8], scale;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(sp_rope_frequencies(inverse, &scale, &wrong[i].rope), SP_EINVAL);
        if (!strstr(sp_error_message(), wrong[i].says))
            fail_msg("'%s' does not say '%s'", sp_error_message(), wrong[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_frequencies), cmocka_unit_test(test_factors),
                                        cmocka_unit_test(test_table), cmocka_unit_test(test_refused) };

    return cmocka_run_group_tests_name("rope", tests, NULL, NULL);
}
