noinst_LIBRARIES += runtime/optim/liboptim.a
runtime_optim_liboptim_a_SOURCES = \
	runtime/optim/optim.c runtime/optim/optim.h \
	runtime/optim/optimizer.h runtime/optim/optimizer.def \
	runtime/optim/optimizer_adamw.c \
	runtime/optim/optimizer_sm3.c \
	runtime/optim/schedule.c runtime/optim/schedule.h
