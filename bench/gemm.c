/*
 * The matrix products of linear layers alone, on random numbers, at the shapes of a decoder's layers.
 *
 *     gemm [--tokens 1024] [--repeats 5] [--gemm auto] [--processor-time] [OUTxIN...]
 *
 * For each shape of a weight (SmolLM2-135M's when none is given) a line: GFLOPS of the forward product, of dX and of
 * the dense dW, medians.
 */
#include "bench/bench.h"
#include "runtime/base/error.h"
#include "runtime/op/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct sp_device *device;
    const struct sp_gemm_family *family;
    const char *name;
    int tokens, repeats;
    bool processor_time;
};

/* One product, `kind` as enum sp_gemm_kind. */
static int product(const struct bench *b, const struct sp_gemm_weight *w, struct sp_buffer *x, struct sp_buffer *y,
                   struct sp_buffer *dw, int kind)
{
    if (kind == SP_GEMM_FORWARD)
        return sp_gemm_forward(b->device, w, y, x, b->tokens, NULL, SP_ACTIVATION_NONE, NULL);
    if (kind == SP_GEMM_BACKWARD)
        return sp_gemm_backward(b->device, w, x, y, b->tokens, SP_ACTIVATION_NONE, NULL, false);
    return sp_gemm_weight_gradient(b->device, b->family, dw, y, x, b->tokens, w->out, w->in, false);
}

static int time_shape(const struct bench *b, int out, int in)
{
    size_t count = (size_t)out * (size_t)in, tokens = (size_t)b->tokens;
    struct sp_buffer *x, *y, *dw;
    struct sp_gemm_weight w;

    SP_TRY(sp_bench_numbers(&x, b->device, tokens * (size_t)in));
    SP_TRY(sp_bench_numbers(&y, b->device, tokens * (size_t)out));
    SP_TRY(sp_bench_numbers(&dw, b->device, count));
    SP_TRY(sp_gemm_weight_create(&w, b->device, b->family, out, in, true));
    SP_TRY(sp_gemm_weight_pack(&w, dw));
    printf("%6d x %-6d", out, in);
    for (int kind = SP_GEMM_FORWARD; kind <= SP_GEMM_WEIGHT; kind++) {
        double seconds[SP_BENCH_REPEATS];

        for (int r = -1; r < b->repeats; r++) {
            double start = sp_bench_now(b->processor_time);

            SP_TRY(product(b, &w, x, y, dw, kind));
            SP_TRY(sp_device_finish(b->device));
            if (r >= 0)
                seconds[r] = sp_bench_now(b->processor_time) - start;
        }
        printf(" %8.2f", 2e-9 * (double)count * (double)tokens / sp_bench_median(seconds, b->repeats));
    }
    printf("\n");
    fflush(stdout);
    sp_gemm_weight_free(&w);
    sp_buffer_free(dw);
    sp_buffer_free(y);
    sp_buffer_free(x);
    return 0;
}

static int run(struct bench *b, char **shapes, int count)
{
    static const char *smollm2[] = { "576x576", "192x576", "1536x576", "576x1536", "49152x576" };

    SP_TRY(sp_device_open(&b->device, NULL));
    SP_TRY(sp_gemm_choose(&b->family, b->device, b->name));
    for (int i = 0; i < (count ? count : 5); i++) {
        const char *shape = count ? shapes[i] : smollm2[i];
        char *end;
        long out = strtol(shape, &end, 10), in = *end == 'x' ? strtol(end + 1, &end, 10) : 0;

        if (*end || out < 1 || in < 1 || out > 1 << 20 || in > 1 << 20)
            return sp_error(SP_EINVAL, "%s is no shape of a weight, such as 1536x576", shape);
        SP_TRY(time_shape(b, (int)out, (int)in));
    }
    sp_device_close(b->device);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = { .name = "auto", .tokens = 1024, .repeats = 5 };
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--processor-time") == 0)
            b.processor_time = true;
        else if (i + 1 < argc && strcmp(argv[i], "--tokens") == 0)
            b.tokens = (int)strtol(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--repeats") == 0)
            b.repeats = (int)strtol(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--gemm") == 0)
            b.name = argv[++i];
        else
            b.tokens = 0;
    }
    if (b.tokens < 1 || b.repeats < 1 || b.repeats > SP_BENCH_REPEATS) {
        fprintf(stderr, "usage: gemm [--tokens N] [--repeats N] [--gemm FAMILY] [--processor-time] [OUTxIN...]\n");
        return 2;
    }
    if (run(&b, argv + i, argc - i) < 0) {
        fprintf(stderr, "gemm: %s\n", sp_error_message());
        return 1;
    }
    return 0;
}
