EXTRA_DIST += doc/adapter-format.md
