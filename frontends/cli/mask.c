/* speft-cl mask: makes a static mask without training, and writes its positions. */
#include "frontends/cli/report.h"
#include "frontends/cli/terminal.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/sparse/metric.h"
#include "runtime/train/inputs.h"
#include "runtime/train/mask.h"
#include "runtime/train/method.h"

#include <stdio.h>
#include <stdlib.h>

static int save(const struct sp_mask *mask, const struct sp_run *run, const char *path)
{
    struct sp_adapter_sparse *tensors = sp_calloc(mask->count, sizeof *tensors);
    const char *checksum;
    int rc;

    if (!tensors)
        return SP_ENOMEM;
    for (size_t i = 0; i < mask->count; i++) {
        const struct sp_mask_tensor *t = &mask->tensors[i];
        const struct sp_param *p = sp_plan_param_at(run->plan, t->param);

        tensors[i] = (struct sp_adapter_sparse){
            sp_run_param_name(run, t->param), (size_t)p->rows, (size_t)p->cols, t->count, t->positions, NULL
        };
    }
    rc = sp_checkpoint_checksum(&checksum, run->checkpoint);
    if (rc == 0)
        rc = sp_adapter_save_mask(path, checksum, tensors, mask->count);
    free(tensors);
    return rc;
}

static int load_rows(struct sp_run *r)
{
    const struct sp_metric *metric = sp_metric_find(r->config->sparse.metric);
    bool labels = metric && metric->needs & SP_NEED_LABELS;
    int rc = sp_run_load_rows(r, labels);

    return rc == SP_ECONFIG && labels ? sp_error_context(rc, "%s scores with labels", metric->name) : rc;
}

static int make(struct sp_mask *mask, struct sp_run *r, const char *path)
{
    if (!sp_config_method(r->config)->masked)
        return sp_error(SP_ECONFIG, "sparse.method: method %s has no mask", sp_config_method(r->config)->name);
    SP_TRY(sp_fs_check_writable(path)); /* before the long work */
    SP_TRY(sp_run_open(r));
    SP_TRY(sp_inputs_spare(r, "--output", path, "the mask"));
    SP_TRY(load_rows(r));
    SP_TRY(sp_run_build(r, true, 0, 0));
    SP_TRY(sp_mask_make(mask, r, 0));
    SP_TRY(save(mask, r, path));
    sp_terminal_print("%s: %zu of %zu weights in %zu matrices", path, mask->entries, mask->targeted, mask->count);
    return 0;
}

/* The configuration, with --metric as a static mask by that metric. */
static int load_config(struct sp_config *out, const struct sp_arguments *arguments)
{
    const char *metric = sp_argument(arguments, "metric");
    size_t count = arguments->override_count;
    const char **overrides = sp_calloc(count + 2, sizeof *overrides);
    char *chosen = metric ? sp_asprintf("sparse.metric=%s", metric) : NULL;
    int rc = SP_ENOMEM;

    if (overrides && (chosen || !metric)) {
        overrides[0] = "sparse.method=static"; /* first: --set may choose another one with a mask */
        for (size_t i = 0; i < count; i++)
            overrides[i + 1] = arguments->overrides[i];
        overrides[count + 1] = chosen;
        rc = sp_config_load(out, arguments->positional[0], metric ? overrides : overrides + 1,
                            metric ? count + 2 : count);
    }
    free(chosen);
    free(overrides);
    return rc;
}

static int run_mask(const struct sp_arguments *arguments)
{
    struct sp_mask mask = { 0 };
    struct sp_config config;
    struct sp_run r;
    const char *path;
    int rc;

    SP_TRY(sp_argument_require(&path, arguments, "output"));
    SP_TRY(load_config(&config, arguments));
    r = sp_report_run(&config);
    rc = make(&mask, &r, path);
    sp_mask_release(&mask);
    sp_run_close(&r);
    sp_config_release(&config);
    return rc;
}

static const struct sp_flag flags[] = {
    { "output", "FILE", "the safetensors file to write", NULL },
    { "metric", "NAME", "the metric, whatever the configuration's method", NULL },
    SP_FLAG_SET,
    SP_FLAG_DEVICE,
    SP_FLAG_END,
};

const struct sp_command sp_command_mask = {
    .name = "mask",
    .usage = "CONFIG --output FILE [--metric NAME] [--set KEY=VALUE]... [--device SPEC]",
    .summary = "choose the weights to train and write their positions",
    .flags = flags,
    .positional = 1,
    .run = run_mask,
};
