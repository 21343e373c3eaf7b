/* speft-cl tokenize: lines of text in, their token ids out as JSON lines. Memory is bounded by the
 * longest line. */
#include "frontends/cli/command.h"
#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/json.h"
#include "runtime/base/text.h"
#include "runtime/io/checkpoint.h"
#include "runtime/train/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct work {
    struct sp_tokenizer *tokenizer;
    struct sp_encoding encoding;
    const char *name; /* of the input, for messages */
    size_t line;
    bool pair;
    bool in_chat;
    struct sp_chat chat; /* where in_chat */
    struct sp_buf text;  /* likewise: the line in its form */
    size_t tokens, unknown, first_unknown; /* without special ones; of those; the line of the first */
};

static void print(const struct sp_encoding *encoding, bool pair)
{
    fputs("{\"input_ids\": [", stdout);
    for (size_t i = 0; i < encoding->length; i++)
        printf("%s%u", i ? ", " : "", (unsigned)encoding->ids[i]);
    if (pair) {
        fputs("], \"token_type_ids\": [", stdout);
        for (size_t i = 0; i < encoding->length; i++)
            printf("%s%u", i ? ", " : "", (unsigned)encoding->types[i]);
    }
    fputs("]}\n", stdout);
}

static void count_unknown(struct work *work)
{
    uint32_t unknown = sp_tokenizer_special(work->tokenizer, SP_TOKEN_UNK);
    size_t specials = work->in_chat ? 0 : sp_tokenizer_specials(work->tokenizer, work->pair);

    work->tokens += work->encoding.length > specials ? work->encoding.length - specials : 0;
    for (size_t i = 0; i < work->encoding.length; i++)
        if (work->encoding.ids[i] == unknown && !work->unknown++)
            work->first_unknown = work->line;
}

/* A line as a user's message. */
static int encode_message(struct work *work, const char *text, size_t length)
{
    sp_buf_clear(&work->text);
    SP_TRY(sp_chat_write(&work->text, &work->chat, NULL, text, length));
    return sp_tokenizer_encode_bare(&work->encoding, work->tokenizer, work->text.data, work->text.length);
}

/* A line as it was read, without its newline. */
static int tokenize(struct work *work, const char *text, size_t length)
{
    const char *tab = NULL;
    size_t pair_length = 0;

    work->line++;
    if (length && text[length - 1] == '\r')
        length--;
    if (work->pair) {
        tab = memchr(text, '\t', length);
        if (!tab)
            return sp_error(SP_EFORMAT,
                            "%s:%zu: no TAB separates the two texts that --pair expects",
                            work->name, work->line);
        pair_length = length - (size_t)(tab + 1 - text);
        length = (size_t)(tab - text);
    }
    SP_TRY(work->in_chat ? encode_message(work, text, length)
                         : sp_tokenizer_encode(&work->encoding, work->tokenizer, text, length, tab ? tab + 1 : NULL,
                                               pair_length, 0));
    print(&work->encoding, work->pair);
    count_unknown(work);
    return sp_interrupted() ? sp_error(SP_EINTR, "interrupted") : 0;
}

/* Appends to the line; tokenizes and clears it where it ends. */
static int take(struct work *work, struct sp_buf *line, const char *block, size_t length)
{
    while (length) {
        const char *newline = memchr(block, '\n', length);
        size_t part = newline ? (size_t)(newline - block) : length;

        if (sp_buf_append(line, block, part) < 0)
            return sp_error(SP_ELIMIT, "%s:%zu: the line is longer than the limit of %zu bytes",
                            work->name, work->line + 1, line->limit);
        if (newline) {
            SP_TRY(tokenize(work, line->data, line->length));
            sp_buf_clear(line);
            part++;
        }
        block += part;
        length -= part;
    }
    return 0;
}

static int tokenize_file(struct work *work, FILE *file)
{
    struct sp_buf line = SP_BUF(SP_TOKENIZER_TEXT_MAX);
    char block[65536];
    struct stat st = { 0 };
    size_t got;
    int rc = 0;

    (void)fstat(fileno(file), &st);
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        SP_GO(take(work, &line, block, got));
    if (sp_interrupted())
        SP_GO(sp_error(SP_EINTR, "interrupted"));
    if (ferror(file))
        SP_GO(sp_fs_error("read", work->name));
    if (sp_fs_changed(fileno(file), &st))
        SP_GO(sp_error(SP_EIO, "%s was written to while it was read; start again once it is whole", work->name));
    if (work->line == 0)
        SP_GO(sp_text_check_line_ends(line.data, line.length, work->name));
    if (line.length)
        rc = tokenize(work, line.data, line.length);
    if (rc == 0)
        sp_tokenizer_warn_unknown(work->unknown, work->tokens, work->first_unknown, work->name);
out:
    sp_buf_free(&line);
    return rc;
}

/* A folder of a tokenizer alone has no config.json, and what is wrong with one is for those to say who need it. */
static void compare_with_model(const struct sp_tokenizer *tokenizer, const char *dir)
{
    char *path = sp_fs_join(dir, "config.json");
    json_t *config = NULL;
    json_int_t rows = 0;

    if (path && sp_fs_exists(path) && sp_json_load(&config, path, (size_t)16 << 20) == 0)
        rows = json_integer_value(json_object_get(config, "vocab_size"));
    if (rows > 0)
        sp_tokenizer_warn_short(tokenizer, (size_t)rows, dir);
    json_decref(config);
    free(path);
}

/* Of a folder, whose weights need not be there, or of a GGUF file. */
static int load_tokenizer(struct work *work, const char *model)
{
    struct sp_checkpoint *checkpoint = NULL;
    char *path;
    int rc;

    SP_TRY(sp_checkpoint_resolve(&path, model));
    rc = sp_fs_is_dir(path) ? 0 : sp_checkpoint_open(&checkpoint, path);
    if (rc == 0)
        rc = sp_train_tokenizer_load(&work->tokenizer, path, checkpoint);
    if (rc == 0 && work->in_chat)
        rc = sp_train_chat_load(&work->chat, path, checkpoint);
    if (rc == 0)
        compare_with_model(work->tokenizer, path);
    sp_checkpoint_close(checkpoint);
    free(path);
    return rc;
}

static int run_tokenize(const struct sp_arguments *arguments)
{
    const char *model, *input = sp_argument(arguments, "input");
    bool standard = !input || strcmp(input, "-") == 0;
    struct work work = { .name = standard ? "standard input" : input,
                         .pair = sp_argument(arguments, "pair") != NULL,
                         .in_chat = sp_argument(arguments, "chat") != NULL,
                         .text = SP_BUF(SP_TOKENIZER_TEXT_MAX) };
    FILE *file = NULL;
    int rc;

    SP_TRY(sp_argument_require(&model, arguments, "model"));
    if (work.pair && work.in_chat)
        return sp_error(SP_ECONFIG, "--pair and --chat exclude each other: a message is one text");
    SP_GO(load_tokenizer(&work, model));
    file = standard ? stdin : fopen(input, "rb");
    if (file)
        rc = tokenize_file(&work, file);
    else
        rc = sp_fs_error("open", input);
    if (file && !standard)
        fclose(file);
out:
    sp_encoding_free(&work.encoding);
    sp_tokenizer_free(work.tokenizer);
    sp_chat_release(&work.chat);
    sp_buf_free(&work.text);
    return rc;
}

static const struct sp_flag flags[] = {
    { "model", "DIR|FILE",
      "the model directory, with tokenizer.json, vocab.txt, or vocab.json and merges.txt, or its GGUF file", NULL },
    { "input", "FILE|-", "the texts, one a line (default: standard input)", NULL },
    { "chat", NULL,
      "each line is a user's message, which is put into the model's chat form (ChatML) as `template: model` does with "
      "a prompt",
      NULL },
    { "pair", NULL, "a TAB separates two texts of a line; token_type_ids are printed too", NULL },
    SP_FLAG_END,
};

const struct sp_command sp_command_tokenize = {
    .name = "tokenize",
    .usage = "--model DIR|FILE [--input FILE|-] [--pair | --chat]",
    .summary = "print the token ids of each line of text",
    .flags = flags,
    .run = run_tokenize,
};
