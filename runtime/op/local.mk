noinst_LIBRARIES += runtime/op/libop.a
runtime_op_libop_a_SOURCES = \
	runtime/op/activation.c runtime/op/activation.h \
	runtime/op/adamw.c runtime/op/adamw.h \
	runtime/op/add.c runtime/op/add.h \
	runtime/op/attention.c runtime/op/attention.h runtime/op/attention_decode.c runtime/op/attention_decode.h \
	runtime/op/check.c runtime/op/check.h \
	runtime/op/column_sum.c runtime/op/column_sum.h \
	runtime/op/dropout.c runtime/op/dropout.h \
	runtime/op/embedding.c runtime/op/embedding.h \
	runtime/op/gated.c runtime/op/gated.h \
	runtime/op/gemm.c runtime/op/gemm.h runtime/op/gemm_priv.h runtime/op/gemm.def \
	runtime/op/gemm_check.c \
	runtime/op/gemm_choose.c \
	runtime/op/gemm_clblast.c \
	runtime/op/gemm_epilogue.c \
	runtime/op/gemm_pack.c \
	runtime/op/gemm_packed.c \
	runtime/op/gemm_tiled.c \
	runtime/op/geometry.c runtime/op/geometry.h \
	runtime/op/language.c runtime/op/language.h \
	runtime/op/layernorm.c runtime/op/layernorm.h \
	runtime/op/linear_attention.c runtime/op/linear_attention.h \
	runtime/op/loss.c runtime/op/loss.h \
	runtime/op/moments.c runtime/op/moments.h \
	runtime/op/norm.c runtime/op/norm.h \
	runtime/op/op.h runtime/op/ops.c runtime/op/op.def \
	runtime/op/rmsnorm.c runtime/op/rmsnorm.h \
	runtime/op/rotary.c runtime/op/rotary.h \
	runtime/op/rows.c runtime/op/rows.h \
	runtime/op/sddmm.c runtime/op/sddmm.h \
	runtime/op/sm3.c runtime/op/sm3.h \
	runtime/op/sparse.c runtime/op/sparse.h \
	runtime/op/transfer.c runtime/op/transfer.h \
	runtime/op/transpose.c runtime/op/transpose.h \
	runtime/op/tuned.c runtime/op/tuned.h runtime/op/tuned.def \
	runtime/op/addition.h runtime/op/wgrad.h
