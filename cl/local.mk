# Every file that is embedded into the program, in the order of the table.
cl_files = \
	cl/lib/dropout.h \
	cl/lib/lanes.h \
	cl/lib/math.h \
	cl/lib/philox.h \
	cl/lib/vector.h \
	cl/act/activation.h \
	cl/act/activation_backward.cl \
	cl/act/activation_forward.cl \
	cl/act/add.cl \
	cl/act/dropout_apply.cl \
	cl/attn/attention.cl cl/attn/attention_decode.cl \
	cl/attn/attention_lanes.cl \
	cl/attn/linear_attention.cl \
	cl/blas/epilogue.h \
	cl/blas/gemm_epilogue.cl \
	cl/blas/gemm_pack.cl \
	cl/blas/gemm_packed.cl \
	cl/blas/gemm_tiled.cl \
	cl/embed/embedding_backward.cl \
	cl/embed/embedding_forward.cl \
	cl/embed/rows_gather.cl \
	cl/embed/rows_scatter.cl \
	cl/loss/cross_entropy.cl \
	cl/loss/language.cl \
	cl/loss/loss_total.cl \
	cl/loss/squared_error.cl \
	cl/norm/column_sum.cl \
	cl/norm/layernorm_backward.cl \
	cl/norm/layernorm_forward.cl \
	cl/optim/adamw.cl \
	cl/optim/moments.cl \
	cl/optim/norm_finish.cl \
	cl/optim/norm_squares.cl \
	cl/optim/sm3.cl \
	cl/sparse/sddmm.cl \
	cl/sparse/sparse_apply.cl \
	cl/sparse/sparse_gather.cl \
	cl/sparse/transpose.cl
