noinst_LIBRARIES += runtime/device/libdevice.a
runtime_device_libdevice_a_SOURCES = \
	runtime/device/access.c runtime/device/access.h \
	runtime/device/buffer.c \
	runtime/device/choose.c \
	runtime/device/device.h \
	runtime/device/driver.c runtime/device/driver.h runtime/device/status.def \
	runtime/device/faults.c \
	runtime/device/guard.c runtime/device/guard.h \
	runtime/device/icd.c runtime/device/icd.h \
	runtime/device/limit.c runtime/device/limit.h \
	runtime/device/list.c runtime/device/list.h \
	runtime/device/listing.c runtime/device/listing.h \
	runtime/device/native.c runtime/device/native.h \
	runtime/device/open.c \
	runtime/device/pocl.c runtime/device/pocl.h \
	runtime/device/probe.c \
	runtime/device/profile.c \
	runtime/device/program.c runtime/device/program.h \
	runtime/device/quirk.def \
	runtime/device/trial.c \
	runtime/device/turns.c
