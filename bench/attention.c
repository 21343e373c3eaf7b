/*
 * Attention's speed alone, on random numbers: forward and backward, and decoding one token over a cache.
 *
 *     attention [--heads 9] [--kv-heads 3] [--head-dim 64] [--sequences 2] [--length 512] [--window 0] [--full]
 *               [--cache 2048] [--layers 30] [--repeats 9] [--processor-time]
 *
 * Prints one JSON line, medians: forward_gflops and backward_gflops, of the products that causal attention needs (two
 * and five of 2 head_dim operations for each pair of a query and a key that it sees), or with --full one that is not
 * causal; decode_gbps, keys and values that one token of each sequence reads a second over --cache rows, of --layers
 * layers, and read_gbps, the same bytes read plainly (bench.h).
 */
#include "bench/bench.h"
#include "runtime/base/error.h"
#include "runtime/op/attention_decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct sp_device *device;
    struct sp_attention args;
    int length, cache, layers, repeats;
    bool full, processor_time;
    size_t bytes; /* of one layer's keys */
};

/* Sequences of `queries` rows over `keys`. */
static int set_sequences(struct bench *b, int queries, int keys)
{
    struct sp_attention *a = &b->args;
    uint32_t bounds[2][257];

    for (int s = 0; s <= a->sequences; s++) {
        bounds[0][s] = (uint32_t)(s * queries);
        bounds[1][s] = (uint32_t)(s * keys);
    }
    a->longest = queries;
    a->longest_keys = keys;
    SP_TRY(sp_buffer_create(&a->bounds, b->device, sizeof bounds[0]));
    SP_TRY(sp_buffer_create(&a->key_bounds, b->device, sizeof bounds[1]));
    SP_TRY(sp_buffer_write(a->bounds, 0, bounds[0], sizeof bounds[0]));
    return sp_buffer_write(a->key_bounds, 0, bounds[1], sizeof bounds[1]);
}

/* Pairs of a query and a key that it sees, of all sequences and heads. */
static double pairs(const struct bench *b)
{
    double sum = 0;

    for (int i = 0; i < b->length; i++) {
        int seen = b->full ? b->length : i + 1;

        sum += b->args.window && b->args.window < seen ? b->args.window : seen;
    }
    return sum * b->args.sequences * b->args.heads;
}

static int time_training(struct bench *b, double gflops[2])
{
    struct sp_attention *a = &b->args;
    size_t C = (size_t)(a->heads * a->head_dim), CK = (size_t)(a->kv_heads * a->head_dim);
    size_t T = (size_t)(a->sequences * b->length);
    double seconds[2][SP_BENCH_REPEATS];

    SP_TRY(set_sequences(b, b->length, b->length));
    SP_TRY(sp_bench_numbers(&a->q, b->device, T * C));
    SP_TRY(sp_bench_numbers(&a->k, b->device, T * CK));
    SP_TRY(sp_bench_numbers(&a->v, b->device, T * CK));
    SP_TRY(sp_bench_numbers(&a->out, b->device, T * C));
    SP_TRY(sp_bench_numbers(&a->dout, b->device, T * C));
    SP_TRY(sp_bench_numbers(&a->dq, b->device, T * C));
    SP_TRY(sp_bench_numbers(&a->dk, b->device, T * CK));
    SP_TRY(sp_bench_numbers(&a->dv, b->device, T * CK));
    SP_TRY(sp_bench_numbers(&a->lse, b->device, T * (size_t)a->heads));
    for (int r = -1; r < b->repeats; r++)
        for (int k = 0; k < 2; k++) {
            double start = sp_bench_now(b->processor_time);

            SP_TRY(k ? sp_attention_backward(b->device, a) : sp_attention_forward(b->device, a));
            SP_TRY(sp_device_finish(b->device));
            if (r >= 0)
                seconds[k][r] = sp_bench_now(b->processor_time) - start;
        }
    for (int k = 0; k < 2; k++)
        gflops[k] = (k ? 5 : 2) * 2e-9 * pairs(b) * a->head_dim / sp_bench_median(seconds[k], b->repeats);
    return 0;
}

/* decode_gbps, read_gbps. */
static int time_decoding(struct bench *b, double gbps[2])
{
    struct sp_attention *a = &b->args;
    size_t C = (size_t)(a->heads * a->head_dim), CK = (size_t)(a->kv_heads * a->head_dim);
    size_t rows = (size_t)(a->sequences * b->cache), bytes = 2 * (size_t)b->layers * rows * CK * sizeof(float);
    struct sp_buffer *keys[256], *shares;
    uint64_t *words = sp_calloc(bytes, 1);
    double seconds[2][SP_BENCH_REPEATS];

    if (!words)
        return SP_ENOMEM;
    memset(words, 1, bytes);
    SP_TRY(set_sequences(b, 1, b->cache));
    for (int l = 0; l < 2 * b->layers; l++)
        SP_TRY(sp_bench_numbers(&keys[l], b->device, rows * CK));
    SP_TRY(sp_bench_numbers(&a->q, b->device, (size_t)a->sequences * C));
    SP_TRY(sp_bench_numbers(&a->out, b->device, (size_t)a->sequences * C));
    SP_TRY(sp_bench_numbers(&a->lse, b->device, (size_t)(a->sequences * a->heads)));
    SP_TRY(sp_bench_numbers(&shares, b->device, sp_attention_decode_shares(a)));
    for (int r = -1; r < b->repeats; r++) {
        double start = sp_bench_now(b->processor_time), read;

        for (int l = 0; l < b->layers; l++) {
            a->k = keys[2 * l];
            a->v = keys[2 * l + 1];
            SP_TRY(sp_attention_decode(b->device, a, shares));
        }
        SP_TRY(sp_device_finish(b->device));
        start = sp_bench_now(b->processor_time) - start;
        read = sp_bench_read(words, bytes / sizeof *words, b->processor_time);
        if (r >= 0)
            seconds[0][r] = start, seconds[1][r] = read;
    }
    for (int k = 0; k < 2; k++)
        gbps[k] = 1e-9 * (double)bytes / sp_bench_median(seconds[k], b->repeats);
    free(words);
    return 0;
}

static int run(struct bench *b)
{
    double gflops[2], gbps[2] = { 0 };

    SP_TRY(sp_device_open(&b->device, NULL));
    b->args.scale = 0.125f;
    b->args.causal = !b->full;
    SP_TRY(time_training(b, gflops));
    if (b->cache && !b->full)
        SP_TRY(time_decoding(b, gbps));
    printf("{\"forward_gflops\": %.2f, \"backward_gflops\": %.2f, \"decode_gbps\": %.2f, \"read_gbps\": %.2f}\n",
           gflops[0], gflops[1], gbps[0], gbps[1]);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = { .length = 512, .cache = 2048, .layers = 30, .repeats = 9,
                       .args = { .heads = 9, .kv_heads = 3, .head_dim = 64, .sequences = 2 } };
    const struct {
        const char *name;
        int *value, least, most;
    } options[] = {
        { "heads", &b.args.heads, 1, 1024 },     { "kv-heads", &b.args.kv_heads, 1, 1024 },
        { "head-dim", &b.args.head_dim, 1, 4096 }, { "sequences", &b.args.sequences, 1, 256 },
        { "length", &b.length, 1, 1 << 20 },     { "window", &b.args.window, 0, 1 << 20 },
        { "cache", &b.cache, 0, 1 << 20 },       { "layers", &b.layers, 1, 128 },
        { "repeats", &b.repeats, 1, SP_BENCH_REPEATS },
    };

    for (int i = 1; i < argc; i++) {
        size_t k = 0;

        if (strcmp(argv[i], "--full") == 0 || strcmp(argv[i], "--processor-time") == 0) {
            *(argv[i][2] == 'f' ? &b.full : &b.processor_time) = true;
            continue;
        }
        while (k < sizeof options / sizeof *options &&
               !(strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, options[k].name) == 0))
            k++;
        if (k < sizeof options / sizeof *options && i + 1 < argc)
            *options[k].value = (int)strtol(argv[++i], NULL, 10);
        else
            k = sizeof options / sizeof *options;
        if (k == sizeof options / sizeof *options || *options[k].value < options[k].least ||
            *options[k].value > options[k].most) {
            fprintf(stderr, "attention: %s is no option of this program, or its value does not fit\n", argv[i]);
            return 2;
        }
    }
    if (b.args.heads % b.args.kv_heads != 0) {
        fprintf(stderr, "attention: --heads must be a multiple of --kv-heads\n");
        return 2;
    }
    if (run(&b) < 0) {
        fprintf(stderr, "attention: %s\n", sp_error_message());
        return 1;
    }
    return 0;
}
