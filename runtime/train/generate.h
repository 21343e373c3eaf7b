/*
 * Texts that a causal model goes on with, token by token (layer 5). Keys and values of the tokens that were read are
 * kept on the device, so that a new token costs one pass over itself alone; several texts go on side by side, each in
 * rows of its own, and where one ends the next one takes its place. What a text becomes does not depend on the others.
 *
 *     sp_run_open(&run); sp_generate_open(&run, &limits); sp_generate(&run, &limits, ...); sp_run_close(&run);
 *
 * Threading: as the run.
 */
#ifndef SP_TRAIN_GENERATE_H
#define SP_TRAIN_GENERATE_H

#include "runtime/train/run.h"
#include "runtime/train/sample.h"

/* A text that is to go on. */
struct sp_generation {
    const uint32_t *prompt; /* borrowed; at least one token */
    size_t prompt_length;
    size_t max_new_tokens;
    uint32_t *tokens; /* [max_new_tokens], the caller's: filled, the end token left out */
    size_t count;     /* of them */
    bool ended;       /* by an end token; else max_new_tokens were made */
    bool done;        /* nothing more is made of it */
};

struct sp_generate_options {
    struct sp_sample_options sample;
    const uint32_t *end; /* [end_count] tokens, each of which ends a text */
    size_t end_count;
    /* Told of each token as it is made, of text i; NULL: nobody. A negative result ends all, as its error. */
    int (*tell)(void *user, size_t i, uint32_t token);
    /* Told when text i is done, likewise; texts are done in any order. */
    int (*done)(void *user, size_t i);
    void *user;
};

struct sp_generate_limits {
    size_t texts;   /* side by side, at most */
    size_t longest; /* tokens of prompt and what follows, at most */
    size_t pass;    /* tokens that a pass reads, at most, `texts` at least: a longer prompt takes several */
};

/* SP_ECONFIG where the opened run's model is of a family without a language model's head. */
int sp_generate_check_model(const struct sp_run *run);

/* Builds the run's plan for it, in place of sp_run_build. */
int sp_generate_open(struct sp_run *run, const struct sp_generate_limits *limits);

/* What the run's model says to a prompt as it is now, by the likeliest tokens: in the midst of a training, by a plan of
 * its own that takes the parameters of the run's. *said is the caller's. */
int sp_generate_beside(char **said, const struct sp_run *run, const uint32_t *prompt, size_t length,
                       size_t max_new_tokens);

/* Bytes that it will take on the device, once the run's plan is compiled. */
int sp_generate_beside_memory(size_t *bytes, const struct sp_run *run, size_t length, size_t max_new_tokens);

/* Goes on with all texts, taking them in their order, within the limits that the plan was built for; the run's observer
 * is told how many are done. One that leaves no room below limits->longest is SP_EINVAL; an interrupt is SP_EINTR. */
int sp_generate(struct sp_run *run, const struct sp_generate_limits *limits, struct sp_generation *texts, size_t count,
                const struct sp_generate_options *options);

#endif
