/*
 * dynamic (SPEFT, arXiv 2412.13488, section 4): every sparse.interval steps the weights are scored again as they are
 * now and a new mask is taken. on_drop merge folds all values into the weights and starts anew; revert puts dropped
 * entries back and lets kept ones go on. The last step makes no new mask, as nothing would be trained with it.
 */
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/train/config_priv.h"
#include "runtime/train/method.h"
#include "runtime/train/part_sparse.h"
#include "runtime/train/roles.h"

#include <string.h>

#define DEFAULT_INTERVAL 100
#define DEFAULT_ON_DROP "merge"

static const char *const drops[] = { "merge", "revert", NULL };

struct options {
    long long interval;
    char *on_drop; /* merge or revert */
};

static const struct options *options_of(const struct sp_run *run)
{
    return run->config->sparse.dynamic_options;
}

#define FIELD(name) offsetof(struct options, name)

static const struct sp_option options[] = {
    { "sparse.interval", SP_OPTION_INT, FIELD(interval), NULL, "[1, inf)", NULL, SP_CONFIG_SPARSE,
      "Steps between new masks, with method dynamic.", "by default " SP_CONFIG_DIGITS(DEFAULT_INTERVAL) },
    { "sparse.on_drop", SP_OPTION_STRING, FIELD(on_drop), NULL, NULL, drops, SP_CONFIG_SPARSE,
      "What a new mask does to the old one's changes, with method dynamic: merge keeps all of them "
      "in the weights and starts values at 0, and weight_decay then pulls towards the weight at the last merge; "
      "revert undoes those that are dropped.",
      "by default " DEFAULT_ON_DROP },
};

static int check_dynamic(struct sp_config_load *load)
{
    struct options *o = load->config->sparse.dynamic_options;

    sp_config_fill_int(&o->interval, DEFAULT_INTERVAL);
    return sp_config_fill(&o->on_drop, DEFAULT_ON_DROP);
}

/* Scoring again, in the midst of training. */
static int memory(size_t *bytes, const struct sp_run *run)
{
    return sp_mask_memory(bytes, run);
}

static int create(void **state, struct sp_trained *trained, struct sp_run *run)
{
    const struct options *o = options_of(run);

    *state = NULL;
    sp_sparse_of(trained)->merges = strcmp(o->on_drop, "merge") == 0;
    if ((size_t)o->interval >= trained->total)
        sp_log(SP_LOG_WARNING, "the mask will not move: sparse.interval is %lld steps and the run has %zu", o->interval,
               trained->total);
    return 0;
}

static bool moves_after(const struct sp_trained *trained, const struct sp_run *run, size_t done)
{
    return done % (size_t)options_of(run)->interval == 0 && done < trained->total;
}

static bool waits(const void *state, const struct sp_trained *trained, const struct sp_run *run, size_t done)
{
    (void)state;
    return moves_after(trained, run, done + 1);
}

static int after_step(void *state, struct sp_trained *trained, struct sp_run *run, size_t done,
                      struct sp_mask_change *change)
{
    struct sp_sparse_part *part = sp_sparse_of(trained);
    struct sp_mask next;
    int rc;

    (void)state;
    if (!moves_after(trained, run, done))
        return 0;
    rc = sp_mask_make(&next, run, (uint32_t)(done / (size_t)options_of(run)->interval));
    if (rc == SP_EINTR)
        return 0; /* the run ends with the mask that it has */
    SP_TRY(rc);
    return sp_sparse_move(trained, run, &(struct sp_sparse_move){ .next = &next, .merge = part->merges }, change);
}

const struct sp_method sp_method_dynamic = {
    .name = "dynamic",
    .summary = "a sparse delta whose mask is made anew every interval",
    .options = { options, sizeof options / sizeof *options, sizeof(struct options) },
    .learning_rate = SP_METHOD_RATE,
    .masked = true,
    .moves = true,
    .check = check_dynamic,
    .assign = sp_sparse_assign,
    .memory = memory,
    .create = create,
    .waits = waits,
    .after_step = after_step,
};
