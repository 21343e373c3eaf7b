noinst_LIBRARIES += runtime/base/libbase.a
runtime_base_libbase_a_SOURCES = \
	runtime/base/buf.c runtime/base/buf.h \
	runtime/base/child.c runtime/base/child.h \
	runtime/base/clock.c runtime/base/clock.h \
	runtime/base/error.c runtime/base/error.h runtime/base/error.def \
	runtime/base/finite.h \
	runtime/base/fs.c runtime/base/fs_rights.c runtime/base/fs_writer.c runtime/base/fs.h \
	runtime/base/hash.c runtime/base/hash.h \
	runtime/base/interrupt.c runtime/base/interrupt.h \
	runtime/base/json.c runtime/base/json.h \
	runtime/base/likely_name.c runtime/base/likely_name.h \
	runtime/base/lock.c runtime/base/lock.h \
	runtime/base/log.c runtime/base/log.h \
	runtime/base/mem.c runtime/base/mem.h \
	runtime/base/option.c runtime/base/option.h \
	runtime/base/option_name.c \
	runtime/base/option_write.c \
	runtime/base/private.c runtime/base/private.h \
	runtime/base/process.c runtime/base/process.h \
	runtime/base/remap.c runtime/base/remap.h \
	runtime/base/rng.c runtime/base/rng.h \
	runtime/base/source.c runtime/base/source.h \
	runtime/base/statistics.c runtime/base/statistics.h \
	runtime/base/stream.c runtime/base/stream.h \
	runtime/base/temporary.c runtime/base/temporary.h \
	runtime/base/text.c runtime/base/text.h \
	runtime/base/walk.c runtime/base/walk.h \
	runtime/base/yaml.c runtime/base/yaml.h
