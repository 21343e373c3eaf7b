#include "runtime/train/prompt.h"

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/text/chat.h"
#include "runtime/train/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define RAW "raw"
#define MODEL SP_PROMPT_MODEL

const char *const sp_prompt_templates[] = { RAW, MODEL, NULL };

/* What the adapter was trained with; adapters of versions without the option are raw. */
static int recall(const char **name, const struct sp_adapter *adapter)
{
    const char *kept = adapter ? json_string_value(json_object_get(adapter->config, SP_PROMPT_TEMPLATE)) : NULL;

    *name = kept ? kept : RAW;
    for (size_t i = 0; sp_prompt_templates[i]; i++)
        if (strcmp(*name, sp_prompt_templates[i]) == 0)
            return 0;
    return sp_error(SP_EFORMAT,
                    "%s/adapter.json: \"" SP_PROMPT_TEMPLATE "\" is \"%s\", which this version does not know; it knows "
                    RAW " and " MODEL,
                    adapter->dir, *name);
}

/* The token that ends a turn. */
static int find_end(uint32_t *out, const struct sp_run *run)
{
    struct sp_encoding encoding = { 0 };
    int rc = sp_tokenizer_encode_bare(&encoding, run->tokenizer, SP_CHATML_END, strlen(SP_CHATML_END));

    if (rc == 0 && (encoding.length != 1 || encoding.ids[0] >= (uint32_t)run->model.vocab_size))
        rc = sp_error(SP_EFORMAT, "%s: %s is no token of the model's, as its chat template needs",
                      sp_checkpoint_dir(run->checkpoint), SP_CHATML_END);
    if (rc == 0)
        *out = encoding.ids[0];
    sp_encoding_free(&encoding);
    return rc;
}

/* All of it or nothing. */
static int take_chat(struct sp_run *run, const char *system)
{
    struct sp_chat *chat;
    int rc;

    if (!run->tokenizer)
        return sp_error(SP_ECONFIG, "%s; prompts need one", run->no_tokenizer);
    chat = sp_calloc(1, sizeof *chat);
    if (!chat)
        return SP_ENOMEM;
    SP_GO(sp_train_chat_load(chat, sp_checkpoint_dir(run->checkpoint), run->checkpoint));
    if (system) {
        sp_chat_release(chat);
        chat->system = sp_strdup(system);
        SP_GO(chat->system ? 0 : SP_ENOMEM);
    }
    SP_GO(find_end(&run->end_token, run));
    run->chat = chat;
    return 0;
out:
    sp_chat_release(chat);
    free(chat);
    return rc;
}

int sp_prompt_settle(struct sp_run *run, const char *name, const char *system)
{
    const char *kept;

    if (run->chat)
        return 0;
    SP_TRY(recall(&kept, run->adapter));
    if (run->adapter && name && strcmp(name, kept) != 0)
        sp_log(SP_LOG_WARNING, SP_PROMPT_TEMPLATE " is %s, though %s was trained with %s", name, run->adapter->dir,
               kept);
    if (strcmp(name ? name : kept, MODEL) != 0)
        return 0;
    SP_TRY(take_chat(run, system));
    sp_log(SP_LOG_INFO, "prompts are put into the model's chat form%s: ChatML; system message: %s",
           name || !run->adapter ? "" : ", as the adapter was trained", run->chat->system ? run->chat->system : "none");
    return 0;
}

int sp_prompt_encode(struct sp_encoding *out, const struct sp_run *run, const char *prompt, size_t length)
{
    struct sp_buf text = SP_BUF(SP_TOKENIZER_TEXT_MAX);
    int rc;

    if (!run->chat)
        return sp_tokenizer_encode(out, run->tokenizer, prompt, length, NULL, 0, 0);
    rc = sp_chat_write(&text, run->chat, NULL, prompt, length);
    if (rc == 0)
        rc = sp_tokenizer_encode_bare(out, run->tokenizer, text.data, text.length);
    sp_buf_free(&text);
    return rc;
}

int sp_prompt_check(const struct sp_encoding *tokens, const struct sp_run *run, const char *where, const char *option,
                    long long value)
{
    size_t length = tokens->length, positions = (size_t)run->model.max_positions;

    if (length == 0)
        return sp_error(SP_EFORMAT, "%s has no token: there is nothing to go on with", where);
    if (length + (size_t)value > positions)
        return sp_error(SP_ELIMIT, "%s has %zu tokens, and %s asks for %lld more; the model has positions for %zu in "
                                   "all",
                        where, length, option, value, positions);
    if (length >= positions)
        return sp_error(SP_ELIMIT,
                        "%s has %zu tokens; the model has positions for %zu, which leaves none for a new one", where,
                        length, positions);
    return 0;
}

int sp_prompt_ends(uint32_t **out, size_t *count, const struct sp_run *run)
{
    uint32_t *list;

    SP_TRY(sp_train_end_tokens(out, count, run));
    if (!run->chat)
        return 0;
    list = sp_realloc(*out, *count + 1, sizeof *list);
    if (!list)
        return SP_ENOMEM;
    *out = list;
    list[(*count)++] = run->end_token;
    return 0;
}
