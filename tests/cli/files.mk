# Files that others have, cut short or put in the way; an installed tree.
files_tests = tests/cli/files.sh tests/cli/inputs.sh tests/cli/install.sh
dist_check_SCRIPTS += $(files_tests)
TESTS += $(files_tests)
