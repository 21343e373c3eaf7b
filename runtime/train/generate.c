#include "runtime/train/generate.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/mem.h"
#include "runtime/op/op.h"
#include "runtime/train/load.h"
#include "runtime/train/prompt.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

int sp_generate_check_model(const struct sp_run *run)
{
    const struct sp_model_family *family = run->model.family;

    return family->vocabulary ? 0
                              : sp_error(SP_ECONFIG,
                                         "%s: a %s model does not predict the next token: it cannot go on with a text",
                                         run->model_file, family->model_types[0]);
}

/* The run's plan, to be compiled for run->limits. */
static int build_plan(struct sp_run *run, const struct sp_generate_limits *limits)
{
    const struct sp_model_family *family = run->model.family;
    size_t rows = limits->texts * limits->longest;
    int hidden;

    if (rows > INT_MAX)
        return sp_error(SP_ELIMIT, "%zu texts of %zu tokens side by side are more than a plan can hold", limits->texts,
                        limits->longest);
    run->limits = (struct sp_plan_limits){ .tokens = (int)limits->pass,
                                           .sequences = (int)limits->texts,
                                           .longest = (int)limits->pass,
                                           .positions = (int)limits->longest };
    SP_TRY(sp_plan_create(&run->plan));
    sp_plan_keep_keys(run->plan, (int)rows);
    hidden = family->body(run->plan, &run->model);
    sp_nn_language_loss(run->plan, hidden, family->vocabulary(run->plan, &run->model), run->model.logit_softcap);
    return 0;
}

static int build_kernels(const struct sp_run *run)
{
    const struct sp_plan_pass pass = sp_run_evaluation_pass(run);

    SP_TRY(sp_plan_record(run->plan, &pass));
    return sp_kernel_build_recorded(run->device);
}

int sp_generate_open(struct sp_run *run, const struct sp_generate_limits *limits)
{
    SP_TRY(sp_generate_check_model(run));
    SP_TRY(sp_load_tie(run));
    SP_TRY(build_plan(run, limits));
    SP_TRY(sp_run_fill(run));
    return build_kernels(run);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* A text that is under way, in the kept rows of its own. */
struct slot {
    struct sp_generation *text; /* NULL: free */
    size_t number;              /* the text's */
    size_t read;                /* tokens whose keys and values are kept */
};

struct generator {
    struct sp_run *run;
    const struct sp_generate_options *options;
    struct sp_sampler sampler;
    const struct sp_generate_limits *limits;
    struct slot *slots;
    /* of a pass */
    uint32_t *ids, *types, *positions, *rows; /* [pass] */
    uint32_t *bounds, *keys;                  /* [texts + 1], [2 texts] */
    size_t *chosen;                           /* [texts]: the slot of each sequence */
    size_t sequences, tokens;
    float *logits; /* [texts x vocabulary] */
    size_t made, done; /* new tokens, texts */
    double start;
};

/* Token i of the prompt and what was made of it. */
static uint32_t token_at(const struct slot *slot, size_t i)
{
    const struct sp_generation *t = slot->text;

    return i < t->prompt_length ? t->prompt[i] : t->tokens[i - t->prompt_length];
}

static size_t length_of(const struct slot *slot)
{
    return slot->text->prompt_length + slot->text->count;
}

/* The slot's next `count` tokens as a sequence of the pass. */
static void add_sequence(struct generator *g, size_t number, size_t count)
{
    struct slot *slot = &g->slots[number];
    size_t first = number * g->limits->longest; /* its rows */

    for (size_t i = 0; i < count; i++, g->tokens++) {
        g->ids[g->tokens] = token_at(slot, slot->read + i);
        g->types[g->tokens] = 0;
        g->positions[g->tokens] = (uint32_t)(slot->read + i);
        g->rows[g->tokens] = (uint32_t)(first + slot->read + i);
    }
    slot->read += count;
    g->keys[2 * g->sequences] = (uint32_t)first;
    g->keys[2 * g->sequences + 1] = (uint32_t)(first + slot->read);
    g->chosen[g->sequences++] = number;
    g->bounds[g->sequences] = (uint32_t)g->tokens;
}

/* Every text under way gets a token of the pass at least; the first ones as many more as they can take. */
static void fill_pass(struct generator *g)
{
    size_t spare = g->limits->pass;

    g->sequences = g->tokens = 0;
    for (size_t i = 0; i < g->limits->texts; i++)
        spare -= g->slots[i].text != NULL;
    for (size_t i = 0; i < g->limits->texts; i++) {
        size_t more;

        if (!g->slots[i].text)
            continue;
        more = length_of(&g->slots[i]) - g->slots[i].read - 1;
        more = more < spare ? more : spare;
        spare -= more;
        add_sequence(g, i, more + 1);
    }
}

static int run_pass(struct generator *g)
{
    const struct sp_plan_pass pass = sp_run_evaluation_pass(g->run);

    SP_TRY(sp_plan_set_batch(g->run->plan, &(struct sp_plan_batch){ .ids = g->ids,
                                                                    .types = g->types,
                                                                    .positions = g->positions,
                                                                    .bounds = g->bounds,
                                                                    .tokens = (int)g->tokens,
                                                                    .sequences = (int)g->sequences,
                                                                    .kept_rows = g->rows,
                                                                    .keys = g->keys }));
    SP_TRY(sp_plan_forward(g->run->plan, &pass));
    return sp_plan_last_logits(g->run->plan, g->logits);
}

static bool is_end(const struct generator *g, uint32_t token)
{
    for (size_t i = 0; i < g->options->end_count; i++)
        if (g->options->end[i] == token)
            return true;
    return false;
}

/* The text's next token by its logits. */
static int take_token(struct generator *g, struct slot *slot, const float *logits)
{
    struct sp_generation *t = slot->text;
    uint32_t token;

    SP_TRY(sp_sampler_next(&token, &g->sampler, logits, (uint32_t)slot->number, t->count));
    t->ended = is_end(g, token);
    if (!t->ended) {
        t->tokens[t->count++] = token;
        g->made++;
        if (g->options->tell)
            SP_TRY(g->options->tell(g->options->user, slot->number, token));
    }
    if (!t->ended && t->count < t->max_new_tokens)
        return 0;
    t->done = true;
    slot->text = NULL;
    g->done++;
    return g->options->done ? g->options->done(g->options->user, slot->number) : 0;
}

static int take_tokens(struct generator *g)
{
    for (size_t s = 0; s < g->sequences; s++) {
        struct slot *slot = &g->slots[g->chosen[s]];

        if (slot->read == length_of(slot)) /* else there is more of the prompt to read */
            SP_TRY(take_token(g, slot, g->logits + s * g->sampler.vocabulary));
    }
    return 0;
}

static void show(const struct generator *g, size_t count)
{
    const struct sp_observer *observer = &g->run->observer;
    double seconds = sp_clock_now() - g->start;

    if (observer->progress)
        observer->progress(observer->user, "generate", g->done, count, NAN,
                           seconds > 0 ? (double)g->made / seconds : 0, false);
}

static int loop(struct generator *g, struct sp_generation *texts, size_t count)
{
    g->start = sp_clock_now();
    for (size_t next = 0;;) {
        for (size_t i = 0; i < g->limits->texts && next < count; i++)
            if (!g->slots[i].text) {
                g->slots[i] = (struct slot){ .text = &texts[next], .number = next };
                next++;
            }
        fill_pass(g);
        if (!g->sequences)
            return 0;
        SP_TRY(run_pass(g));
        SP_TRY(take_tokens(g));
        show(g, count);
        if (sp_interrupted())
            return sp_error(SP_EINTR, "interrupted");
    }
}

static int check_texts(const struct generator *g, const struct sp_generation *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (texts[i].prompt_length < 1 || texts[i].max_new_tokens < 1 ||
            texts[i].prompt_length + texts[i].max_new_tokens > g->limits->longest)
            return sp_error(SP_EINVAL, "text %zu: a prompt of %zu tokens and %zu new ones; there is room for 1 to %zu",
                            i, texts[i].prompt_length, texts[i].max_new_tokens, g->limits->longest);
    return 0;
}

int sp_generate(struct sp_run *run, const struct sp_generate_limits *limits, struct sp_generation *texts, size_t count,
                const struct sp_generate_options *options)
{
    size_t vocabulary = (size_t)run->model.vocab_size, pass = limits->pass;
    struct generator g = { .run = run, .options = options, .limits = limits };
    int rc = 0;

    SP_TRY(check_texts(&g, texts, count));
    SP_GO(sp_sampler_init(&g.sampler, &options->sample, vocabulary));
    g.slots = sp_calloc(limits->texts, sizeof *g.slots);
    g.chosen = sp_calloc(limits->texts, sizeof *g.chosen);
    g.ids = sp_calloc(4 * pass + 3 * limits->texts + 1, sizeof *g.ids);
    g.logits = sp_calloc(limits->texts * vocabulary, sizeof *g.logits);
    SP_GO(g.slots && g.chosen && g.ids && g.logits ? 0 : SP_ENOMEM);
    g.types = g.ids + pass, g.positions = g.types + pass, g.rows = g.positions + pass;
    g.keys = g.rows + pass, g.bounds = g.keys + 2 * limits->texts;
    rc = loop(&g, texts, count);
out:
    free(g.logits);
    free(g.ids);
    free(g.chosen);
    free(g.slots);
    sp_sampler_release(&g.sampler);
    return rc;
}

/* ---- beside a training ------------------------------------------------------------------------------------------- */

/* Text of the tokens that were made. */
static int decode(char **out, const struct sp_run *run, const struct sp_generation *text)
{
    struct sp_buf said = SP_BUF(SP_TOKENIZER_TEXT_MAX);
    int rc = sp_tokenizer_decode(&said, run->tokenizer, text->tokens, text->count, true);

    if (rc == 0) {
        *out = sp_strdup(said.data ? said.data : "");
        rc = *out ? 0 : SP_ENOMEM;
    }
    sp_buf_free(&said);
    return rc;
}

/* For one text. A pass has no more tokens than one of the run's, for which additions to its layers have their room. */
static struct sp_generate_limits limits_beside(const struct sp_run *run, size_t length, size_t max_new_tokens)
{
    size_t most = (size_t)run->limits.tokens;

    return (struct sp_generate_limits){ .texts = 1,
                                        .longest = length + max_new_tokens,
                                        .pass = length < most ? length : most };
}

/* The run with a plan of its own, not compiled yet, that takes the run's parameters: as compiling it makes sure, the
 * same ones by the same numbers, by which additions to their layers go. */
static int plan_beside(struct sp_run *beside, const struct sp_gemm_family **family, const struct sp_run *run,
                       const struct sp_generate_limits *limits)
{
    *beside = *run;
    beside->plan = NULL;
    beside->observer.progress = NULL;
    SP_TRY(build_plan(beside, limits));
    sp_plan_share_params(beside->plan, run->plan);
    return sp_gemm_choose(family, run->device, run->config->gemm);
}

static int open_beside(struct sp_run *beside, const struct sp_run *run, const struct sp_generate_limits *limits)
{
    const struct sp_gemm_family *family;

    SP_TRY(plan_beside(beside, &family, run, limits));
    SP_TRY(sp_plan_compile(beside->plan, run->device, family, &beside->limits));
    return build_kernels(beside);
}

int sp_generate_beside_memory(size_t *bytes, const struct sp_run *run, size_t length, size_t max_new_tokens)
{
    const struct sp_generate_limits limits = limits_beside(run, length, max_new_tokens);
    const struct sp_gemm_family *family;
    struct sp_run beside = { 0 };
    int rc = plan_beside(&beside, &family, run, &limits);

    if (rc == 0)
        rc = sp_plan_measure(bytes, beside.plan, run->device, family, &beside.limits);
    sp_plan_free(beside.plan);
    return rc;
}

int sp_generate_beside(char **said, const struct sp_run *run, const uint32_t *prompt, size_t length,
                       size_t max_new_tokens)
{
    struct sp_generation text = { .prompt = prompt, .prompt_length = length, .max_new_tokens = max_new_tokens };
    struct sp_generate_options options = { .sample = { .top_p = 1 } };
    const struct sp_generate_limits limits = limits_beside(run, length, max_new_tokens);
    struct sp_run beside = { 0 };
    uint32_t *end = NULL;
    int rc;

    text.tokens = sp_calloc(max_new_tokens, sizeof *text.tokens);
    SP_GO(text.tokens ? 0 : SP_ENOMEM);
    SP_GO(sp_prompt_ends(&end, &options.end_count, run));
    options.end = end;
    SP_GO(open_beside(&beside, run, &limits));
    SP_GO(sp_generate(&beside, &limits, &text, 1, &options));
    rc = decode(said, run, &text);
out:
    sp_plan_free(beside.plan);
    free(end);
    free(text.tokens);
    return rc;
}
