/* What the generated program of hostile calls starts from: a good value for every parameter, by its type and name, and the judgement of what a call
 * returned. A struct or parameter that has no good value here keeps the program from compiling: add one. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "check.h"
#include <limits.h>

static int16_t voxels[N];
static uint8_t masks[N];
static ggpfn_model *good_model;
static const ggpfn_model *good_models[2];
static ggpfn_monitor *good_monitor;
static ggpfn_training *good_training, *empty_training;
static ggpfn_trainer *good_trainer;
static void *freed_handle;
static char text[4096];
static float numbers[4] = {0.1f, 0.2f, 0.3f, 0.4f}, fused[4];
static float chances[N];
static double three[3] = {1, 1, 1};
static float *parameters;
static size_t parameter_count, file_bytes;
static void *file, *file_room;
static const char *folder, *cases;
static long calls;

#define GOOD(type) \
    static type good_##type(void) { \
        type value; \
        memset(&value, 0, sizeof value); \
        value.struct_size = sizeof value; \
        return value; \
    }

GOOD(ggpfn_segment_options)
GOOD(ggpfn_measurements)
GOOD(ggpfn_memory)
GOOD(ggpfn_comparison)
GOOD(ggpfn_losses)
GOOD(ggpfn_progress)
GOOD(ggpfn_model_info)
GOOD(ggpfn_label)
GOOD(ggpfn_runtime)
GOOD(ggpfn_training_result)

static ggpfn_image good_ggpfn_image(void) { return dense_image(voxels, GGPFN_INT16, sizeof voxels); }

static ggpfn_result good_ggpfn_result(void) {
    ggpfn_result result;
    memset(&result, 0, sizeof result);
    result.struct_size = sizeof result;
    result.mask = dense_output(masks, sizeof masks);
    return result;
}

static int32_t go_on(const ggpfn_progress *progress, void *user_data) {
    (void)progress, (void)user_data;
    return 1;
}

/* Of one process: what is sent is what is received. */
static int32_t alone(const void *send, void *receive, size_t bytes, void *user_data) {
    (void)user_data;
    memcpy(receive, send, bytes);
    return 1;
}

static void hear(int32_t level, const char *message, void *user_data) { (void)level, (void)message, (void)user_data; }

static void set_up(const char *own_folder, const char *data_set) {
    folder = own_folder;
    cases = data_set;
    make_voxels(voxels, -100, 100);
    good_model = small_model(1);
    good_models[0] = good_models[1] = good_model;
    MUST(ggpfn_monitor_new(&good_monitor));
    MUST(ggpfn_training_new("views = [\"axial\"]\nt = 2\nwidths = [4, 4, 4, 4]\nglobal_widths = [4, 4, 4, 4, 4]\n"
                          "global_size = {axial = [32, 32]}\npatch = {axial = [16, 16]}\nview_weights = {axial = 1.0}\n"
                          "threads = 1\nloader_threads = 1\n[global]\nepochs = 0\n[local]\nepochs = 1\nbatch = 2\n"
                          "[whole]\nepochs = 0\n",
                          &good_training));
    static uint8_t truth[N];
    for (int n = 0; n < N; n++) truth[n] = voxels[n] > 60;
    ggpfn_image image = good_ggpfn_image(), label = dense_image(truth, GGPFN_UINT8, N);
    MUST(ggpfn_training_add_case(good_training, "case", &image, &label, GGPFN_TRAIN));
    MUST(ggpfn_trainer_new(good_training, GGPFN_AXIAL, GGPFN_STAGE_LOCAL, 0, 1, &good_trainer));
    MUST(ggpfn_trainer_length(good_trainer, GGPFN_PARAMETERS, &parameter_count));
    parameters = calloc(parameter_count, sizeof *parameters);
    MUST(ggpfn_trainer_read(good_trainer, GGPFN_PARAMETERS, parameters, parameter_count));
    MUST(ggpfn_model_save_memory(good_model, 0, NULL, 0, &file_bytes));
    file = malloc(file_bytes);
    file_room = malloc(file_bytes);
    MUST(ggpfn_model_save_memory(good_model, 0, file, file_bytes, NULL));
    MUST(ggpfn_training_new(NULL, &empty_training));
    ggpfn_monitor *brief = NULL;
    MUST(ggpfn_monitor_new(&brief));
    ggpfn_monitor_free(brief);
    freed_handle = brief;
}

/* A call without anything bad. */
static void went(const char *function, ggpfn_status status, ggpfn_status expected) {
    calls++;
    if (status != expected) {
        char last[400];
        ggpfn_last_error(last, sizeof last, NULL);
        fprintf(stderr, "%s, called as it is meant, gave %d: %s\n", function, (int)status, last);
        exit(1);
    }
    ggpfn_monitor_reset(good_monitor);
}

/* `must_fail`: whether success would be a fault. */
static void judge(const char *function, const char *how, ggpfn_status status, int must_fail) {
    calls++;
    int known = strcmp(ggpfn_status_text(status), "unknown status") != 0;
    if (!known || status == GGPFN_ERROR_INTERNAL || (must_fail && status == GGPFN_OK)) {
        char last[400];
        ggpfn_last_error(last, sizeof last, NULL);
        fprintf(stderr, "%s with %s gave %d: %s\n", function, how, (int)status, last);
        exit(1);
    }
    /* A monitor that a call has cancelled must not stop the next ones. */
    ggpfn_monitor_reset(good_monitor);
}

/* After a failure, what was to be written is as it was. */
static void untouched(const char *function, const char *how, ggpfn_status status, const void *now, const void *before, size_t bytes) {
    if (status != GGPFN_OK && memcmp(now, before, bytes) != 0) {
        fprintf(stderr, "%s with %s failed with %d and changed its result\n", function, how, (int)status);
        exit(1);
    }
}

#endif
