/* speft-cl generate: goes on with a prompt, to the terminal as it comes, or with each of a file's, as JSON lines. */
#include "frontends/cli/report.h"
#include "frontends/cli/terminal.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/data/shape.h"
#include "runtime/train/data.h"
#include "runtime/train/generate.h"
#include "runtime/train/inputs.h"
#include "runtime/train/prompt.h"
#include "runtime/train/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASS_TOKENS 512 /* of prompts, read at a time: enough for products at full speed */
#define NEW_TOKENS 256  /* where --max-new-tokens is not given */
#define INCOMPLETE ".incomplete"

/* What the command line asks for. */
struct request {
    const char *prompt, *input, *output, *system;
    bool chat;
    long long max_new_tokens; /* 0: NEW_TOKENS, or as many as there are positions for */
    struct sp_sample_options sample;
};

/* The prompts and what becomes of them. */
struct work {
    const struct request *request;
    struct sp_run *run;
    struct sp_encoding encoding;
    struct sp_buf text;            /* what the model says */
    json_t **prompts;              /* [count], strings, as they were given */
    struct sp_generation *texts;   /* [count] */
    uint32_t *end;                 /* [end_count] */
    size_t count, room, end_count;
    bool cut;                       /* there are not positions for NEW_TOKENS, which was said */
    struct sp_token_stream *stream; /* of the only one */
    char last;                      /* what was written last */
    FILE *rows;                     /* where they go as they are done */
    char *incomplete;               /* its file, until all are; NULL: they have their place at once */
    size_t written;                 /* of `count` */
};

/* ---- prompts ----------------------------------------------------------------------------------------------------- */

/* How many tokens the encoded prompt may get. */
static size_t new_tokens(struct work *w)
{
    size_t left = (size_t)w->run->model.max_positions - w->encoding.length;

    if (w->request->max_new_tokens)
        return (size_t)w->request->max_new_tokens;
    if (left >= NEW_TOKENS)
        return NEW_TOKENS;
    if (!w->cut)
        sp_log(SP_LOG_INFO, "the model has %d positions: a text ends there, before its %dth new token",
               w->run->model.max_positions, NEW_TOKENS);
    w->cut = true;
    return left;
}

static int reserve(struct work *w)
{
    size_t room = w->room ? 2 * w->room : 16;
    struct sp_generation *texts;
    json_t **prompts;

    if (w->count < w->room)
        return 0;
    prompts = sp_realloc(w->prompts, room, sizeof *prompts);
    if (!prompts)
        return SP_ENOMEM;
    w->prompts = prompts;
    texts = sp_realloc(w->texts, room, sizeof *texts);
    if (!texts)
        return SP_ENOMEM;
    w->texts = texts;
    w->room = room;
    return 0;
}

static int add_prompt(struct work *w, const char *text, size_t length, const char *where)
{
    struct sp_generation *g;
    uint32_t *ids;
    size_t most;

    SP_TRY(sp_prompt_encode(&w->encoding, w->run, text, length));
    SP_TRY(sp_prompt_check(&w->encoding, w->run, where, "--max-new-tokens", w->request->max_new_tokens));
    SP_TRY(reserve(w));
    most = new_tokens(w);
    ids = sp_calloc(w->encoding.length + most, sizeof *ids);
    w->prompts[w->count] = json_stringn(text, length);
    g = &w->texts[w->count++];
    *g = (struct sp_generation){ .prompt = ids,
                                 .prompt_length = w->encoding.length,
                                 .max_new_tokens = most };
    if (!ids || !w->prompts[w->count - 1])
        return SP_ENOMEM;
    memcpy(ids, w->encoding.ids, w->encoding.length * sizeof *ids);
    g->tokens = ids + w->encoding.length;
    return 0;
}

/* A row's prompt, by way of the data set that reads the file, which needs a token of each row. */
static int take_row(size_t *length, struct sp_row_input *in)
{
    struct sp_field text;
    int rc;

    SP_TRY(sp_row_text(&text, in, 0));
    if (!text.text)
        return sp_reader_fail(in->reader, SP_EFORMAT, "no \"prompt\" and no \"text\"; token ids alone are no prompt");
    rc = add_prompt(in->options->user, text.text, text.length, "the prompt");
    if (rc < 0)
        return sp_error_context(rc, "%s:%zu", sp_reader_path(in->reader), in->row->line);
    SP_TRY(sp_row_reserve(in, 1));
    in->out->ids[in->out->tokens] = 0;
    in->out->types[in->out->tokens] = 0;
    *length = 1;
    return 0;
}

static int read_file(struct work *w)
{
    static const char *const names[][2] = { { "prompt", NULL }, { "text", NULL }, { NULL, NULL } };
    static const struct sp_row_shape shape = { .labels = SP_LABELS_NONE, .texts = names, .tokens = take_row };
    struct sp_dataset_options options = sp_run_dataset_options(w->run);
    struct sp_dataset rows;

    options.shape = &shape;
    options.no_labels = true;
    options.remembered = NULL; /* training's rows had completions */
    options.user = w;
    SP_TRY(sp_dataset_load(&rows, w->request->input, w->run->tokenizer, &options));
    sp_dataset_free(&rows);
    return 0;
}

static int read_prompts(struct work *w)
{
    const char *template = *(char *const *)sp_config_value(w->run->config, SP_PROMPT_TEMPLATE);

    if (!w->run->tokenizer)
        return sp_error(SP_ECONFIG, "%s; prompts need one", w->run->no_tokenizer);
    SP_TRY(sp_prompt_settle(w->run, w->request->chat ? SP_PROMPT_MODEL : template, w->request->system));
    if (w->request->system && !w->run->chat)
        return sp_error(SP_ECONFIG, "--system is for --chat, or an adapter that was trained with the chat form");
    if (w->request->prompt)
        return add_prompt(w, w->request->prompt, strlen(w->request->prompt), "--prompt");
    return read_file(w);
}

/* ---- what is written --------------------------------------------------------------------------------------------- */

/* As it comes: to a terminal so that nothing in it moves the cursor, else as it is. */
static int write_text(struct work *w)
{
    if (!w->text.length)
        return 0;
    w->last = w->text.data[w->text.length - 1];
    if (isatty(STDOUT_FILENO))
        sp_terminal_text(w->text.data, w->text.length);
    else
        fwrite(w->text.data, 1, w->text.length, stdout);
    sp_buf_clear(&w->text);
    return fflush(stdout) == 0 ? 0 : sp_error(SP_EIO, "cannot write to standard output: %s", strerror(errno));
}

static int stream_token(void *user, size_t i, uint32_t token)
{
    struct work *w = user;

    (void)i;
    SP_TRY(sp_token_stream_add(w->stream, &w->text, token));
    return write_text(w);
}

static int stream(struct work *w, const struct sp_generate_limits *limits, struct sp_generate_options *options)
{
    SP_TRY(sp_token_stream_open(&w->stream, w->run->tokenizer, true));
    options->tell = stream_token;
    options->user = w;
    w->run->observer.progress = NULL; /* the text itself shows it */
    sp_buf_clear(&w->text);
    SP_TRY(sp_generate(w->run, limits, w->texts, 1, options));
    SP_TRY(sp_token_stream_end(w->stream, &w->text));
    if (w->last != '\n' || w->text.length)
        SP_TRY(sp_buf_append(&w->text, "\n", 1));
    return write_text(w);
}

/* {"prompt": ..., "completion": ..., "tokens": n, "ended": whether by an end token}. */
static int write_row(struct work *w, FILE *file, size_t i)
{
    const struct sp_generation *g = &w->texts[i];

    sp_buf_clear(&w->text);
    SP_TRY(sp_tokenizer_decode(&w->text, w->run->tokenizer, g->tokens, g->count, true));
    return sp_report_row(file,
                         json_pack("{s:O, s:s%, s:I, s:b}", "prompt", w->prompts[i], "completion",
                                   w->text.data ? w->text.data : "", w->text.length, "tokens", (json_int_t)g->count,
                                   "ended", g->ended),
                         "what was generated");
}

static int write_rows(void *user, FILE *file)
{
    struct work *w = user;

    for (size_t i = 0; i < w->count; i++)
        SP_TRY(write_row(w, file, i));
    return 0;
}

/* The rows that are done, as far as all before them are; each is whole in its file when the next one is begun. */
static int write_done(void *user, size_t i)
{
    struct work *w = user;

    (void)i;
    for (; w->written < w->count && w->texts[w->written].done; w->written++) {
        SP_TRY(write_row(w, w->rows, w->written));
        if (fflush(w->rows) != 0)
            return sp_error(SP_EIO, "cannot write %s: %s",
                            w->incomplete ? w->incomplete : w->request->output ? w->request->output : "standard output",
                            strerror(errno));
    }
    return 0;
}

/* Where rows go as they are done: to standard output, or to a pipe or device, itself; a file that is to be complete
 * or not there gets a companion for them. */
static int open_rows(struct work *w)
{
    const char *output = w->request->output;
    struct stat st;

    if (!output || strcmp(output, "-") == 0) {
        w->rows = stdout;
        if (isatty(STDOUT_FILENO))
            w->run->observer.progress = NULL; /* the rows themselves show it, and lines would mix */
        return 0;
    }
    if (stat(output, &st) == 0 && !S_ISREG(st.st_mode))
        return sp_fs_open_in_place(&w->rows, output);
    w->incomplete = sp_asprintf("%s%s", output, INCOMPLETE);
    SP_TRY(w->incomplete ? 0 : SP_ENOMEM);
    SP_TRY(sp_report_check_output(w->request->input, w->incomplete, "what is generated"));
    SP_TRY(sp_inputs_spare(w->run, "--output", w->incomplete, "what is generated"));
    return sp_fs_open_in_place(&w->rows, w->incomplete);
}

static int close_rows(struct work *w, int rc)
{
    if (w->rows && w->rows != stdout && fclose(w->rows) != 0 && rc == 0)
        rc = sp_error(SP_EIO, "cannot write %s: %s", w->incomplete ? w->incomplete : w->request->output,
                      strerror(errno));
    if (rc == 0 && w->incomplete)
        rc = sp_report_rows(w->request->output, write_rows, w);
    if (rc < 0 && w->incomplete && w->written)
        rc = sp_error_context(rc, "the first %zu of %zu rows are in %s", w->written, w->count, w->incomplete);
    else if (w->incomplete && w->rows)
        unlink(w->incomplete);
    w->rows = NULL;
    return rc;
}

static int rows(struct work *w, const struct sp_generate_limits *limits, struct sp_generate_options *options)
{
    int rc = open_rows(w);

    options->done = write_done;
    options->user = w;
    if (rc == 0)
        rc = sp_generate(w->run, limits, w->texts, w->count, options);
    return close_rows(w, rc);
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static struct sp_generate_limits limits_of(const struct work *w)
{
    size_t texts = (size_t)w->run->config->per_device_eval_batch_size, longest = 0, pass = PASS_TOKENS;

    for (size_t i = 0; i < w->count; i++)
        if (w->texts[i].prompt_length + w->texts[i].max_new_tokens > longest)
            longest = w->texts[i].prompt_length + w->texts[i].max_new_tokens;
    texts = texts < w->count ? texts : w->count;
    pass = pass < texts * longest ? pass : texts * longest;
    return (struct sp_generate_limits){ .texts = texts, .longest = longest, .pass = pass > texts ? pass : texts };
}

static int generate(struct work *w)
{
    struct sp_run *run = w->run;
    struct sp_generate_options options = { .sample = w->request->sample };
    struct sp_generate_limits limits;

    if (w->request->output)
        SP_TRY(sp_report_check_output(w->request->input, w->request->output, "what is generated"));
    SP_TRY(sp_run_open(run));
    if (w->request->output)
        SP_TRY(sp_inputs_spare(run, "--output", w->request->output, "what is generated"));
    if (run->adapter && run->task != &sp_task_causal_lm)
        return sp_error(SP_ECONFIG, "%s is an adapter of task %s, whose model does not go on with texts",
                        run->adapter->dir, run->task->name);
    if (run->adapter)
        SP_TRY(sp_adapter_check_base(run->adapter, run->checkpoint));
    SP_TRY(sp_generate_check_model(run));
    SP_TRY(read_prompts(w));
    SP_TRY(sp_prompt_ends(&w->end, &w->end_count, run));
    limits = limits_of(w);
    SP_TRY(sp_generate_open(run, &limits));
    options.end = w->end;
    options.end_count = w->end_count;
    return w->request->prompt ? stream(w, &limits, &options) : rows(w, &limits, &options);
}

static void release(struct work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        json_decref(w->prompts[i]);
        free((uint32_t *)(uintptr_t)w->texts[i].prompt);
    }
    free(w->prompts);
    free(w->texts);
    free(w->end);
    free(w->incomplete);
    sp_token_stream_free(w->stream);
    sp_encoding_free(&w->encoding);
    sp_buf_free(&w->text);
}

/* A flag's number, which is *out where the flag is not given. */
static int read_number(double *out, const struct sp_arguments *arguments, const char *flag, double low, double high,
                       bool whole)
{
    const char *text = sp_argument(arguments, flag);
    long long integer;

    if (!text)
        return 0;
    if (whole ? !sp_text_int(text, &integer) : !sp_text_double(text, out))
        return sp_error(SP_ECONFIG, "--%s: \"%s\" is no %s", flag, text, whole ? "whole number" : "number");
    if (whole)
        *out = (double)integer;
    if (*out < low || *out > high)
        return sp_error(SP_ECONFIG, "--%s: %s is out of range: %g to %g is expected", flag, text, low, high);
    return 0;
}

static int read_request(struct request *out, const struct sp_arguments *arguments)
{
    double tokens = 0, temperature = 0, top_k = 0, top_p = 1, seed = 0;

    *out = (struct request){ .prompt = sp_argument(arguments, "prompt"),
                             .input = sp_argument(arguments, "input"),
                             .output = sp_argument(arguments, "output"),
                             .system = sp_argument(arguments, "system"),
                             .chat = sp_argument(arguments, "chat") != NULL };
    if ((out->prompt != NULL) == (out->input != NULL))
        return sp_error(SP_ECONFIG, "generate needs one of --prompt and --input");
    if (out->prompt && out->output)
        return sp_error(SP_ECONFIG, "--output is for --input; what follows a --prompt goes to standard output");
    SP_TRY(read_number(&tokens, arguments, "max-new-tokens", 1, 1 << 20, true));
    SP_TRY(read_number(&temperature, arguments, "temperature", 0, 100, false));
    SP_TRY(read_number(&top_k, arguments, "top-k", 0, 1 << 24, true));
    SP_TRY(read_number(&top_p, arguments, "top-p", 1e-6, 1, false));
    SP_TRY(read_number(&seed, arguments, "seed", 0, 9007199254740992.0, true));
    if (temperature == 0 && (sp_argument(arguments, "top-k") || sp_argument(arguments, "top-p")))
        return sp_error(SP_ECONFIG, "--top-k and --top-p choose among tokens that are drawn at random: give a "
                                    "--temperature above 0, such as 0.8");
    out->max_new_tokens = (long long)tokens;
    out->sample = (struct sp_sample_options){ temperature, (int)top_k, top_p, (uint64_t)seed };
    return 0;
}

static int run_generate(const struct sp_arguments *arguments)
{
    const char *model, *dir = sp_argument(arguments, "adapter");
    struct sp_adapter adapter = { 0 };
    struct sp_config config;
    struct request request;
    struct sp_run run;
    int rc;

    SP_TRY(sp_argument_require(&model, arguments, "model"));
    SP_TRY(read_request(&request, arguments));
    if (dir)
        SP_TRY(sp_adapter_load(&adapter, dir));
    rc = sp_report_config(&config, arguments, model, dir ? &adapter : NULL);
    if (rc == 0) {
        struct work w = { .request = &request, .run = &run, .text = SP_BUF(SP_TOKENIZER_TEXT_MAX) };

        run = sp_report_run(&config);
        run.adapter = dir ? &adapter : NULL;
        rc = generate(&w);
        release(&w);
        sp_run_close(&run);
        sp_config_release(&config);
    }
    sp_adapter_release(&adapter);
    return rc;
}

static const struct sp_flag flags[] = {
    { "model", "DIR|FILE", "the model: a directory, or a GGUF file", NULL },
    { "adapter", "DIR", "the adapter to apply", NULL },
    { "prompt", "TEXT", "the text to go on with", NULL },
    { "input", "FILE|-",
      "many of them, in a column `prompt` or `text`: jsonl, csv or tsv; - is standard input: jsonl when it begins with "
      "{, else lines of text",
      NULL },
    { "output", "FILE|-", "where the rows of --input go; - is standard output (default)", NULL },
    { "max-new-tokens", "N",
      "the most tokens that a text gets (default 256, or what the model has positions for)", NULL },
    { "temperature", "T", "draw tokens at random, from logits divided by it; 0 takes the likeliest (default)", NULL },
    { "top-k", "K", "draw from the K likeliest alone; 0: from all (default)", NULL },
    { "top-p", "P", "draw from the fewest that have this probability together (default 1: all)", NULL },
    { "seed", "N", "of what is drawn (default 0)", NULL },
    { "chat", NULL,
      "the prompt is a user's message: it is put into the model's chat form (ChatML), as --set template=model; an "
      "adapter that was trained so needs no word",
      NULL },
    { "system", "TEXT", "with --chat: the system's message (default: the chat template's own)", NULL },
    SP_FLAG_SET,
    SP_FLAG_DEVICE,
    SP_FLAG_END,
};

const struct sp_command sp_command_generate = {
    .name = "generate",
    .usage = "--model DIR|FILE.gguf [--adapter DIR] (--prompt TEXT | --input FILE|-) [--max-new-tokens N]",
    .summary = "let a causal language model go on with a text",
    .flags = flags,
    .run = run_generate,
};
