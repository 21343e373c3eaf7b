noinst_LIBRARIES += runtime/study/libstudy.a
runtime_study_libstudy_a_SOURCES = \
	runtime/study/differences.c \
	runtime/study/document.c runtime/study/document.h \
	runtime/study/entries.c \
	runtime/study/file.c runtime/study/file_priv.h \
	runtime/study/grid.c \
	runtime/study/heatmap.c runtime/study/heatmap.h \
	runtime/study/overlap.c runtime/study/overlap.h \
	runtime/study/overlaps.c \
	runtime/study/override.c \
	runtime/study/parts.c \
	runtime/study/report.c runtime/study/report_priv.h \
	runtime/study/rows.c \
	runtime/study/run.c \
	runtime/study/study.c runtime/study/study.h
