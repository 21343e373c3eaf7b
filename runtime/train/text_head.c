#include "runtime/train/text_head.h"

#include <stdio.h>
#include <string.h>

/* The class of transformers, by config.json, whose head is for something else than a label of the whole text; NULL for
 * none. */
static const char *other_task(const json_t *config)
{
    static const char *const tasks[] = { "ForTokenClassification", "ForMultipleChoice",
                                         "ForQuestionAnswering",   "ForMaskedLM",
                                         "ForPreTraining",         "ForNextSentencePrediction" };
    const json_t *list = json_object_get(config, "architectures");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *class = json_string_value(json_array_get(list, i));
        size_t length = class ? strlen(class) : 0;

        for (size_t t = 0; t < sizeof tasks / sizeof *tasks; t++)
            if (length > strlen(tasks[t]) && strcmp(class + length - strlen(tasks[t]), tasks[t]) == 0)
                return class;
    }
    return NULL;
}

bool sp_text_head_fits(char *why, size_t size, size_t outputs, const json_t *config)
{
    const char *problem = json_string_value(json_object_get(config, "problem_type")), *other = other_task(config);

    why[0] = '\0';
    if (other)
        snprintf(why, size, "it is a %.100s's, not one for the label of a whole text", other);
    else if (outputs > 1 && problem && strcmp(problem, "regression") == 0)
        snprintf(why, size, "its problem_type is regression, of %zu values at once", outputs);
    else if (problem && strcmp(problem, "multi_label_classification") == 0)
        snprintf(why, size, "its problem_type is %s, and a row can have only one label here", problem);
    return !why[0];
}
