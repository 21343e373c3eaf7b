/*
 * How prompts are put to a causal model (layer 5): as they stand, or in the chat form of the model, up to where its
 * answer begins, which then ends with its turn. Training rows, prompts to go on with and the sample of a training run
 * all take this way. Threading: as the run.
 */
#ifndef SP_TRAIN_PROMPT_H
#define SP_TRAIN_PROMPT_H

#include "runtime/train/run.h"

/* The option of that name: "raw" and "model", NULL at the end. */
#define SP_PROMPT_TEMPLATE "template"
#define SP_PROMPT_MODEL "model"
extern const char *const sp_prompt_templates[];

/* Settles run->chat, and with it what ends an answer, run->end_token, once the run is open: by the template's name, or
 * of NULL as the run's adapter was trained, else raw; and says so. `system`: of a chat, NULL: the chat form's own. What
 * is settled stays. SP_ENOTFOUND or SP_EFORMAT, with a word of what to do: the model has no chat form, or none that is
 * known. */
int sp_prompt_settle(struct sp_run *run, const char *name, const char *system);

/* A prompt's tokens as the model is to read them. */
int sp_prompt_encode(struct sp_encoding *out, const struct sp_run *run, const char *prompt, size_t length);

/* SP_EFORMAT or SP_ELIMIT where the model cannot go on with these tokens for as many more as `option`, of that value,
 * asks for, 0: for one; `where` names the prompt. */
int sp_prompt_check(const struct sp_encoding *tokens, const struct sp_run *run, const char *where, const char *option,
                    long long value);

/* The tokens at which what the model writes is over: sp_train_end_tokens, and a turn's end in a chat. *out is the
 * caller's to free. */
int sp_prompt_ends(uint32_t **out, size_t *count, const struct sp_run *run);

#endif
