/* speft-cl train: fine-tunes a model and says what came of it. */
#include "frontends/cli/report.h"
#include "frontends/cli/terminal.h"

#include "runtime/base/error.h"
#include "runtime/train/trainer.h"

#include <stdio.h>
#include <string.h>

/* A text behind its name, its lines below each other. */
static void report_text(const char *name, const char *text)
{
    printf("%s", name);
    for (size_t length;; text += length + 1) {
        length = strcspn(text, "\n");
        sp_terminal_text(text, length);
        printf("\n");
        if (!text[length] || !text[length + 1])
            return;
        printf("%*s", text[length + 1] == '\n' ? 0 : (int)strlen(name), "");
    }
}

static void report(const struct sp_train_result *r, const struct sp_run *run)
{
    char text[200];

    if (r->evaluated) {
        sp_report_metrics(text, sizeof text, &r->before, run->task);
        printf("held-out before: %s\n", text);
        sp_report_metrics(text, sizeof text, &r->after, run->task);
        printf("held-out after:  %s\n", text);
    }
    if (run->sample.asked) {
        report_text("prompt:          ", run->sample.asked);
        report_text("answer before:   ", run->sample.before);
        report_text("answer after:    ", run->sample.after);
    }
    printf("trained:         %zu of %zu parameters (%.3f %%)\n", r->trained, r->parameters,
           100.0 * (double)r->trained / (double)r->parameters);
    printf("speed:           %.0f tokens/s over %zu steps, first step %.1f s after the start\n",
           (double)r->tokens / (r->seconds + 1e-9), r->steps, r->first_step_seconds);
    printf("peak memory:     %.0f MiB of the process, %.0f MiB of it on the device\n", (double)r->host_peak / 1048576,
           (double)r->device_peak / 1048576);
    if (r->divergence.step)
        printf("diverged:        loss %.4g at the end, %.4g at the start, seen at step %zu; a lower learning_rate may "
               "help\n",
               r->divergence.loss, r->divergence.start, r->divergence.step);
    sp_terminal_print("adapter:         %s/adapter", run->config->output_dir);
}

static int run_train(const struct sp_arguments *arguments)
{
    struct sp_train_result result;
    struct sp_config config;
    struct sp_run train;
    int rc;

    SP_TRY(sp_arguments_config(&config, arguments, arguments->positional[0]));
    train = sp_report_run(&config);
    rc = sp_train(&result, &train);
    if (rc == 0)
        report(&result, &train);
    sp_run_close(&train);
    sp_config_release(&config);
    return rc;
}

static const struct sp_flag flags[] = { SP_FLAG_SET, SP_FLAG_DEVICE, SP_FLAG_OUTPUT_DIR, SP_FLAG_END };

const struct sp_command sp_command_train = {
    .name = "train",
    .usage = "CONFIG [--set KEY=VALUE]... [--device SPEC] [--output-dir DIR]",
    .summary = "fine-tune a model as a configuration file says",
    .flags = flags,
    .positional = 1,
    .run = run_train,
};
