/* speft-cl eval: the task's metrics of an adapter on the validation file. */
#include "frontends/cli/report.h"

#include "runtime/base/error.h"

#include <stdio.h>
#include <stdlib.h>

static int print(const struct sp_evaluation *e, const struct sp_task *task, bool as_json)
{
    char text[200], *dump;
    json_t *object;
    int rc = 0;

    if (!as_json) {
        sp_report_metrics(text, sizeof text, e, task);
        printf("%s (%zu rows)\n", text, e->rows);
        return 0;
    }
    object = json_pack("{s:I}", "rows", (json_int_t)e->rows);
    if (!object)
        return sp_error(SP_ENOMEM, "out of memory");
    rc = sp_evaluation_json(object, e, task, "");
    dump = rc == 0 ? json_dumps(object, JSON_REAL_PRECISION(9)) : NULL;
    if (dump)
        printf("%s\n", dump);
    free(dump);
    json_decref(object);
    return rc;
}

static int evaluate(struct sp_run *eval, struct sp_evaluation *out)
{
    SP_TRY(sp_run_open(eval));
    SP_TRY(sp_adapter_check_base(eval->adapter, eval->checkpoint));
    SP_TRY(sp_run_load_data(eval, false, true));
    SP_TRY(sp_run_build(eval, false, 0, 0));
    SP_TRY(sp_evaluate(out, eval));
    sp_evaluation_tell_guessing(out, eval, false);
    return 0;
}

static int run_eval(const struct sp_arguments *arguments)
{
    struct sp_adapter adapter = { 0 };
    struct sp_evaluation e;
    struct sp_config config;
    struct sp_run eval;
    const char *dir;
    int rc;

    SP_TRY(sp_argument_require(&dir, arguments, "adapter"));
    SP_TRY(sp_arguments_config(&config, arguments, arguments->positional[0]));
    eval = sp_report_run(&config);
    SP_GO(sp_adapter_load(&adapter, dir));
    eval.adapter = &adapter;
    SP_GO(evaluate(&eval, &e));
    rc = print(&e, eval.task, sp_argument(arguments, "json") != NULL);
out:
    sp_run_close(&eval);
    sp_adapter_release(&adapter);
    sp_config_release(&config);
    return rc;
}

static const struct sp_flag flags[] = {
    { "adapter", "DIR", "the adapter to evaluate", NULL },
    SP_FLAG_JSON,
    SP_FLAG_SET,
    SP_FLAG_DEVICE,
    SP_FLAG_END,
};

const struct sp_command sp_command_eval = {
    .name = "eval",
    .usage = "CONFIG --adapter DIR [--json] [--set KEY=VALUE]... [--device SPEC]",
    .summary = "print the metrics of an adapter on the validation file",
    .flags = flags,
    .positional = 1,
    .run = run_eval,
};
