/*
 * Generation of one text: tokens a second, beside what reading the model's weights once a token allows.
 *
 *     generate --model DIR|FILE.gguf [--prompt 16] [--tokens 128] [--processor-time] [--set KEY=VALUE]...
 *
 * After the prompt, of so many tokens, the likeliest tokens, BLOCK at a time; between two blocks as many bytes as the
 * linear layers' weights have are read plainly. Prints one JSON line, medians of the blocks: tokens_per_second,
 * weights_gbps (the weights once a token), read_gbps and share, which is the one of the other.
 */
#include "bench/bench.h"
#include "models/models.h"
#include "runtime/base/child.h"
#include "runtime/base/error.h"
#include "runtime/kernel/worker.h"
#include "runtime/train/generate.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 16, MOST = 32 * BLOCK };

struct bench {
    struct sp_run run;
    const char *model, *sets[32];
    size_t set_count;
    int prompt, tokens;
    bool processor_time;
    uint64_t *words; /* as many bytes as the weights have */
    size_t bytes, made;
    double last, seconds[MOST / BLOCK], reads[MOST / BLOCK];
};

/* Of each token: the first one, the prompt's, and a block's time. */
static int tell(void *user, size_t i, uint32_t token)
{
    struct bench *b = user;
    size_t block = b->made / BLOCK;

    (void)i, (void)token;
    if (b->made++ % BLOCK)
        return 0;
    if (block) {
        b->seconds[block - 1] = (sp_bench_now(b->processor_time) - b->last) / BLOCK;
        b->reads[block - 1] = sp_bench_read(b->words, b->bytes / sizeof *b->words, b->processor_time);
    }
    b->last = sp_bench_now(b->processor_time);
    return 0;
}

/* Of the linear layers, which a token goes through. */
static size_t weight_bytes(struct sp_plan *plan)
{
    size_t sum = 0;

    for (size_t i = 0; i < sp_plan_param_count(plan); i++)
        if (sp_plan_param_at(plan, i)->kind == SP_PARAM_LINEAR)
            sum += sp_param_bytes(sp_plan_param_at(plan, i));
    return sum;
}

static int generate(struct bench *b)
{
    uint32_t prompt[1024], *made = sp_calloc((size_t)b->tokens, sizeof *made);
    struct sp_generation text = { .prompt = prompt, .prompt_length = (size_t)b->prompt,
                                  .max_new_tokens = (size_t)b->tokens, .tokens = made };
    struct sp_generate_limits limits = { .texts = 1, .longest = (size_t)(b->prompt + b->tokens),
                                         .pass = (size_t)b->prompt };
    int blocks = (b->tokens - 1) / BLOCK;

    for (int t = 0; t < b->prompt; t++)
        prompt[t] = (uint32_t)(1000 + t) % (uint32_t)b->run.model.vocab_size;
    SP_TRY(sp_generate_open(&b->run, &limits));
    b->bytes = weight_bytes(b->run.plan);
    b->words = sp_calloc(b->bytes, 1);
    if (!made || !b->words)
        return SP_ENOMEM;
    memset(b->words, 1, b->bytes); /* pages of its own */
    SP_TRY(sp_generate(&b->run, &limits, &text, 1, &(struct sp_generate_options){ .tell = tell, .user = b }));
    b->seconds[0] = sp_bench_median(b->seconds, blocks);
    b->reads[0] = sp_bench_median(b->reads, blocks);
    printf("{\"tokens_per_second\": %.2f, \"weights_gbps\": %.2f, \"read_gbps\": %.2f, \"share\": %.3f}\n",
           1 / b->seconds[0], 1e-9 * (double)b->bytes / b->seconds[0], 1e-9 * (double)b->bytes / b->reads[0],
           b->reads[0] / b->seconds[0]);
    free(b->words);
    free(made);
    return 0;
}

static int run(struct bench *b)
{
    struct sp_config config;
    const char *list[40];
    size_t n = 0;
    int rc;

    list[n++] = sp_asprintf("model_name_or_path=%s", b->model);
    for (size_t i = 0; i < b->set_count; i++)
        list[n++] = b->sets[i];
    SP_TRY(sp_config_load(&config, NULL, list, n));
    b->run = (struct sp_run){ .config = &config, .families = sp_model_families,
                              .family_count = sp_model_family_count };
    rc = sp_run_open(&b->run);
    if (rc == 0)
        rc = generate(b);
    sp_run_close(&b->run);
    sp_config_release(&config);
    return rc;
}

int main(int argc, char **argv)
{
    static struct bench b = { .prompt = 16, .tokens = 128 + 1 };
    bool wrong = false;
    int rc;

    sp_child_begin();
    if (sp_kernel_worker(argc, argv, &rc)) /* this process was started to compile kernels */
        return rc;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "--processor-time") == 0) {
            b.processor_time = true;
            continue;
        }
        if (value && strcmp(argv[i], "--model") == 0)
            b.model = value;
        else if (value && strcmp(argv[i], "--prompt") == 0)
            b.prompt = (int)strtol(value, NULL, 10);
        else if (value && strcmp(argv[i], "--tokens") == 0)
            b.tokens = (int)strtol(value, NULL, 10) + 1;
        else if (value && strcmp(argv[i], "--set") == 0 && b.set_count < sizeof b.sets / sizeof *b.sets)
            b.sets[b.set_count++] = value;
        else
            wrong = true;
        i++;
    }
    if (wrong || !b.model || b.prompt < 1 || b.prompt > 1024 || b.tokens <= BLOCK || b.tokens > MOST) {
        fprintf(stderr, "usage: generate --model DIR|FILE.gguf [--prompt N] [--tokens %d..%d] [--processor-time] "
                        "[--set KEY=VALUE]...\n", BLOCK, MOST - 1);
        return 2;
    }
    rc = run(&b);
    if (rc < 0)
        fprintf(stderr, "generate: %s\n", sp_error_message());
    return rc < 0;
}
