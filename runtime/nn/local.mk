noinst_LIBRARIES += runtime/nn/libnn.a
runtime_nn_libnn_a_SOURCES = \
	runtime/nn/compile.c \
	runtime/nn/loss.c \
	runtime/nn/model.c runtime/nn/model.h \
	runtime/nn/node.def \
	runtime/nn/node_add.c \
	runtime/nn/node_attention.c \
	runtime/nn/node_cross_entropy.c \
	runtime/nn/node_dropout.c \
	runtime/nn/node_embedding.c \
	runtime/nn/node_first_token.c \
	runtime/nn/node_gated.c \
	runtime/nn/node_keep.c \
	runtime/nn/node_language_loss.c \
	runtime/nn/node_last_token.c \
	runtime/nn/node_layernorm.c \
	runtime/nn/node_linear.c \
	runtime/nn/node_rmsnorm.c \
	runtime/nn/node_rope.c \
	runtime/nn/node_squared_error.c \
	runtime/nn/param.c \
	runtime/nn/plan.c runtime/nn/plan.h runtime/nn/plan_priv.h \
	runtime/nn/rope.c runtime/nn/rope.h \
	runtime/nn/run.c
