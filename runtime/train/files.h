/* What a run's files in its output_dir are called (layer 5). */
#ifndef SP_TRAIN_FILES_H
#define SP_TRAIN_FILES_H

#define SP_FILE_RESOLVED "config.resolved.yaml"
#define SP_FILE_METRICS "metrics.jsonl"
#define SP_FILE_PREDICTIONS "predictions.jsonl"
#define SP_FILE_RESULT "result.json"
#define SP_FILE_ADAPTER "adapter"

#endif
