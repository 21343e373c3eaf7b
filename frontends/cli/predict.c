/* speft-cl predict: one JSON object a row, {"label": ..., "logits": [...]}, or what the task has to say of it. */
#include "frontends/cli/report.h"

#include "runtime/base/error.h"
#include "runtime/base/finite.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/train/inputs.h"
#include "runtime/train/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the rows go as their batches come. */
struct output {
    struct sp_run *run;
    const char *input;
    FILE *file;
};

/* The batch that holds the row is the one that is set. Weights are finite: they were checked when they were read. */
static int not_finite(const struct output *o, size_t row)
{
    const struct sp_plan_pass pass = sp_run_evaluation_pass(o->run);
    char name[SP_WEIGHT_NAME + 64];

    SP_TRY(sp_run_find_not_finite(name, sizeof name, o->run, &pass));
    return sp_error(SP_ENUMERIC, "%s: the prediction for row %zu is not a finite number; the first tensor that is not: "
                    "%s, which is too large for fp32", o->input, row, name[0] ? name : "the logits");
}

static int write_rows(void *user, const struct sp_logits *logits)
{
    const struct output *o = user;

    for (size_t i = 0; i < logits->rows; i++) {
        struct sp_logits_row row = sp_logits_row(logits, i);

        if (sp_first_not_finite(row.values, row.count * logits->outputs) < row.count * logits->outputs)
            return not_finite(o, logits->from + i + 1);
    }
    for (size_t i = 0; i < logits->rows; i++)
        SP_TRY(sp_report_row(o->file, o->run->task->predicted(o->run, logits, i), "the predictions"));
    return 0;
}

static int write_all(void *user, FILE *file)
{
    struct output *o = user;

    o->file = file;
    return sp_logits_each(NULL, o->run, &o->run->validation, write_rows, o);
}

static int predict(struct sp_run *run, const char *input, const char *output)
{
    bool standard = strcmp(input, "-") == 0;

    SP_TRY(sp_report_check_output(input, output, "the predictions"));
    if (run->config->skip_bad_rows)
        return sp_error(SP_ECONFIG, "--set: skip_bad_rows is not for predict, whose lines are those of the input in "
                                    "order: without a bad row they would no longer match; correct the row or remove "
                                    "it");
    SP_TRY(sp_run_open(run));
    SP_TRY(sp_inputs_spare(run, "--output", output, "the predictions"));
    if (run->adapter)
        SP_TRY(sp_adapter_check_base(run->adapter, run->checkpoint));
    SP_TRY(sp_run_load_data(run, false, false));
    SP_TRY(sp_run_load_input(run, input));
    SP_TRY(sp_run_build(run, false, 0, 0));
    return sp_report_rows(output, write_all,
                          &(struct output){ .run = run, .input = standard ? SP_READER_STANDARD_INPUT : input });
}

static int run_predict(const struct sp_arguments *arguments)
{
    const char *model, *input, *output, *dir = sp_argument(arguments, "adapter");
    struct sp_adapter adapter = { 0 };
    struct sp_config config;
    struct sp_run r;
    int rc;

    SP_TRY(sp_argument_require(&model, arguments, "model"));
    SP_TRY(sp_argument_require(&input, arguments, "input"));
    SP_TRY(sp_argument_require(&output, arguments, "output"));
    if (dir)
        SP_TRY(sp_adapter_load(&adapter, dir));
    rc = sp_report_config(&config, arguments, model, dir ? &adapter : NULL);
    if (rc == 0) {
        r = sp_report_run(&config);
        r.adapter = dir ? &adapter : NULL;
        rc = predict(&r, input, output);
        sp_run_close(&r);
        sp_config_release(&config);
    }
    sp_adapter_release(&adapter);
    return rc;
}

static const struct sp_flag flags[] = {
    { "model", "DIR|FILE", "the model directory, or its GGUF file", NULL },
    { "adapter", "DIR", "the adapter to apply; without one the model must have a trained head", NULL },
    { "input", "FILE|-",
      "the rows: jsonl, csv or tsv; - is standard input: jsonl when it begins with {, else lines of text", NULL },
    { "output", "FILE|-", "where the predictions go; - is standard output", NULL },
    SP_FLAG_SET,
    SP_FLAG_DEVICE,
    SP_FLAG_END,
};

const struct sp_command sp_command_predict = {
    .name = "predict",
    .usage = "--model DIR|FILE [--adapter DIR] --input FILE|- --output FILE|- [--set KEY=VALUE]... [--device SPEC]",
    .summary = "print label and logits of each row, or the log-probabilities of its tokens",
    .flags = flags,
    .run = run_predict,
};
