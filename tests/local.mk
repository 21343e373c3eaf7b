# The test suite. Every test speaks TAP to automake's driver. In TESTS stand
#   tests/unit/test_x             a cmocka program, on PoCL (tests/support/driver.sh says what happens where it is missing)
#   tests/unit/test_x-intel       the same program on another driver (pocl, intel, rusticl) or under a tool (oclgrind,
#                                 valgrind: without any driver)
#   tests/lint/x.sh               a script; it prints TAP itself
# A test runs in the build tree and finds the source tree in $srcdir; $SPEFT_CACHE_DIR is the test run's own, in the build tree unless somebody else could write there; $SPEFT_TUNING_FILE is the source tree's;
# $SPEFT_PYTHON has the packages of tests/support/requirements.txt.
# Fast ones first; a new fragment is one include line here.
include tests/lint/lint.mk
if HAVE_CMOCKA
include tests/unit/base.mk
include tests/unit/files.mk
include tests/unit/text.mk
include tests/unit/data.mk
include tests/unit/io.mk
include tests/unit/optim.mk
include tests/unit/sparse.mk
include tests/unit/device.mk
include tests/unit/kernel.mk
include tests/unit/tuning.mk
include tests/unit/nn.mk
include tests/unit/train.mk
include tests/kernel/op.mk
include tests/grad/grad.mk
include tests/model/model.mk
include tests/train/train.mk
include tests/cli/cli.mk
include tests/cli/files.mk

# Host code under valgrind; the tests that take minutes there have AddressSanitizer alone (./dev check).
TESTS += tests/unit/test_data-valgrind tests/unit/test_io-valgrind tests/unit/test_checkpoint-valgrind \
	tests/unit/test_adapter-valgrind tests/unit/test_config-valgrind
else
check-local:
	@echo 'make check needs cmocka: apt install libcmocka-dev, then run configure again' >&2; exit 1
endif

test_support = $(SHELL) $(top_srcdir)/tests/support
AM_TESTS_ENVIRONMENT = \
	SPEFT_INTEL_ROOT="$${SPEFT_INTEL_ROOT:-$$($(test_support)/driver.sh --kept)/venv}"; \
	SPEFT_CACHE_DIR=$$($(test_support)/driver.sh --cache '$(abs_top_builddir)/tests/cache'); \
	SPEFT_TUNING_FILE='$(abs_top_srcdir)/configs/tuning/default.tune'; \
	SPEFT_LINT_CFLAGS='$(SP_CFLAGS) $(DEFS) -iquote $(abs_top_srcdir) -iquote $(abs_top_builddir) $(common_cppflags)'; \
	if test -z "$${SPEFT_PYTHON-}" && test -x "$$SPEFT_INTEL_ROOT/bin/python3"; then SPEFT_PYTHON=$$SPEFT_INTEL_ROOT/bin/python3; fi; \
	SPEFT_BINDIR='$(bindir)'; SPEFT_DATADIR='$(pkgdatadir)'; SPEFT_MANDIR='$(mandir)'; \
	LSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/support/lsan.supp:print_suppressions=0'; \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1; \
	export SPEFT_INTEL_ROOT SPEFT_CACHE_DIR SPEFT_TUNING_FILE SPEFT_PYTHON SPEFT_LINT_CFLAGS SPEFT_BINDIR SPEFT_DATADIR SPEFT_MANDIR LSAN_OPTIONS UBSAN_OPTIONS;

tap_driver = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/autotools/build-aux/tap-driver.sh
TEST_EXTENSIONS = .sh
LOG_DRIVER = $(tap_driver)
LOG_COMPILER = $(test_support)/tap-run.sh
SH_LOG_DRIVER = $(tap_driver)
SH_LOG_COMPILER = $(test_support)/driver.sh auto $(SHELL)

# The harness wants a file for each test; on a named driver it is an empty one beside the program.
# (A rule each: several targets in one pattern rule would mean that one recipe makes them all.)
%-pocl: %$(EXEEXT)
	$(AM_V_at)touch $@
%-intel: %$(EXEEXT)
	$(AM_V_at)touch $@
%-rusticl: %$(EXEEXT)
	$(AM_V_at)touch $@
%-oclgrind: %$(EXEEXT)
	$(AM_V_at)touch $@
%-valgrind: %$(EXEEXT)
	$(AM_V_at)touch $@

# make -s print-tests SELECT='tests/unit/%': those of TESTS, on the default driver, as a list for make check TESTS=...
print-tests:
	@echo $(filter $(SELECT),$(filter-out %-pocl %-intel %-rusticl %-oclgrind %-valgrind,$(TESTS)))
.PHONY: print-tests

clean-local:
	rm -rf tests/cache
	rm -f tests/*/*-pocl tests/*/*-intel tests/*/*-rusticl tests/*/*-oclgrind tests/*/*-valgrind

EXTRA_DIST += tests/support/driver.sh tests/support/lsan.supp tests/support/oclgrind.sh tests/support/python.sh tests/support/requirements.txt \
	tests/support/tap-cmocka.sh tests/support/tap-run.sh tests/support/valgrind.sh
