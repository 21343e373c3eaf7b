/*
 * A model's chat form (layer 4): how a conversation is written as one text. ChatML is built in, as SmolLM2's and Qwen's
 * templates write it: those that are known to, whatever their own system message (one without quotes), byte for byte as
 * transformers renders them (tests/tools/chat_forms.py); any other template is refused by name. Stateless.
 */
#ifndef SP_TEXT_CHAT_H
#define SP_TEXT_CHAT_H

#include "runtime/base/buf.h"
#include "runtime/base/json.h"

#include <stddef.h>

#define SP_CHATML_END "<|im_end|>" /* the token that ends a turn */

struct sp_chat {
    char *system; /* what the template says where a conversation has no system message; NULL: nothing */
};

/* The chat form that a template (Jinja, as tokenizer_config.json has it) writes; SP_EFORMAT, naming `file`, where it is
 * none of those that are known. */
int sp_chat_read(struct sp_chat *out, const char *template, const char *file);

/* That of a model's folder: of chat_template.jinja, or "chat_template" of tokenizer_config.json, a text or a list in
 * which "default" counts. SP_ENOTFOUND: it has none. */
int sp_chat_load(struct sp_chat *out, const char *model_dir);

/* That of a tokenizer_config.json that is in memory, `path` in messages. */
int sp_chat_of_config(struct sp_chat *out, const json_t *config, const char *path);
void sp_chat_release(struct sp_chat *chat);

/* Appends the user's message, after the system's (NULL: the template's own), up to where the assistant's begins. */
int sp_chat_write(struct sp_buf *out, const struct sp_chat *chat, const char *system, const char *user, size_t length);

#endif
