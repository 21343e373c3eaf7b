/* The plan's inside (layer 4), shared by the sources of runtime/nn only. */
#ifndef SP_NN_PLAN_PRIV_H
#define SP_NN_PLAN_PRIV_H

#include "runtime/nn/plan.h"
#include "runtime/op/dropout.h"

#define SP_NODE_INPUTS 3
#define SP_NODE_PARAMS 3
#define SP_NODE_SAVED 6

enum sp_extent { SP_PER_TOKEN, SP_PER_SEQUENCE, SP_ROWS, SP_BYTES }; /* SP_ROWS: `rows` of every batch */

/* A tensor in the arena: an activation, a gradient, something saved for backward, or scratch; or one that is kept, in
 * its own memory. */
struct sp_value {
    char name[SP_PARAM_NAME + 32];
    enum sp_extent extent;
    enum sp_dtype dtype; /* of its elements: SP_F32, as a parameter's */
    size_t width;       /* elements in a row, or bytes */
    size_t rows;        /* of SP_ROWS */
    bool kept;          /* lives from one pass to the next */
    int producer;       /* the node that writes it; -1 for gradients, saved values and scratch */
    int consumers;      /* nodes that read it */
    bool wants_gradient;
    int gradient;       /* number of the value that holds its gradient; -1 for none */
    int again;          /* number of the value that backward makes it into once more, so that it need not live until
                         * then; -1: it lives */
    bool remade;        /* while running: it was, and is there */
    bool gradient_seen; /* while compiling: an earlier node of the backward walk has written the gradient */
    /* times it lives: node i runs at time i forward and 2 N - 1 - i backward; first > last: never */
    int first, last;
    size_t bytes, offset;
    struct sp_buffer *buffer;
};

/* What nodes read of a batch: words in plan->batch, all of which one write fills. */
struct sp_plan_words {
    size_t count, offset; /* words; bytes from the start */
    struct sp_buffer *buffer;
};

#define SP_NODE_WORDS 12

struct sp_node {
    const struct sp_node_type *type;
    int index;
    int input[SP_NODE_INPUTS], output; /* values; -1 for none */
    int param[SP_NODE_PARAMS];         /* parameters; -1 for none. Several nodes may have the same one */
    int saved[SP_NODE_SAVED];          /* values that forward leaves for backward; -1 for none */
    int scratch;                       /* a value alive in this node's backward only; -1 for none */
    int words[SP_NODE_WORDS];          /* what it alone reads of a batch; -1 for none */
    bool active;                       /* backward runs: a parameter or an input below is trained */
    bool accumulate[SP_NODE_INPUTS];   /* the input's gradient is added to, not stored */
    bool shared[SP_NODE_PARAMS];       /* so is the parameter's: another node of the backward walk came first */
    /* attributes; meaning is the type's */
    float p, epsilon, softcap, offset, scale;
    int padding, first;
    int rope; /* of the plan's */
    /* a loss: rows of the batch that have a target, 0 where all have; how many are computed at a time */
    int listed, slice;
    struct sp_attention_shape attention; /* nothing left open */
    int longest_keys; /* attention: the most rows that a sequence of the batch sees */
    int groups[SP_NODE_PARAMS]; /* embedding: of the batch's tokens by the row of each table */
    enum sp_activation activation;
    /* linear: the linear node below whose activation's derivative this node's backward applies; -1 for none */
    int fused;
};

struct sp_node_type {
    const char *name;
    bool all_inputs; /* backward writes the gradients of all inputs or none */
    bool any_rows;   /* knows inputs of SP_ROWS */
    bool passes;     /* backward: an input's gradient is the output's, whose memory it may share */
    bool in_place;   /* backward may make input[0]'s gradient in the memory of the output's */
    bool cheap;      /* of little work: forward is run again for backward, rather than that its output is kept */
    bool packs;      /* backward gives the input's gradient by a product with param[0] */
    /* How many rows the sink of param[0] gets at a time, most of all; NULL: all rows of the batch. */
    int (*slice)(const struct sp_plan *plan, const struct sp_node *node);
    /* Adds the values that forward saves and backward needs, once `active` is known; may be NULL. */
    void (*prepare)(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits);
    /* Whether backward reads input k; k = -1 asks for the output. NULL: it reads neither. */
    bool (*reads)(const struct sp_plan *plan, const struct sp_node *node, int k);
    /* Fills the node's words from the batch, whose sizes fit; SP_EINVAL where it cannot be run: the kernels do not
     * check. NULL: it has none. */
    int (*take)(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch);
    /* May be NULL for a loss's node, which is run where there are targets alone. */
    int (*forward)(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass);
    int (*backward)(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass);
    /* The same of a pass that is `linear`, where that takes other operations; NULL: it takes none.
     * A loss needs none. */
    int (*linear_forward)(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass);
    int (*linear_backward)(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass);
    /* A loss's node: writes the rows' terms of the batch into saved[0] and, where that is not NULL, the gradient of
     * `scale` times their sum; both at logits / temperature (0 for 1). One that says which rows are right writes that,
     * 1 or 0, into saved[1]. NULL for others. */
    int (*loss_rows)(struct sp_plan *plan, const struct sp_node *node, struct sp_buffer *gradient, float scale,
                     float temperature);
    /* In recording mode: launches what the host may ask the node for besides its passes and its loss. NULL: nothing. */
    int (*record)(struct sp_plan *plan, const struct sp_node *node);
    /* After forward, where the output never exists as a whole: the number of a value that is not finite where that
     * would not be, computed. NULL: the output. */
    int (*probe)(struct sp_plan *plan, const struct sp_node *node);
};

#define SP_NODE_TYPE(name) extern const struct sp_node_type sp_node_##name;
#include "runtime/nn/node.def"
#undef SP_NODE_TYPE

/* The rotary embeddings of some nodes, with their table (runtime/nn/rope.h). */
struct sp_plan_rope {
    int head_dim;
    float *inverse, scale;
    struct sp_buffer *table;
};

struct sp_plan {
    int failed; /* the first error of the builders, its message kept in `message` */
    char message[512];
    struct sp_value *values;
    size_t value_count, value_room;
    struct sp_node *nodes;
    size_t node_count, node_room;
    struct sp_param *params;
    size_t param_count, param_room;
    int keys_rows; /* sp_plan_keep_keys: while building; 0: none are kept */
    const struct sp_plan *owner; /* of the parameters; NULL: this one */
    int logits;    /* the model's output, which the host reads; -1 before the loss was built, and where there is none */
    int loss_node; /* -1 before it was built */
    struct sp_plan_rope *ropes;
    size_t rope_count, rope_room;

    /* after compiling */
    struct sp_device *device;
    const struct sp_gemm_family *family;
    struct sp_plan_limits limits;
    struct sp_plan_memory memory;
    struct sp_buffer *arena;
    struct sp_wgrad_transposed transposed;
    int xt, dyt; /* their values; -1 for none */

    /* the batch */
    struct sp_plan_words *words;
    size_t word_count, word_room;
    int bounds; /* the words of batch->bounds; -1 where no node reads them */
    int positions; /* likewise of each token's position */
    /* likewise of batch->kept_rows; and of batch->keys, with the queries' bounds for them */
    int kept_rows, key_bounds, query_bounds;
    struct sp_buffer *batch;
    struct sp_upload *upload;
    unsigned char *filling; /* the batch's copy on the host, while it is filled */
    struct sp_buffer *loss; /* 1 float */
    bool has_loss;          /* it is that of the batch and its last forward pass */
    int tokens, sequences, longest;
    int terms; /* of the loss; 0: its rows */
};

/* Keeps the first error for sp_plan_compile; returns -1. */
int sp_plan_fail(struct sp_plan *plan, int rc);

/* A new node with everything -1 or zero, or NULL after an error. */
struct sp_node *sp_plan_node(struct sp_plan *plan, const struct sp_node_type *type);

/* A new value, or -1. The name is "NODE INDEX" or made from `name`. */
int sp_plan_value(struct sp_plan *plan, const char *name, enum sp_extent extent, size_t width);

/* In prepare: room for `count` words of every batch, or -1; the same for words that nodes share, made by the first of
 * them; and for batch->bounds, which no node fills. */
int sp_plan_words(struct sp_plan *plan, size_t count);
void sp_plan_share_words(struct sp_plan *plan, int *words, size_t count);
void sp_plan_need_bounds(struct sp_plan *plan);

/* Those words: on the host, in take; on the device. NULL for number -1. */
void *sp_plan_fill(const struct sp_plan *plan, int words);
struct sp_buffer *sp_plan_read(const struct sp_plan *plan, int words);

/* loss.c, for nodes that are a loss, of which each row of input[0] has a term, held to a target of its own. Adds one
 * over value x, `logits` being what the host reads of the model, often x itself, or -1 for nothing; NULL after an
 * error. Its prepare and take: words[0] are the targets (zeros where the batch has none), saved[0] is for the rows'
 * terms. */
struct sp_node *sp_plan_loss_node(struct sp_plan *plan, const struct sp_node_type *type, int x, int logits);
void sp_plan_prepare_loss(struct sp_plan *plan, struct sp_node *node, const struct sp_plan_limits *limits);
int sp_plan_take_targets(const struct sp_plan *plan, struct sp_node *node, const struct sp_plan_batch *batch);

/* Leaves the batch's mean loss in plan->loss, unscaled, by the node's loss_rows, where it is not there yet; and its
 * backward, which does so, too, but at a temperature. */
int sp_plan_run_loss(struct sp_plan *plan);
int sp_plan_loss_backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass);

/* In place of any loss's backward in a pass that is linear: the gradient of loss_scale times the sum of input[0]. */
int sp_plan_sum_backward(struct sp_plan *plan, const struct sp_node *node, const struct sp_plan_pass *pass);

/* Of how many terms the batch's loss is the mean. */
float sp_plan_terms(const struct sp_plan *plan, const struct sp_node *node);

/* Sums the rows' terms, as they lie in saved[0], into plan->loss. */
int sp_plan_total_loss(struct sp_plan *plan, const struct sp_node *node);

/* A new value that is the node's output; returns its number. */
int sp_plan_output(struct sp_plan *plan, struct sp_node *node, const char *name, enum sp_extent extent, size_t width);

/* The same, called after the parameter that makes it: "the output of pooler.dense.weight". */
int sp_plan_output_of(struct sp_plan *plan, struct sp_node *node, int param, enum sp_extent extent, size_t width);

/* The device memory of a value, or of what it was made into again, and of its gradient; NULL for number -1 and where
 * there is none. */
struct sp_buffer *sp_plan_buffer(const struct sp_plan *plan, int value);
struct sp_buffer *sp_plan_gradient(const struct sp_plan *plan, int value);

/* Rows of a value in the current batch; in the largest one. */
int sp_plan_rows(const struct sp_plan *plan, int value);
size_t sp_plan_most_rows(const struct sp_plan *plan, int value);

/* Tokens' positions are below this. */
int sp_plan_positions(const struct sp_plan *plan);

/* The device memory of a parameter's values; NULL for number -1. */
struct sp_buffer *sp_plan_values(const struct sp_plan *plan, int param);

/* Where the pass puts the gradient of the node's parameter k, and whether it is added to what is there. */
struct sp_param_gradient sp_plan_param_gradient(const struct sp_node *node, int k, const struct sp_plan_pass *pass);
bool sp_plan_adds(const struct sp_node *node, int k, const struct sp_plan_pass *pass);

/* The node's dropout, with probability p, in the pass. */
struct sp_dropout sp_plan_dropout(const struct sp_node *node, const struct sp_plan_pass *pass);

/* The activation of a linear node in the pass. */
enum sp_activation sp_plan_activation(const struct sp_node *node, const struct sp_plan_pass *pass);

/* Whether the parameter (or -1) is trained, and whether the value (or -1) wants a gradient. */
bool sp_plan_trained(const struct sp_plan *plan, int param);
bool sp_plan_wants(const struct sp_plan *plan, int value);

#endif
