# Sourced by the tests that hold us against Python's packages. $python is $SPEFT_PYTHON, else python3.
python=${SPEFT_PYTHON:-python3}

# needs_python MODULES: where $python has not all of them the test is over: a skip, or a failure when $SPEFT_REQUIRE_DRIVERS names python.
needs_python() {
    ! "$python" -c "import $1" 2>/dev/null || return 0
    lacking="$python cannot import $1; SPEFT_PYTHON names one that can"
    case " ${SPEFT_REQUIRE_DRIVERS:-} " in
    *' python '*) printf '1..1\nnot ok 1 - %s (python is required here)\n' "$lacking" ;;
    *) printf '1..0 # SKIP %s\n' "$lacking" ;;
    esac
    exit 0
}
