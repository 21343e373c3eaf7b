EXTRA_DIST += doc/DESIGN.md doc/adapter-format.md doc/causal-lm.md doc/performance.md doc/quality.md doc/results.md doc/study.md doc/tuning.md
