# Configurations, and the data that they name; installed as they lie here.
nobase_dist_pkgdata_DATA += \
	configs/data/quickstart-heldout.tsv configs/data/quickstart-train.tsv \
	configs/data/quickstart-lm-heldout.jsonl configs/data/quickstart-lm-train.jsonl \
	configs/presets/gsm8k.yaml configs/presets/rte.yaml configs/presets/sst2.yaml configs/presets/stsb.yaml \
	configs/presets/speft-static.yaml configs/presets/speft-dynamic.yaml \
	configs/presets/spiel-ag.yaml configs/presets/spiel-ma.yaml \
	configs/studies/glue.yaml \
	configs/quickstart-lm.yaml configs/quickstart.yaml

# Tuned values of kernels, found in $(pkgdatadir)/tuning (runtime/kernel/tuning.h).
tuningdir = $(pkgdatadir)/tuning
dist_tuning_DATA = configs/tuning/default.tune
