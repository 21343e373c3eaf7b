# The program from outside.
cli_tests = tests/cli/usage.sh tests/cli/config.sh tests/cli/devices.sh tests/cli/train.sh tests/cli/badinput.sh
dist_check_SCRIPTS += $(cli_tests)
TESTS += $(cli_tests)
EXTRA_DIST += tests/cli/tap.sh tests/cli/short.yaml
