/*
 * What a model's folder says of its tokenizer beside the vocabulary (layer 4, text): tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json and config.json's "tokenizer_class", put together as transformers does it.
 * A key that would give other ids than this program can is refused by its name. Ownership: everything is the
 * structure's.
 */
#ifndef SP_TEXT_TOKENIZER_CONFIG_H
#define SP_TEXT_TOKENIZER_CONFIG_H

#include "runtime/base/json.h"
#include "runtime/text/tokenizer.h"

/* The file of a folder that says what tokens there are. */
enum sp_tokenizer_form { SP_FORM_TOKENIZER_JSON, SP_FORM_VOCAB_TXT, SP_FORM_VOCAB_JSON };

/* The class of transformers, of the files or by the model's type, as far as it makes a difference. */
enum sp_tokenizer_kind { SP_TOKENIZER_OTHER, SP_TOKENIZER_BERT, SP_TOKENIZER_GPT2, SP_TOKENIZER_ROBERTA };

struct sp_tokenizer_config {
    char *path, *map_path; /* of tokenizer_config.json and special_tokens_map.json, for messages */
    char *ids_path;        /* of the file that gives tokens an id: tokenizer_config.json or added_tokens.json */
    json_t *config, *map;  /* those files; NULL where they are not there, or do not count */
    /* {"<x>": {"content", "single_word", "lstrip", "rstrip", "normalized"}}: the tokens that are found in a text as
     * they stand, in the order in which those that the vocabulary lacks get an id; with "id" where a file gives it,
     * with "implied" where no file names the token. */
    json_t *tokens;
    const char *names[SP_TOKEN_SPECIALS]; /* borrowed from the rest; NULL for one that is null in the files */
    size_t max_length;                    /* "model_max_length"; 0 for none */
    bool side_given, truncates_left;      /* "truncation_side" */
    bool has_definition;                  /* tokenizer.json has the tokens' ids and flags: they are not in `tokens` */
    enum sp_tokenizer_kind kind;
    bool ends_given, adds_bos, adds_eos;  /* "add_bos_token", "add_eos_token" */
    bool no_types;                        /* the model is given no token types: all are 0 */
};

/* Reads the folder's files; a tokenizer.json decides how a text is taken apart. To be freed after a failure too. */
int sp_tokenizer_config_load(struct sp_tokenizer_config *out, const char *model_dir, enum sp_tokenizer_form form);

/* The same from what a tokenizer_config.json beside a tokenizer.json would hold, NULL for nothing; `path` stands in
 * messages. */
int sp_tokenizer_config_take(struct sp_tokenizer_config *out, const json_t *config, const char *path);
void sp_tokenizer_config_free(struct sp_tokenizer_config *config);

#endif
