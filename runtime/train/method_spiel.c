/*
 * spiel ("Scaling Sparse Fine-Tuning to Large Language Models", SpIEL, arXiv 2401.16405, section 3, and its released
 * code): with t steps done, a reselection comes when t mod S = A. Of a tensor's K entries it drops the n = floor(K p)
 * that moved least and grows as many; p falls from r0 to 0 over the N steps of the run,
 *
 *     linear: r0 (1 - t / N), and 1 at the first reselection        cosine: r0 (1 + cos(pi t / N)) / 2
 *
 * Growth ag: the window is the A steps before; its candidates that are not kept, by the largest |sum of gradients| (as
 * the optimizer sees them, clipped). One that was to be dropped and comes out best again stays as it is. Growth ma: the
 * entries that were not active with the largest R_i C_j of SM3. Ties go to the lower position throughout. A reselection
 * after the last step is left out, as nothing would be trained with it.
 */
#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/outer.h"
#include "runtime/sparse/support.h"
#include "runtime/sparse/window.h"
#include "runtime/train/config_priv.h"
#include "runtime/train/method.h"
#include "runtime/train/part_sparse.h"
#include "runtime/train/roles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ----------------------------------------------------------------------------------------------------- */

#define DEFAULT_GROWTH "ag"
#define DEFAULT_RESELECTION_STEPS 20
#define DEFAULT_SELECTION_STEPS 5
#define DEFAULT_REPLACEMENT 0.2
#define DEFAULT_REPLACEMENT_SCHEDULE "linear"
#define DEFAULT_DROP "delta"

static const char *const growths[] = { "ag", "ma", NULL };
static const char *const replacements[] = { "linear", "cosine", NULL };
static const char *const moved[] = { "delta", "delta_change", NULL };

#define MA_OPTIMIZER "sm3" /* with growth ma */

struct options {
    char *growth; /* ag or ma */
    long long reselection_steps, selection_accumulation_steps;
    double initial_replacement;
    char *replacement_schedule; /* linear or cosine */
    char *drop;                 /* delta or delta_change */
};

static const struct options *options_of(const struct sp_run *run)
{
    return run->config->sparse.spiel_options;
}

#define FIELD(name) offsetof(struct options, name)

static const struct sp_option options[] = {
    { "sparse.growth", SP_OPTION_STRING, FIELD(growth), NULL, NULL, growths, SP_CONFIG_SPARSE,
      "How method spiel chooses new entries: by accumulated gradients (ag), or by SM3's "
      "accumulators (ma), whose optimizer by default is " MA_OPTIMIZER ".",
      "by default " DEFAULT_GROWTH },
    { "sparse.reselection_steps", SP_OPTION_INT, FIELD(reselection_steps), NULL,
      "[2, inf)", NULL, SP_CONFIG_SPARSE, "Steps between reselections, with method spiel.",
      "by default " SP_CONFIG_DIGITS(DEFAULT_RESELECTION_STEPS) },
    { "sparse.selection_accumulation_steps", SP_OPTION_INT,
      FIELD(selection_accumulation_steps), NULL, "[1, inf)", NULL, SP_CONFIG_SPARSE,
      "Steps over which gradients are accumulated before a reselection, with method spiel; fewer "
      "than reselection_steps.",
      "by default " SP_CONFIG_DIGITS(DEFAULT_SELECTION_STEPS) },
    { "sparse.initial_replacement", SP_OPTION_NUMBER, FIELD(initial_replacement), NULL,
      "(0, 1]", NULL, SP_CONFIG_SPARSE,
      "The share of entries that a reselection replaces at the run's start, with method spiel.",
      "by default " SP_CONFIG_DIGITS(DEFAULT_REPLACEMENT) },
    { "sparse.replacement_schedule", SP_OPTION_STRING, FIELD(replacement_schedule), NULL,
      NULL, replacements, SP_CONFIG_SPARSE,
      "How that share falls to 0: in a line, after a first reselection that replaces all, or in "
      "half a cosine.",
      "by default " DEFAULT_REPLACEMENT_SCHEDULE },
    { "sparse.drop", SP_OPTION_STRING, FIELD(drop), NULL, NULL, moved, SP_CONFIG_SPARSE,
      "Which entries method spiel drops: those nearest the pretrained weight, or those that moved "
      "least since the last reselection.",
      "by default " DEFAULT_DROP },
};

/* SpIEL starts from random positions, the same share of each tensor. */
static int check_start(struct sp_config_load *load)
{
    static const char *const keys[] = { "sparse.metric", "sparse.scope" };
    struct sp_config_sparse *s = &load->config->sparse;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct sp_option_given *option = sp_config_given(load, keys[i]);
        bool fits = i ? s->scope == SP_CONFIG_SCOPE_TENSOR : strcmp(s->metric, "random") == 0;
        const char *why = i ? "method spiel has the same share of each tensor (sparse.scope: tensor)"
                            : "method spiel starts from random positions (sparse.metric: random)";

        if (!option->rank || fits)
            continue;
        if (sp_config_given(load, "sparse.method")->rank < option->rank)
            return sp_source_error(SP_ECONFIG, option->source, option->place, "%s", why);
        SP_TRY(sp_config_contradiction(load, "sparse.method", keys[i], why));
    }
    free(s->metric);
    s->metric = NULL;
    s->scope = SP_CONFIG_SCOPE_TENSOR;
    return sp_config_fill(&s->metric, "random");
}

static int check_spiel(struct sp_config_load *load)
{
    struct options *s = load->config->sparse.spiel_options;
    const struct sp_option_given *window = sp_config_given(load, "sparse.selection_accumulation_steps");

    if (s->growth && strcmp(s->growth, "ma") == 0 && load->config->optimizer &&
        strcmp(load->config->optimizer, MA_OPTIMIZER) != 0)
        SP_TRY(sp_config_contradiction(load, "sparse.growth", "optimizer",
                                       "growth ma reads SM3's accumulators, which another optimizer has not"));
    SP_TRY(check_start(load));
    SP_TRY(sp_config_fill(&s->growth, DEFAULT_GROWTH));
    SP_TRY(sp_config_fill(&s->replacement_schedule, DEFAULT_REPLACEMENT_SCHEDULE));
    SP_TRY(sp_config_fill(&s->drop, DEFAULT_DROP));
    sp_config_fill_int(&s->reselection_steps, DEFAULT_RESELECTION_STEPS);
    sp_config_fill_int(&s->selection_accumulation_steps, DEFAULT_SELECTION_STEPS);
    if (strcmp(s->growth, "ma") == 0)
        SP_TRY(sp_config_fill(&load->config->optimizer, MA_OPTIMIZER));
    if (isnan(s->initial_replacement))
        s->initial_replacement = DEFAULT_REPLACEMENT;
    if (s->selection_accumulation_steps < s->reselection_steps)
        return 0;
    if (!window->rank)
        window = sp_config_given(load, "sparse.reselection_steps");
    return sp_source_error(SP_ECONFIG, window->source, window->place,
                           "%lld selection_accumulation_steps do not fit between reselections every %lld "
                           "reselection_steps: they must be fewer",
                           s->selection_accumulation_steps, s->reselection_steps);
}

/* ---- the moving mask --------------------------------------------------------------------------------------------- */

struct spiel {
    struct sp_sparse_part *part;
    struct sp_window *window; /* growth ag */
    bool is_open;
    float **before; /* drop delta_change: each tensor's values after the last reselection; else NULL */
    size_t count;   /* of tensors */
};

/* One tensor's reselection: arrays of at most K entries. */
struct tensor {
    const struct sp_mask_tensor *now;
    const char *name;
    size_t n;                              /* to drop, and to grow */
    uint32_t *dropped, *added, *from;
    float *values, *sum, *squares;
};

static size_t steps_of(const struct sp_run *run)
{
    return (size_t)options_of(run)->reselection_steps;
}

static size_t window_of(const struct sp_run *run)
{
    return (size_t)options_of(run)->selection_accumulation_steps;
}

static bool is(const char *option, const char *value)
{
    return strcmp(option, value) == 0;
}

static struct sp_param *param_of(const struct sp_run *run, const struct sp_mask_tensor *t)
{
    return sp_plan_param_at(run->plan, t->param);
}

/* The window's (window.h): a dense gradient of the largest target; of each candidate its gradient, two sums and its
 * position; and the rows' starts. */
static int memory(size_t *bytes, const struct sp_run *run)
{
    size_t entries, largest = 0, rows = 0;

    if (!is(options_of(run)->growth, "ag"))
        return 0;
    SP_TRY(sp_mask_entries(&entries, run));
    for (size_t i = 0; i < sp_plan_param_count(run->plan); i++) {
        const struct sp_param *p = sp_plan_param_at(run->plan, i);

        if (p->role != SP_PARAM_SPARSE)
            continue;
        largest = sp_param_elements(p) > largest ? sp_param_elements(p) : largest;
        rows += (size_t)p->rows + 1;
    }
    *bytes = sp_f32_bytes(largest + 4 * entries + rows);
    return 0;
}

static void free_spiel(void *state)
{
    struct spiel *s = state;

    if (!s)
        return;
    sp_window_free(s->window);
    for (size_t i = 0; s->before && i < s->count; i++)
        free(s->before[i]);
    free(s->before);
    free(s);
}

static int create_window(struct spiel *s, const struct sp_mask *mask, struct sp_run *run)
{
    struct sp_window_target *targets = sp_calloc(mask->count, sizeof *targets);
    int rc;

    if (!targets)
        return SP_ENOMEM;
    for (size_t i = 0; i < mask->count; i++)
        targets[i] = (struct sp_window_target){ &param_of(run, &mask->tensors[i])->weight, mask->tensors[i].count };
    rc = sp_window_create(&s->window, run->device, targets, mask->count);
    free(targets);
    return rc;
}

static int create(void **state, struct sp_trained *trained, struct sp_run *run)
{
    const struct options *c = options_of(run);
    const struct sp_mask *mask = &sp_sparse_of(trained)->mask;
    struct spiel *s = sp_calloc(1, sizeof *s);
    size_t largest = 0;

    *state = s;
    if (!s)
        return SP_ENOMEM;
    s->part = sp_sparse_of(trained);
    s->count = mask->count;
    if (window_of(run) >= trained->total)
        sp_log(SP_LOG_WARNING,
               "the mask will not move: sparse.selection_accumulation_steps is %zu and the run has %zu steps",
               window_of(run), trained->total);
    for (size_t i = 0; i < mask->count; i++)
        largest = mask->tensors[i].count > largest ? mask->tensors[i].count : largest;
    if ((size_t)((double)largest * c->initial_replacement) == 0)
        sp_log(SP_LOG_WARNING,
               "%sthe mask will not move: sparse.initial_replacement %g of at most %zu entries in a matrix is none",
               is(c->replacement_schedule, "linear") ? "after the first reselection, which replaces all, " : "",
               c->initial_replacement, largest);
    if (is(c->drop, "delta_change")) {
        s->before = sp_calloc(mask->count, sizeof *s->before);
        for (size_t i = 0; s->before && i < mask->count; i++)
            if (!(s->before[i] = sp_calloc(mask->tensors[i].count, sizeof **s->before)))
                return SP_ENOMEM;
        if (!s->before)
            return SP_ENOMEM;
    }
    return is(c->growth, "ag") ? create_window(s, mask, run) : 0;
}

static void hang_window(struct spiel *s, struct sp_run *run)
{
    const struct sp_mask *mask = &s->part->mask;

    for (size_t i = 0; i < mask->count; i++)
        if (mask->tensors[i].count)
            run->gradients[mask->tensors[i].param].sink = sp_window_sink(s->window, i,
                                                                         sp_delta_sink(s->part->delta, i));
}

/* A window's steps form dense gradients and the candidates' masked ones. */
static int record(void *state, struct sp_trained *trained, struct sp_run *run)
{
    struct sp_plan_pass pass = sp_run_training_pass(run);
    struct spiel *s = state;
    int rc;

    if (!s->window || window_of(run) >= trained->total)
        return 0;
    SP_TRY(sp_window_open(s->window));
    hang_window(s, run);
    rc = sp_plan_record(run->plan, &pass);
    sp_sparse_hang(trained, run);
    SP_TRY(rc);
    sp_device_set_recording(run->device, true);
    rc = sp_window_add_step(s->window, sp_optim_norm_buffer(trained->optim));
    sp_device_set_recording(run->device, false);
    return rc;
}

/* A window opens A steps before the reselection that it is for. */
static bool opens_at(const struct spiel *s, const struct sp_trained *trained, const struct sp_run *run, size_t done)
{
    return s->window && done % steps_of(run) == 0 && done + window_of(run) < trained->total;
}

static bool reselects_after(const struct sp_trained *trained, const struct sp_run *run, size_t done)
{
    return done % steps_of(run) == window_of(run) && done < trained->total;
}

/* A window's first step chooses its candidates on the host; its other steps only add to their sums. */
static bool waits(const void *state, const struct sp_trained *trained, const struct sp_run *run, size_t done)
{
    return opens_at(state, trained, run, done) || reselects_after(trained, run, done + 1);
}

static int before_step(void *state, struct sp_trained *trained, struct sp_run *run, size_t done)
{
    struct spiel *s = state;

    if (!opens_at(s, trained, run, done))
        return 0;
    SP_TRY(sp_window_open(s->window));
    s->is_open = true;
    hang_window(s, run);
    return 0;
}

static double replaced_share(const struct sp_run *run, size_t done, size_t total)
{
    const struct options *c = options_of(run);
    double progress = (double)done / (double)total;

    if (is(c->replacement_schedule, "cosine"))
        return c->initial_replacement * (1 + cos(M_PI * progress)) / 2;
    return done == window_of(run) ? 1 : c->initial_replacement * (1 - progress);
}

/* The n entries that moved least, as positions. */
static int choose_dropped(struct tensor *t, const struct spiel *s, size_t i)
{
    SP_TRY(sp_delta_read(t->values, s->part->delta, i));
    for (size_t k = 0; s->before && k < t->now->count; k++)
        t->values[k] -= s->before[i][k];
    sp_support_smallest(t->dropped, t->n, t->values, t->now->count);
    for (size_t k = 0; k < t->n; k++)
        t->dropped[k] = t->now->positions[t->dropped[k]];
    return 0;
}

static bool has(const uint32_t *list, size_t count, size_t *at, uint32_t position)
{
    while (*at < count && list[*at] < position)
        ++*at;
    return *at < count && list[*at] == position;
}

/* Growth ag: t->added from the candidates; sum and squares become theirs. */
static int grow_by_gradients(struct tensor *t, struct spiel *s, size_t i)
{
    const uint32_t *candidates;
    size_t valid = 0, active = 0, dropped = 0, K = t->now->count;
    uint32_t *positions = sp_calloc(K, sizeof *positions);
    int rc = positions ? 0 : SP_ENOMEM;

    SP_GO(rc);
    SP_GO(sp_window_read(&candidates, t->sum, t->squares, s->window, i));
    for (size_t k = 0; k < K; k++) {
        if (!isfinite(t->sum[k]) || !isfinite(t->squares[k])) {
            rc = sp_error(SP_ENUMERIC,
                          "the accumulated gradient of %s at position %u is not finite; a lower learning_rate or "
                          "max_grad_norm may help",
                          t->name, candidates[k]);
            goto out;
        }
        if (has(t->now->positions, K, &active, candidates[k]) && !has(t->dropped, t->n, &dropped, candidates[k]))
            continue;
        positions[valid] = candidates[k];
        t->sum[valid] = t->sum[k];
        t->squares[valid++] = t->squares[k];
    }
    sp_support_largest(t->added, t->n, t->sum, valid); /* K - n are kept, so that n of K candidates are valid */
    for (size_t k = 0; k < t->n; k++) {
        t->sum[k] = t->sum[t->added[k]];
        t->squares[k] = t->squares[t->added[k]];
        t->added[k] = positions[t->added[k]];
    }
out:
    free(positions);
    return rc;
}

/* Growth ma: t->added from SM3's accumulators. */
static int grow_by_accumulators(struct tensor *t, struct sp_trained *trained, const struct sp_param *p, size_t i)
{
    size_t rows = (size_t)p->rows, cols = (size_t)p->cols, bad;
    float *accumulators = sp_calloc(rows + cols, sizeof *accumulators);
    int rc = accumulators ? 0 : SP_ENOMEM;

    SP_GO(rc);
    SP_GO(sp_optim_accumulators(accumulators, trained->optim, sp_sparse_of(trained)->first_view + i));
    bad = sp_first_not_finite(accumulators, rows + cols);
    if (bad < rows + cols)
        SP_GO(sp_error(SP_ENUMERIC,
                       "SM3's accumulator of %s %zu of %s is not finite; a lower learning_rate or max_grad_norm may "
                       "help",
                       bad < rows ? "row" : "column", bad < rows ? bad : bad - rows, t->name));
    rc = sp_outer_largest(t->added, t->n, accumulators, rows, accumulators + rows, cols, t->now->positions,
                          t->now->count);
out:
    free(accumulators);
    return rc;
}

/* The new support, and for growth ag the window's means of the entries that are new in it. */
static int assemble(struct sp_mask_tensor *next, struct sp_sparse_seed *seed, const struct tensor *t, size_t window)
{
    size_t a = 0, fresh = 0;

    *next = (struct sp_mask_tensor){ .param = t->now->param,
                                     .positions = sp_calloc(2 * t->now->count, sizeof *next->positions) };
    if (!next->positions)
        return SP_ENOMEM;
    next->count = sp_support_update(next->positions, t->from, t->now->positions, t->now->count, t->dropped, t->n,
                                    t->added, t->n);
    if (!seed)
        return 0;
    seed->mean = sp_calloc(t->n, sizeof *seed->mean);
    seed->square = sp_calloc(t->n, sizeof *seed->square);
    if (!seed->mean || !seed->square)
        return SP_ENOMEM;
    for (size_t k = 0; k < next->count; k++) {
        if (t->from[k] != SP_REMAP_NEW)
            continue;
        while (t->added[a] != next->positions[k])
            a++;
        seed->mean[fresh] = t->sum[a] / (float)window;
        seed->square[fresh++] = t->squares[a] / (float)window;
    }
    return 0;
}

static int reselect_tensor(struct sp_mask_tensor *next, struct sp_sparse_seed *seed, struct spiel *s,
                           struct sp_trained *trained, struct sp_run *run, size_t i, double share)
{
    const struct sp_mask_tensor *now = &s->part->mask.tensors[i];
    const struct sp_param *p = param_of(run, now);
    size_t K = now->count, inactive = sp_param_elements(p) - K;
    uint32_t *words = sp_calloc(4 * K, sizeof *words); /* a new support has up to 2 K entries while it is made */
    float *numbers = sp_calloc(3 * K, sizeof *numbers);
    struct tensor t = { .now = now,
                        .name = sp_run_param_name(run, now->param),
                        .n = (size_t)((double)K * share),
                        .dropped = words,
                        .added = words + K,
                        .from = words + 2 * K,
                        .values = numbers,
                        .sum = numbers + K,
                        .squares = numbers + 2 * K };
    int rc = words && numbers ? 0 : SP_ENOMEM;

    SP_GO(rc);
    if (!s->window && t.n > inactive)
        t.n = inactive;
    SP_GO(choose_dropped(&t, s, i));
    SP_GO(s->window ? grow_by_gradients(&t, s, i) : grow_by_accumulators(&t, trained, p, i));
    rc = assemble(next, s->window ? seed : NULL, &t, window_of(run));
out:
    free(words);
    free(numbers);
    return rc;
}

static int reselect(struct spiel *s, struct sp_trained *trained, struct sp_run *run, size_t done,
                    struct sp_mask_change *change)
{
    double share = replaced_share(run, done, trained->total);
    struct sp_mask next = { .count = s->count, .entries = s->part->mask.entries, .targeted = s->part->mask.targeted };
    struct sp_sparse_seed *seeds = sp_calloc(s->count, sizeof *seeds);
    int rc = 0;

    next.tensors = sp_calloc(s->count, sizeof *next.tensors);
    SP_GO(seeds && next.tensors ? 0 : SP_ENOMEM);
    for (size_t i = 0; i < s->count; i++)
        if ((rc = reselect_tensor(&next.tensors[i], &seeds[i], s, trained, run, i, share)) < 0) {
            sp_error_context(rc, "after step %zu, while choosing entries to grow", done);
            goto out;
        }
    SP_GO(sp_sparse_move(trained, run, &(struct sp_sparse_move){ .next = &next, .seeds = s->window ? seeds : NULL,
                                                                 .age = (uint32_t)window_of(run) }, change));
    for (size_t i = 0; s->before && i < s->count; i++)
        SP_GO(sp_delta_read(s->before[i], s->part->delta, i));
out:
    for (size_t i = 0; seeds && i < s->count; i++) {
        free(seeds[i].mean);
        free(seeds[i].square);
    }
    free(seeds);
    if (next.tensors)
        sp_mask_release(&next);
    return rc;
}

static int after_step(void *state, struct sp_trained *trained, struct sp_run *run, size_t done,
                      struct sp_mask_change *change)
{
    struct spiel *s = state;

    if (s->is_open)
        SP_TRY(sp_window_add_step(s->window, sp_optim_norm_buffer(trained->optim)));
    if (!reselects_after(trained, run, done))
        return 0;
    s->is_open = false;
    return reselect(s, trained, run, done, change);
}

static int visit(void *state, struct sp_trained *trained, struct sp_run *run, struct sp_state *visitor)
{
    struct spiel *s = state;

    (void)trained;
    SP_TRY(sp_state_host(visitor, &s->is_open, sizeof s->is_open, "spiel.is_open"));
    for (size_t i = 0; s->before && i < s->count; i++)
        SP_TRY(sp_state_host(visitor, s->before[i], s->part->mask.tensors[i].count * sizeof **s->before,
                             "spiel.%zu.before", i));
    if (!s->is_open)
        return 0;
    hang_window(s, run);
    return sp_window_visit(s->window, visitor);
}

const struct sp_method sp_method_spiel = {
    .name = "spiel",
    .summary = "a sparse delta that drops and grows entries",
    .options = { options, sizeof options / sizeof *options, sizeof(struct options) },
    .learning_rate = SP_METHOD_RATE,
    .masked = true,
    .moves = true,
    .check = check_spiel,
    .assign = sp_sparse_assign,
    .memory = memory,
    .memory_stays = true,
    .create = create,
    .free = free_spiel,
    .record = record,
    .waits = waits,
    .before_step = before_step,
    .after_step = after_step,
    .visit = visit,
};
