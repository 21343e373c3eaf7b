/*
 * The kernels that memory bounds, at a decoder's shapes, beside a plain copy by a kernel of as many bytes as each must
 * read and write.
 *
 *     bandwidth [--tokens 1024] [--hidden 576] [--ffn 1536] [--heads 9] [--head-dim 64] [--vocab 49152] [--repeats 15]
 *
 * Each repeat times an op and its copy in turn, LAUNCHES launches each. Prints a JSON line for each op, of the best
 * repeats of both, for what else a machine does only adds: microseconds, GB/s, and the time as a
 * multiple of the copy's.
 */
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/op/activation.h"
#include "runtime/op/add.h"
#include "runtime/op/column_sum.h"
#include "runtime/op/embedding.h"
#include "runtime/op/gated.h"
#include "runtime/op/rmsnorm.h"
#include "runtime/op/rotary.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAUNCHES = 20 };

struct bench {
    struct sp_device *device;
    int tokens, hidden, ffn, heads, head_dim, vocab, repeats;
    struct sp_buffer *x, *y, *z, *dy, *row, *words, *from, *to, *table, *workspace; /* activations, ..., of a copy */
    struct sp_gemm_weight tied;
};

static void must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "bandwidth: %s\n", sp_error_message());
        exit(1);
    }
}

static int rmsnorm(struct bench *b)
{
    return sp_rmsnorm(b->device, &(struct sp_rmsnorm){ b->y, b->row, b->x, b->table, b->tokens, b->hidden, 1e-5f, 0 });
}

static int rmsnorm_heads(struct bench *b)
{
    return sp_rmsnorm(b->device, &(struct sp_rmsnorm){ b->y, b->row, b->x, b->table, b->tokens * b->heads, b->head_dim,
                                                       1e-5f, 0 });
}

static int norm_backward(struct bench *b, bool accumulate)
{
    return sp_rmsnorm_backward(b->device, &(struct sp_rmsnorm_backward){ .dx = b->y, .dy = b->dy, .x = b->x,
                                                                         .rstd = b->row, .gamma = b->table,
                                                                         .R = b->tokens, .C = b->hidden,
                                                                         .accumulate = accumulate });
}

static int rmsnorm_backward(struct bench *b)
{
    return norm_backward(b, false);
}

static int rmsnorm_backward_add(struct bench *b)
{
    return norm_backward(b, true);
}

static int rmsnorm_gamma(struct bench *b)
{
    return sp_column_sum(b->device, &(struct sp_column_sum){ .out = b->y, .in = b->dy, .factor = b->x, .scale = b->row,
                                                             .workspace = b->workspace, .T = b->tokens,
                                                             .C = b->hidden });
}

static int rope(struct bench *b)
{
    return sp_rotary(b->device, &(struct sp_rotary){ b->y, b->x, b->table, b->words, b->tokens, b->heads, b->head_dim,
                                                     false });
}

static int rope_in_place(struct bench *b)
{
    return sp_rotary(b->device, &(struct sp_rotary){ b->x, b->x, b->table, b->words, b->tokens, b->heads, b->head_dim,
                                                     true });
}

static int gated(struct bench *b)
{
    return sp_gated(b->device, &(struct sp_gated){ b->y, b->x, b->z, (size_t)b->tokens * (size_t)b->ffn,
                                                   SP_ACTIVATION_SILU });
}

static int gated_gelu(struct bench *b)
{
    return sp_gated(b->device, &(struct sp_gated){ b->y, b->x, b->z, (size_t)b->tokens * (size_t)b->ffn,
                                                   SP_ACTIVATION_GELU_TANH });
}

static int gated_backward(struct bench *b)
{
    return sp_gated_backward(b->device, &(struct sp_gated_backward){ .dgate = b->dy, .dup = b->y, .dy = b->dy,
                                                                     .gate = b->x, .up = b->z,
                                                                     .count = (size_t)b->tokens * (size_t)b->ffn,
                                                                     .activation = SP_ACTIVATION_SILU });
}

static int add(struct bench *b)
{
    return sp_add_buffers(b->device, &(struct sp_add){ b->y, b->x, b->dy, (size_t)b->tokens * (size_t)b->hidden });
}

static int look_up(struct bench *b, struct sp_buffer *word, struct sp_gemm_layout layout)
{
    return sp_embedding(b->device, &(struct sp_embedding){ .y = b->y, .word = word, .ids = b->words, .layout = layout,
                                                           .T = b->tokens, .C = b->hidden, .scale = 1 });
}

static int words(struct bench *b)
{
    return look_up(b, b->tied.forward, (struct sp_gemm_layout){ 0 });
}

static int words_backward_layout(struct bench *b)
{
    return look_up(b, b->tied.backward, sp_gemm_weight_layout(&b->tied, SP_GEMM_BACKWARD));
}

static int words_forward_layout(struct bench *b)
{
    return look_up(b, b->tied.forward, sp_gemm_weight_layout(&b->tied, SP_GEMM_FORWARD));
}

/* Of half as many floats as `bytes` hold: they are read, and written. */
static double copy(struct bench *b, size_t bytes)
{
    double before = sp_clock_now();

    for (int i = 0; i < LAUNCHES; i++)
        must(sp_activation_forward(b->device, &(struct sp_activation_forward){ .y = b->to, .x = b->from,
                                                                               .count = bytes / 8 }));
    must(sp_device_finish(b->device));
    return sp_clock_now() - before;
}

static double op(struct bench *b, int (*run)(struct bench *))
{
    double before = sp_clock_now();

    for (int i = 0; i < LAUNCHES; i++)
        must(run(b));
    must(sp_device_finish(b->device));
    return sp_clock_now() - before;
}

/* `floats` for each token: read or written. */
static void measure(struct bench *b, const char *name, int (*run)(struct bench *), int floats)
{
    size_t bytes = (size_t)b->tokens * (size_t)floats * sizeof(float);
    double best = op(b, run), best_copy = copy(b, bytes);

    for (int r = 0; r < b->repeats; r++) {
        best = fmin(best, op(b, run));
        best_copy = fmin(best_copy, copy(b, bytes));
    }
    printf("{\"op\": \"%s\", \"microseconds\": %.1f, \"gb_per_second\": %.2f, \"times_copy\": %.2f}\n", name,
           best / LAUNCHES * 1e6, (double)bytes * LAUNCHES / best * 1e-9, best / best_copy);
}

static void allocate(struct bench *b)
{
    int widest = b->ffn > b->hidden ? b->ffn : b->hidden, all = b->heads * b->head_dim;
    size_t floats = (size_t)b->tokens * (size_t)(widest > all ? widest : all);
    struct sp_buffer **activations[] = { &b->x, &b->y, &b->z, &b->dy, &b->row, &b->from, &b->to, &b->table };
    uint32_t *ids = calloc((size_t)b->tokens, sizeof *ids);

    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        size_t bytes = (i == 5 || i == 6 ? 3 : 1) * floats * sizeof(float); /* a copy's are larger */

        must(sp_buffer_create(activations[i], b->device, bytes));
        must(sp_buffer_fill(*activations[i], 0, 0x3f000000, bytes));
    }
    for (int t = 0; ids && t < b->tokens; t++)
        ids[t] = sp_rng_u32(1, SP_RNG_SKETCH, 0, (uint64_t)t) % (uint32_t)(b->tokens < b->vocab ? b->tokens : b->vocab);
    must(sp_buffer_create(&b->words, b->device, (size_t)b->tokens * sizeof *ids));
    must(sp_buffer_write(b->words, 0, ids, (size_t)b->tokens * sizeof *ids));
    free(ids);
    must(sp_buffer_create(&b->workspace, b->device, sp_column_sum_workspace(b->tokens, b->hidden)));
}

/* Rows of words that are not in the cache. */
static void spread(struct bench *b)
{
    const struct sp_gemm_family *family;
    uint32_t *ids = calloc((size_t)b->tokens, sizeof *ids);

    for (int t = 0; ids && t < b->tokens; t++)
        ids[t] = sp_rng_u32(1, SP_RNG_SKETCH, 0, (uint64_t)t) % (uint32_t)b->vocab;
    must(sp_buffer_write(b->words, 0, ids, (size_t)b->tokens * sizeof *ids));
    free(ids);
    must(sp_gemm_choose(&family, b->device, "auto"));
    must(sp_gemm_weight_create(&b->tied, b->device, family, b->vocab, b->hidden, true));
    must(sp_buffer_fill(b->tied.forward, 0, 0, sp_buffer_size(b->tied.forward)));
    must(sp_buffer_fill(b->tied.backward, 0, 0, sp_buffer_size(b->tied.backward)));
}

static void parse(struct bench *b, int argc, char **argv)
{
    static const struct option options[] = {
        { "tokens", required_argument, NULL, 0 },   { "hidden", required_argument, NULL, 1 },
        { "ffn", required_argument, NULL, 2 },      { "heads", required_argument, NULL, 3 },
        { "head-dim", required_argument, NULL, 4 }, { "vocab", required_argument, NULL, 5 },
        { "repeats", required_argument, NULL, 6 },  { NULL, 0, NULL, 0 },
    };
    int *const numbers[] = { &b->tokens, &b->hidden, &b->ffn, &b->heads, &b->head_dim, &b->vocab, &b->repeats };
    int k;

    while ((k = getopt_long(argc, argv, "", options, NULL)) >= 0)
        if (k > 6 || (*numbers[k] = (int)strtol(optarg, NULL, 10)) < 1)
            exit(2);
}

int main(int argc, char **argv)
{
    struct bench b = { .tokens = 1024, .hidden = 576, .ffn = 1536, .heads = 9, .head_dim = 64, .vocab = 49152,
                       .repeats = 15 };
    int all;

    parse(&b, argc, argv);
    all = b.heads * b.head_dim;
    must(sp_device_open(&b.device, NULL));
    allocate(&b);
    measure(&b, "rmsnorm", rmsnorm, 2 * b.hidden);
    measure(&b, "rmsnorm of heads", rmsnorm_heads, 2 * all);
    measure(&b, "rmsnorm backward", rmsnorm_backward, 3 * b.hidden);
    measure(&b, "rmsnorm backward, added", rmsnorm_backward_add, 4 * b.hidden);
    measure(&b, "rmsnorm, gamma's gradient", rmsnorm_gamma, 2 * b.hidden);
    measure(&b, "rope", rope, 2 * all);
    measure(&b, "rope in place", rope_in_place, 2 * all);
    measure(&b, "gated silu", gated, 3 * b.ffn);
    measure(&b, "gated gelu_tanh", gated_gelu, 3 * b.ffn);
    measure(&b, "gated silu backward", gated_backward, 5 * b.ffn);
    measure(&b, "add", add, 3 * b.hidden);
    spread(&b);
    measure(&b, "words, row-major", words, 2 * b.hidden);
    measure(&b, "words, layout for backward", words_backward_layout, 2 * b.hidden);
    measure(&b, "words, layout for forward", words_forward_layout, 2 * b.hidden);
    return 0;
}
