bin_PROGRAMS += speft-cl
speft_cl_SOURCES = \
	frontends/cli/arguments.c \
	frontends/cli/ask.c frontends/cli/ask.h \
	frontends/cli/command.h frontends/cli/commands.c frontends/cli/command.def \
	frontends/cli/command_find.c frontends/cli/completion.c \
	frontends/cli/devices.c frontends/cli/devices.h \
	frontends/cli/doctor.c frontends/cli/doctor.h frontends/cli/doctor_list.c frontends/cli/doctor_worker.c \
	frontends/cli/eval.c \
	frontends/cli/generate.c \
	frontends/cli/help.c \
	frontends/cli/main.c \
	frontends/cli/mask.c \
	frontends/cli/mask_compare.c \
	frontends/cli/metrics.c \
	frontends/cli/predict.c \
	frontends/cli/progress.c frontends/cli/progress.h \
	frontends/cli/report.c frontends/cli/report.h \
	frontends/cli/study.c \
	frontends/cli/terminal.c frontends/cli/terminal.h \
	frontends/cli/tokenize.c \
	frontends/cli/train.c \
	frontends/cli/version.c
speft_cl_LDADD = $(LIBS_ALL)

# The manual is written by the program, from its command list and option table.
man_MANS += doc/speft-cl.1
CLEANFILES += doc/speft-cl.1
doc/speft-cl.1: speft-cl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && ./speft-cl$(EXEEXT) help --man >$@.tmp && mv $@.tmp $@

# So is what bash completes.
completiondir = $(datadir)/bash-completion/completions
nodist_completion_DATA = doc/completion/speft-cl
CLEANFILES += doc/completion/speft-cl
doc/completion/speft-cl: speft-cl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc/completion && ./speft-cl$(EXEEXT) help --completion >$@.tmp && mv $@.tmp $@
