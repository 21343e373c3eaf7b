/*
 * The static plan (layer 4): a model's forward pass as a list of nodes over named values and parameters. A family's
 * builder calls the sp_nn_* functions in order; sp_plan_compile then derives what backward must do, how long every
 * value lives, and where it lies in one arena. Every shape and byte is known before anything is allocated.
 *
 * The token dimension is flat: a batch is its sequences laid end to end, T tokens in all, S sequences; no padding
 * exists. The plan is sized once for the most tokens and sequences, and each step runs with its own T and S.
 *
 * A parameter may belong to several nodes: in backward the first of them stores its gradient, the others add.
 *
 * Backward is a walk over the nodes from last to first. It stops below the lowest trained parameter: a value gets a
 * gradient only when something trained lies below it. The first writer of a gradient stores, later ones add.
 *
 * Builders return a value's or parameter's number. After an error (out of memory, shapes that do not fit) they return
 * -1 and do nothing, and sp_plan_compile reports the first one. Threading: as the device.
 */
#ifndef SP_NN_PLAN_H
#define SP_NN_PLAN_H

#include "runtime/nn/rope.h"
#include "runtime/op/addition.h"
#include "runtime/op/gemm.h"
#include "runtime/op/wgrad.h"
#include "runtime/tensor/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_plan;

#define SP_PARAM_NAME 128

enum sp_param_kind {
    SP_PARAM_LINEAR, /* a linear layer's weight (rows = out, cols = in), held in a GEMM family's layout */
    SP_PARAM_TABLE,  /* an embedding table (rows x cols), row-major */
    SP_PARAM_VECTOR, /* a bias or a norm's scale or shift (rows) */
};

enum sp_param_flag {
    SP_PARAM_HEAD = 1,     /* the task's head: always trained; absent from a plain pretrained checkpoint */
    SP_PARAM_OPTIONAL = 2, /* may be absent; then it is initialised from the seed and trained with the head */
    SP_PARAM_NO_DECAY = 4, /* biases and norms: weight decay leaves them alone */
    SP_PARAM_ROWS = 8,     /* a linear weight whose rows are looked up, too */
    SP_PARAM_VOCABULARY = 16, /* the output embedding: the language model's head */
};

/* How training changes it. */
enum sp_param_role {
    SP_PARAM_FROZEN, /* nothing of it, nor beside it */
    SP_PARAM_SPARSE, /* at some positions */
    SP_PARAM_DENSE,
};

struct sp_param {
    /* as in the checkpoint, without the family's prefix: "encoder.layer.0.output.dense.weight" */
    char name[SP_PARAM_NAME];
    enum sp_param_kind kind;
    enum sp_dtype dtype;          /* of its elements: SP_F32, the only one that kernels have yet */
    int rows, cols;               /* cols is 1 for vectors */
    unsigned flags;               /* of enum sp_param_flag */
    enum sp_param_role role;      /* set before compiling: backward reaches down to what is not frozen */
    struct sp_gemm_weight weight; /* linear */
    struct sp_buffer *value;      /* table, vector: the values; linear: a row-major copy, where one is kept */
};

/* Where a pass puts a parameter's gradient; both NULL: nowhere. */
struct sp_param_gradient {
    struct sp_wgrad_sink *sink; /* of a linear layer's weight */
    /* of a table or vector, rows x cols floats. A weight that is a table, too, has both, the sink storing to this
     * very buffer */
    struct sp_buffer *buffer;
};

/* How many numbers it has. */
static inline size_t sp_param_elements(const struct sp_param *param)
{
    return (size_t)param->rows * (size_t)param->cols;
}

/* Bytes of its values as they lie row by row. */
static inline size_t sp_param_bytes(const struct sp_param *param)
{
    return sp_param_elements(param) * sp_dtype_size(param->dtype);
}

int sp_plan_create(struct sp_plan **out);
void sp_plan_free(struct sp_plan *plan); /* NULL is fine; parameters' device memory too */

/* Building. */
int sp_plan_param(struct sp_plan *plan, enum sp_param_kind kind, int rows, int cols, const char *name, ...)
    __attribute__((format(printf, 5, 6)));
void sp_plan_mark(struct sp_plan *plan, int param, unsigned flags); /* adds flags */
/* The table of that name, whose rows a node looks up, becomes a linear layer's weight as well (a tied head); returns
 * its number. */
int sp_plan_tie(struct sp_plan *plan, const char *name);

/* y[t] = word[ids[t]] + position[p] + type[types[t]]; position and type -1 for none. p counts the tokens of the
 * sequence from 0, or, with a token id `padding` (else -1), from padding + 1 those that are not `padding`, which have
 * position `padding` themselves. Where the batch says its tokens' positions (sp_plan_batch.positions), p is such a one,
 * from 0 or padding + 1 on. word may be a linear layer's weight (a tied head), which is read as its products have
 * it. */
int sp_nn_embedding(struct sp_plan *plan, int word, int position, int type, int padding);
/* y[t] = scale word[ids[t]]; y[t] = position[offset + p] */
int sp_nn_word_embedding(struct sp_plan *plan, int word, float scale);
int sp_nn_position_embedding(struct sp_plan *plan, int position, int offset);
/* layernorm(residual + dropout(x)); residual -1 for none */
int sp_nn_layernorm(struct sp_plan *plan, int x, int residual, int gamma, int beta, float epsilon, float dropout);
/* (offset + gamma) x / sqrt(mean(x^2) + epsilon), offset 1 in Gemma's, else 0. Where gamma is shorter than x's rows,
 * each head of its width is normalised by itself */
int sp_nn_rmsnorm(struct sp_plan *plan, int x, int gamma, float epsilon, float offset);
int sp_nn_add(struct sp_plan *plan, int a, int b); /* a + b: a residual connection */
/* Turns each head of x's rows by its token's position (sp_plan_batch.positions) */
int sp_nn_rope(struct sp_plan *plan, int x, const struct sp_rope *rope);
/* activation(gate) * up */
int sp_nn_gated(struct sp_plan *plan, int gate, int up, enum sp_activation activation);
int sp_nn_dropout(struct sp_plan *plan, int x, float p); /* x itself when p is 0 */
/* act(x W^T + bias); bias -1 for none */
int sp_nn_linear(struct sp_plan *plan, int x, int weight, int bias, enum sp_activation activation);
/* How attention is shaped. Zeros are an encoder's. */
struct sp_attention_shape {
    int heads;      /* of the queries */
    int kv_heads;   /* of keys and values, each for heads / kv_heads of the queries'; 0: as many */
    int head_dim;   /* columns of a head; 0: q's width / heads */
    bool causal;    /* a token sees those up to itself: token i of a pass's n over K kept rows those up to K - n + i */
    int window;     /* causal: a token sees itself and the window - 1 before it; 0: all */
    float softcap;  /* scores become softcap tanh(score / softcap), before any is hidden; 0: they stay */
    float scale;    /* of the scores; 0: 1 / sqrt(head_dim) */
    float dropout;  /* of the probabilities */
};
/* softmax attention of q (T x heads * head_dim) over k and v (x kv_heads * head_dim): within each sequence; or, where k
 * and v have other rows than q, such as kept ones, of each sequence over the rows that the batch names for it
 * (sp_plan_batch.keys): causally at least as many as it has tokens, whose own are the last of them */
int sp_nn_attention(struct sp_plan *plan, int q, int k, int v, const struct sp_attention_shape *shape);
/* Rows that live from one pass to the next, such as a key/value cache: x's rows go to memory of `rows` rows, zeros at
 * first, each to the row that the batch names for its token (sp_plan_batch.kept_rows); the others stay as earlier
 * passes left them, and nothing else writes there. Returns the value of all these rows, which attention alone can read,
 * as keys or values. */
int sp_nn_keep(struct sp_plan *plan, int x, int rows);
/* For what is built from here on: causal attention keeps its keys and values in `rows` rows (sp_nn_keep), and each
 * sequence sees those that the batch names, as decoding needs it. */
void sp_plan_keep_keys(struct sp_plan *plan, int rows);
/* (S x C): the first token of each sequence */
int sp_nn_first_token(struct sp_plan *plan, int x);
/* (S x C): the last token of each sequence, or, with a token id `padding` (else -1), the last that is not `padding`,
 * which is the first where all are */
int sp_nn_last_token(struct sp_plan *plan, int x, int padding);
/* The loss of a language model, whose logits are (softcap * tanh of, over softcap; 0: none) x W^T for x (T x H) and a
 * linear weight W (V x H), which may be the embeddings' own: the mean of -log p of the tokens' targets, int32, of which
 * SP_NO_TARGET is none. Only rows that have a target are computed, a slice of them at a time, so that no T x V logits
 * exist; a training step does all of it in backward. Last of a builder; returns x. The host reads sp_plan_row_losses,
 * with hits, and sp_plan_last_logits in place of sp_plan_logits. */
#define SP_NO_TARGET (-100)
int sp_nn_language_loss(struct sp_plan *plan, int x, int weight, float softcap);
/* The model's output and its loss, a mean over the output's rows, each of which has a target: cross-entropy over its
 * columns, or squared error for one column. Last of a builder. */
int sp_nn_cross_entropy(struct sp_plan *plan, int logits, float label_smoothing);
int sp_nn_squared_error(struct sp_plan *plan, int output);

/* Parameters, in the order of building. */
size_t sp_plan_param_count(const struct sp_plan *plan);

/* Its values as fp32, from the device and to it: in its own type, and of a linear weight in every layout, by way of
 * `staging` where no row-major copy is kept. Reading waits for the device. */
int sp_param_read(float *out, const struct sp_param *param);
int sp_param_write(struct sp_param *param, const float *values, struct sp_buffer *staging);

/* Elements of the largest parameter, which are room for any on the host, and bytes of staging for any. */
size_t sp_plan_param_largest(const struct sp_plan *plan);
size_t sp_plan_param_staging(const struct sp_plan *plan);
struct sp_param *sp_plan_param_at(struct sp_plan *plan, size_t i);

struct sp_plan_limits {
    int tokens, sequences, longest; /* the most in a batch; tokens of the longest sequence */
    int positions;                  /* tokens' positions are below this, where nodes turn by them; 0: below `longest` */
    bool training;                  /* room for backward too */
    bool transposed;                /* sinks will ask for transposed X and dY */
    size_t logits;                  /* bytes of a language loss's logits that exist at a time, at most; 0: 64 MiB */
};

/* Derives backward, lifetimes and the arena, and allocates arena, inputs and parameters on the device. The role of
 * every parameter must be set; linear weights are laid out for `family`. */
int sp_plan_compile(struct sp_plan *plan, struct sp_device *device, const struct sp_gemm_family *family,
                    const struct sp_plan_limits *limits);

/* Before compiling: the plan's parameters are those of another one, compiled for the same device, whose layouts they
 * have; of the same names and sizes in the same order. It has to outlive this plan, which is not for training. */
void sp_plan_share_params(struct sp_plan *plan, const struct sp_plan *owner);

/* What compiling would take on the device for a plan of shared parameters, which is only to be freed then. */
int sp_plan_measure(size_t *bytes, struct sp_plan *plan, struct sp_device *device, const struct sp_gemm_family *family,
                    const struct sp_plan_limits *limits);

/* Bytes that compiling takes on the device, by purpose. */
struct sp_plan_memory {
    size_t weights, activations, inputs;
    size_t kept; /* what passes keep for later ones */
    size_t unshared; /* what the activations would take without sharing memory over lifetimes */
};
struct sp_plan_memory sp_plan_memory(const struct sp_plan *plan);

/* How a pass over the plan runs. */
struct sp_plan_pass {
    bool dropout;       /* off: dropout does nothing */
    uint64_t seed;      /* of dropout, with the number of the micro-batch */
    uint32_t step;
    float loss_scale;   /* of the gradients: the batch's share of its step's terms */
    bool accumulate;    /* add to the gradients of earlier micro-batches */
    const struct sp_param_gradient *gradients; /* [parameters] of backward; NULL: none */
    /* [parameters]: the first to the output of a linear weight's layers; NULL: none. With backward the role of a weight
     * with one that is not fixed must not be frozen: the layer's input is kept for what is trained */
    struct sp_addition *const *additions;
    bool fixed_additions; /* backward: none of them is trained */
    bool forward_only;  /* for recording: there will be no backward */
    float temperature;  /* backward: of the loss on logits / temperature; 0 for 1 */
    /* Synaptic flow's model (SynFlow, arXiv 2006.05467, as SPEFT uses it): activations and attention's softmax are the
     * identity, word embeddings are all ones, dropout is off, and backward is of loss_scale times the sum of the
     * logits. */
    bool linear;
};

/* Notes every kernel that the passes launch (device in recording mode) and, in training, backward; then
 * sp_kernel_build_recorded compiles them side by side. */
int sp_plan_record(struct sp_plan *plan, const struct sp_plan_pass *pass);

/* One batch of host arrays. targets may be NULL, and target_count 0, where no loss is wanted. */
struct sp_plan_batch {
    const uint32_t *ids, *types; /* [tokens] */
    const uint32_t *bounds;      /* [sequences + 1] */
    const uint32_t *positions;   /* [tokens]: each token's in its text; NULL: in its sequence, from 0 */
    const void *targets;         /* [target_count], 4 bytes each, as the loss wants them: classes, values, ... */
    int tokens, sequences, target_count;
    int terms; /* how many the loss is the mean of, where not each of its rows is one; 0: its rows that have a target */
    /* Of plans that keep rows, or attend to other rows than the queries'; NULL for others. */
    const uint32_t *kept_rows; /* [tokens]: the row to which each token's goes (sp_nn_keep), no two the same */
    /* [2 sequences]: sequence s sees rows keys[2 s] .. keys[2 s + 1] - 1 of the keys and values, at least one. They
     * may overlap and come in any order, but for a backward pass they ascend */
    const uint32_t *keys;
};
/* Takes what the nodes need of the batch to the device, in one write that does not wait; an id or row outside its table
 * is SP_EINVAL, and so are as many targets as the loss has no rows. */
int sp_plan_set_batch(struct sp_plan *plan, const struct sp_plan_batch *batch);

int sp_plan_forward(struct sp_plan *plan, const struct sp_plan_pass *pass);
/* Needs the loss's targets in the batch, and the forward pass of the same batch and pass before it. */
int sp_plan_backward(struct sp_plan *plan, const struct sp_plan_pass *pass);

/* After forward, instead of backward: calls every linear weight's sink with its layer's input and no gradient (dy
 * NULL). */
int sp_plan_observe(struct sp_plan *plan, const struct sp_plan_pass *pass);

/* After forward: the mean loss of the batch, unscaled, as element i of `out` (floats). What backward has left of it is
 * not computed again. */
int sp_plan_loss_into(struct sp_plan *plan, struct sp_buffer *out, size_t i);
int sp_plan_loss(struct sp_plan *plan, double *loss); /* the same to the host. Waits for the device */
/* The model's output for the batch, the logits, to the host: outputs columns, a row for each sequence, or for each
 * token where the model's head gives those. Waits for the device. */
int sp_plan_logits(struct sp_plan *plan, float *out);
bool sp_plan_has_activation(const struct sp_plan *plan, enum sp_activation activation); /* in any of its layers */
int sp_plan_outputs(const struct sp_plan *plan); /* 0 where the loss leaves none */
bool sp_plan_outputs_tokens(const struct sp_plan *plan);

/* After forward and instead of backward; waits for the device. The term of each row of the loss and, where hits is not
 * NULL, whether its target had the largest logit (1 or 0), of a loss that says so; zeros where a row has no target. The
 * rows are those of the loss's input: sequences, or tokens. */
int sp_plan_row_losses(struct sp_plan *plan, float *losses, float *hits);
bool sp_plan_loss_tokens(const struct sp_plan *plan);

/* Of a language loss, likewise: the logits of the last token of each sequence (S x V), for who generates the next
 * one. */
int sp_plan_last_logits(struct sp_plan *plan, float *out);

/* Where numbers stopped being finite: repeats the batch's forward and backward pass (forward_only: that alone) node by
 * node and names the first parameter, value or gradient that holds a NaN or an infinity, a parameter by its own name,
 * one of an addition by what that calls it; "" when all are finite. Parameters' gradients are overwritten. */
int sp_plan_find_not_finite(struct sp_plan *plan, const struct sp_plan_pass *pass, char name[SP_PARAM_NAME + 32]);

#endif
