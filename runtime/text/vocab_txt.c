#include "runtime/text/vocab_txt.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/text/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOCAB_MAX ((size_t)64 << 20)

/* The length without the white space at the end. */
static size_t trimmed(const char *line, size_t length)
{
    while (length) {
        size_t start = length - 1;
        uint32_t c;

        while (start && sp_text_goes_on(line[start]))
            start--;
        if (sp_text_decode(&c, line + start, length - start) != length - start || !sp_text_is_space(c))
            break;
        length = start;
    }
    return length;
}

/* transformers 4 leaves it there, where no text has it: all those words would be unknown. */
static void warn_of_blanks(size_t count, size_t line, const char *path)
{
    if (count)
        sp_log(SP_LOG_WARNING,
               "%s has white space behind %zu tokens, first in line %zu: it is not taken for part of them, as in "
               "transformers 5; transformers 4 finds such tokens in no text",
               path, count, line);
}

/* One token a line, its number the id; of equal lines the last one counts. *lines: how many. */
static int read_vocab(json_t *vocab, size_t *lines, const char *path)
{
    char *text = NULL, *begin, *end, *line;
    size_t length, number = 0, twice = 0, blanks = 0, first = 0;
    int rc = 0;

    SP_GO(sp_fs_read(&text, &length, path, VOCAB_MAX));
    SP_GO(sp_json_refuse_answer(path, text, length));
    begin = text + sp_text_mark(text, length);
    SP_GO(length ? 0 : sp_error(SP_EFORMAT, "%s is empty, and a vocabulary is expected", path));
    SP_GO(sp_text_refuse_utf16(path, text, length));
    end = text + length;
    if (sp_text_mark(text, length))
        sp_log(SP_LOG_WARNING,
               "%s begins with a byte order mark, which is not taken for part of its first token; transformers takes "
               "it for that",
               path);
    for (line = begin; line < end; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t bytes = (size_t)((stop ? stop : end) - line);
        size_t whole = bytes && line[bytes - 1] == '\r' ? bytes - 1 : bytes, kept = trimmed(line, whole);

        if (kept && kept < whole && !blanks++)
            first = number + 1;
        line[kept] = '\0';
        twice = line[0] && json_object_get(vocab, line) ? number + 1 : twice;
        if (strlen(line) != kept ||
            json_object_set_new(vocab, line, json_integer((json_int_t)number)) < 0)
            SP_GO(sp_error(SP_EFORMAT, "%s:%zu: the token is not valid UTF-8", path, number + 1));
        line += bytes + (stop != NULL);
    }
    *lines = number;
    warn_of_blanks(blanks, first, path);
    if (twice)
        sp_log(SP_LOG_WARNING,
               "%s:%zu: the token of this line stands in an earlier one, too; the last counts, as in transformers",
               path, twice);
out:
    free(text);
    return rc;
}

/* SentencePiece marks where a word begins, WordPiece where it goes on. */
static int check_vocab(json_t *vocab, const char *path)
{
    static const char begins[] = "\xE2\x96\x81", goes_on[] = "##";
    const char *token, *marked = NULL;
    json_t *id;

    json_object_foreach (vocab, token, id) {
        if (strncmp(token, goes_on, strlen(goes_on)) == 0)
            return 0;
        if (strncmp(token, begins, strlen(begins)) == 0 && token[strlen(begins)])
            marked = token;
    }
    if (!marked)
        return 0;
    return sp_error(SP_EFORMAT,
                    "%s is a vocabulary of SentencePiece (\"%.60s\", and no token that begins with \"##\"); only "
                    "BERT's WordPiece is supported",
                    path, marked);
}

static bool has_capital(const char *token)
{
    return strpbrk(token, "[<") != token && strpbrk(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Where no file says whether texts are lower-cased, they are, as transformers does it: a cased vocabulary then hardly
 * fits. */
static void warn_of_case(const struct sp_tokenizer_config *config, json_t *vocab, const char *path)
{
    const char *token, *example = NULL;
    size_t capitals = 0;
    json_t *id;

    if (json_object_get(config->config, "do_lower_case"))
        return;
    json_object_foreach (vocab, token, id) {
        if (has_capital(token)) {
            capitals++;
            example = token;
        }
    }
    if (capitals > json_object_size(vocab) / 20)
        sp_log(SP_LOG_WARNING,
               "%s has %zu tokens with capital letters (\"%.60s\"), but texts are lower-cased, as nothing says "
               "otherwise; for a cased model write \"do_lower_case\": false into %s",
               path, capitals, example, config->path);
}

/* transformers gives added tokens the ids right behind the vocabulary's, whatever a file says. */
static void warn_of_gap(const struct sp_tokenizer_config *config, const json_t *vocab, size_t lines)
{
    json_int_t largest = -1, count = 0;
    const char *name, *example = NULL;
    json_t *token;

    json_object_foreach (config->tokens, name, token) {
        const json_t *id = json_object_get(token, "id");

        if (!id || json_object_get(vocab, name))
            continue;
        count++;
        if (json_integer_value(id) > largest) {
            largest = json_integer_value(id);
            example = name;
        }
    }
    if (largest >= (json_int_t)lines + count)
        sp_log(SP_LOG_WARNING,
               "%s gives \"%.60s\" the id %lld and is followed; behind the vocabulary's %zu tokens that leaves ids "
               "without a token, and transformers leaves none",
               config->ids_path, example, (long long)largest, lines);
}

static int refuse_id(const struct sp_tokenizer_config *config, const char *name, json_int_t given, const char *path,
                     json_int_t known, bool lines)
{
    char place[40] = "";

    if (lines)
        snprintf(place, sizeof place, "line %lld of ", (long long)known + 1);
    return sp_error(SP_EFORMAT,
                    "%s gives the token \"%.60s\" the id %lld, but it is %s%s, whose id is %lld: mend the file that is "
                    "not the model's",
                    config->ids_path, name, (long long)given, lines ? place : "a token of ", path, (long long)known);
}

int sp_vocab_list_tokens(json_t *list, const struct sp_tokenizer_config *config, const json_t *vocab, size_t count,
                         bool lines, const char *path)
{
    json_int_t next = (json_int_t)count;
    const char *name;
    json_t *token;

    json_object_foreach (config->tokens, name, token)
        if (!json_object_get(vocab, name) && json_integer_value(json_object_get(token, "id")) >= next)
            next = json_integer_value(json_object_get(token, "id")) + 1;
    json_object_foreach (config->tokens, name, token) {
        const json_t *known = json_object_get(vocab, name), *given = json_object_get(token, "id");

        /* which of the two counts is not for us to guess: transformers' slow and fast tokenizers differ */
        if (known && given && json_integer_value(known) != json_integer_value(given))
            return refuse_id(config, name, json_integer_value(given), path, json_integer_value(known), lines);
        if (!given)
            json_object_set_new(token, "id", json_integer(known ? json_integer_value(known) : next++));
        if (json_array_append(list, token) < 0)
            return sp_error(SP_ENOMEM, "out of memory");
    }
    return 0;
}

/* What stands in every sequence must be a token that the model was trained with: one that is only made up has no such
 * row. */
static int check_specials(const struct sp_tokenizer_config *config, const json_t *vocab, const char *path)
{
    static const struct {
        const char *key, *bert;
        enum sp_special_token which;
    } needed[] = {
        { "unk_token", "[UNK]", SP_TOKEN_UNK },
        { "cls_token", "[CLS]", SP_TOKEN_CLS },
        { "sep_token", "[SEP]", SP_TOKEN_SEP },
    };

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const char *name = config->names[needed[i].which];

        if (!name || !name[0])
            return sp_error(SP_EFORMAT,
                            "%s: \"%s\" is %s, and no text can be given to the model without that token: name it, or "
                            "remove the key if it is BERT's %s",
                            json_object_get(config->config, needed[i].key) ? config->path : config->map_path,
                            needed[i].key, name ? "empty" : "null", needed[i].bert);
        if (!json_object_get(vocab, name) && !json_object_get(json_object_get(config->tokens, name), "id"))
            return sp_error(SP_EFORMAT, "%s: the special token \"%s\" is not in the vocabulary",
                            path, name);
    }
    return 0;
}

/* A copy of config[key], or json null. */
static json_t *option(const json_t *config, const char *key)
{
    json_t *value = json_object_get(config, key);

    return value ? json_incref(value) : json_null();
}

int sp_vocab_txt_load(json_t **out, const struct sp_tokenizer_config *config, const char *path)
{
    const char *unk = config->names[SP_TOKEN_UNK], *cls = config->names[SP_TOKEN_CLS],
               *sep = config->names[SP_TOKEN_SEP];
    json_t *vocab = json_object(), *added = json_array();
    size_t lines;
    int rc = 0;

    *out = NULL;
    SP_GO(read_vocab(vocab, &lines, path));
    SP_GO(check_specials(config, vocab, path));
    SP_GO(check_vocab(vocab, path));
    warn_of_case(config, vocab, path);
    warn_of_gap(config, vocab, lines);
    SP_GO(sp_vocab_list_tokens(added, config, vocab, lines, true, path));
    /* clang-format off */
    *out = json_pack("{s:O, s:{s:s, s:o, s:o, s:o}, s:{s:s}, s:{s:s, s:s, s:O},"
                     " s:{s:s, s:[s, O], s:[s, O]}}",
                     "added_tokens", added,
                     "normalizer", "type", "BertNormalizer",
                     "lowercase", option(config->config, "do_lower_case"),
                     "handle_chinese_chars", option(config->config, "tokenize_chinese_chars"),
                     "strip_accents", option(config->config, "strip_accents"),
                     "pre_tokenizer", "type", "BertPreTokenizer",
                     "model", "type", "WordPiece", "unk_token", unk, "vocab", vocab,
                     "post_processor", "type", "BertProcessing",
                     "cls", cls, json_object_get(json_object_get(config->tokens, cls), "id"),
                     "sep", sep, json_object_get(json_object_get(config->tokens, sep), "id"));
    /* clang-format on */
    if (!*out)
        rc = SP_ENOMEM;
out:
    json_decref(vocab);
    json_decref(added);
    return rc;
}

/* ---- beside a tokenizer.json ---- */

/* The lines of the text, ended in place, without the white space behind them. *count: how many. */
static char **split_lines(size_t *count, char *text, size_t length)
{
    char *end = text + length, **lines;

    *count = 0;
    for (const char *at = text; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        ++*count;
    *count += length && end[-1] != '\n';
    lines = sp_calloc(*count, sizeof *lines);
    for (size_t i = 0; lines && i < *count; i++) {
        char *stop = memchr(text, '\n', (size_t)(end - text));

        lines[i] = text;
        stop = stop ? stop : end;
        text[trimmed(text, (size_t)(stop - text))] = '\0';
        text = stop + 1;
    }
    return lines;
}

/* Whether tokenizer.json, by its vocabulary or its added tokens, gives the line's token the line's id; of equal lines
 * the last counts, and an empty one is no token. */
static bool is_same(const json_t *vocab, const json_t *added, char *const *lines, size_t count, size_t i)
{
    const json_t *known = json_object_get(vocab, lines[i]);
    json_int_t id = json_integer_value(known ? known : json_object_get(added, lines[i]));

    if (!known && !json_object_get(added, lines[i]))
        return !lines[i][0];
    return id == (json_int_t)i || (id > (json_int_t)i && id < (json_int_t)count && strcmp(lines[id], lines[i]) == 0);
}

/* {"<x>": 30522} of the list "added_tokens". */
static json_t *added_ids(const json_t *list)
{
    json_t *ids = json_object();

    for (size_t i = 0; ids && i < json_array_size(list); i++) {
        const char *content = json_string_value(json_object_get(json_array_get(list, i), "content"));

        if (content)
            json_object_set(ids, content, json_object_get(json_array_get(list, i), "id"));
    }
    return ids;
}

/* Of the tokens behind the first `count` ids the first, or NULL. */
static const char *first_behind(json_t *vocab, size_t count)
{
    const char *name, *first = NULL;
    json_int_t least = 0;
    json_t *id;

    json_object_foreach (vocab, name, id)
        if (json_integer_value(id) >= (json_int_t)count && (!first || json_integer_value(id) < least)) {
            first = name;
            least = json_integer_value(id);
        }
    return first;
}

void sp_vocab_txt_compare(const json_t *definition, const char *path, const char *vocab_path)
{
    json_t *vocab = json_object_get(json_object_get(definition, "model"), "vocab");
    json_t *added = added_ids(json_object_get(definition, "added_tokens"));
    size_t length = 0, count = 0, mark, i = 0;
    const char *behind = NULL;
    char *text = NULL, **lines = NULL;

    if (added && sp_fs_read(&text, &length, vocab_path, VOCAB_MAX) == 0) {
        mark = sp_text_mark(text, length);
        lines = split_lines(&count, text + mark, length - mark);
    }
    while (lines && i < count && is_same(vocab, added, lines, count, i))
        i++;
    if (lines && i == count)
        behind = first_behind(vocab, count);
    if (behind || (lines && i < count))
        sp_log(SP_LOG_WARNING,
               "%s has %zu tokens and is followed; %s beside it has %zu, is not used, and %s %zu is \"%.60s\"", path,
               json_object_size(vocab), vocab_path, count,
               behind ? "lacks the others, of which the first," : "differs from it: line", behind ? count : i + 1,
               behind ? behind : lines[i]);
    json_decref(added);
    free(lines);
    free(text);
}
