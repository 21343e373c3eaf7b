noinst_LIBRARIES += runtime/optim/liboptim.a
runtime_optim_liboptim_a_SOURCES = \
	runtime/optim/optim.c runtime/optim/optim.h \
	runtime/optim/schedule.c runtime/optim/schedule.h
