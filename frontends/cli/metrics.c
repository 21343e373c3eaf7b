/* speft-cl metrics: every salience metric with what it needs and costs. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"
#include "runtime/sparse/metric.h"

#include <jansson.h>
#include <stdio.h>

static const struct {
    unsigned need;
    const char *name;
} needs[] = {
    { SP_NEED_WEIGHT, "weight" },
    { SP_NEED_GRADIENT, "gradient" },
    { SP_NEED_SQUARES, "squares of single rows' gradients" },
    { SP_NEED_INPUTS, "norms of inputs" },
    { SP_NEED_HESSIAN, "Hessian-vector product" },
    { SP_NEED_FLOW, "gradient of the linearised model" },
    { SP_NEED_DATA, "rows" },
    { SP_NEED_LABELS, "labels" },
};

static void print_metric(const struct sp_metric *m)
{
    const char *before = "";

    printf("%s: %s\n  cost   %s\n  needs  ", m->name, m->summary, m->cost);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (m->needs & needs[i].need) {
            printf("%s%s", before, needs[i].name);
            before = ", ";
        }
    printf("%s\n", *before ? "" : "nothing");
}

static int print_json(void)
{
    json_t *array = json_array();
    int failed = !array;

    for (size_t k = 0; k < sp_metric_count && !failed; k++) {
        const struct sp_metric *m = sp_metrics[k];
        json_t *list = json_array();

        for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
            if (m->needs & needs[i].need)
                failed |= json_array_append_new(list, json_string(needs[i].name));
        failed |= json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:o}", "name", m->name, "summary", m->summary,
                                                         "cost", m->cost, "needs", list));
    }
    failed = failed || json_dumpf(array, stdout, JSON_INDENT(2)) < 0;
    printf("\n");
    json_decref(array);
    return failed ? sp_error(SP_EIO, "cannot write the metrics as JSON") : 0;
}

static int run_metrics(const struct sp_arguments *arguments)
{
    if (sp_argument(arguments, "json"))
        return print_json();
    for (size_t k = 0; k < sp_metric_count; k++)
        print_metric(sp_metrics[k]);
    return 0;
}

static const struct sp_flag flags[] = {
    SP_FLAG_JSON,
    SP_FLAG_END,
};

const struct sp_command sp_command_metrics = {
    .name = "metrics",
    .usage = "[--json]",
    .summary = "list the salience metrics with what they need and cost",
    .flags = flags,
    .run = run_metrics,
};
