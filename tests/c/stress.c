/* 16 threads, 1 000 segmentations on one model, while other threads cancel, poll, load and free: every mask is the same. */

#include "check.h"
#include <pthread.h>

enum { THREADS = 16 };

static int16_t voxels[VOXELS];
static uint8_t reference[VOXELS];
static ggpfn_model *model;
static int calls_each;
static volatile int done;

static void *segments(void *number) {
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    uint8_t *mask = malloc(VOXELS);
    ggpfn_segment_options options;
    OK(ggpfn_segment_options_init(&options, sizeof options));
    options.threads = 1;
    for (int n = 0; n < calls_each; n++) {
        ggpfn_monitor *monitor = NULL;
        OK(ggpfn_monitor_new(&monitor));
        memset(mask, 7, VOXELS);
        ggpfn_result result = mask_only(mask);
        /* Now and then one that is cancelled before it begins, and an error: they must not spill into the others. */
        if ((n + (int)(size_t)number) % 8 == 0) {
            OK(ggpfn_monitor_cancel(monitor));
            CHECK(ggpfn_segment(model, &image, &options, &result, monitor) == GGPFN_ERROR_CANCELLED);
            CHECK(mask[0] == 7);
            OK(ggpfn_monitor_reset(monitor));
            CHECK(ggpfn_segment(model, NULL, &options, &result, monitor) == GGPFN_ERROR_ARGUMENT);
        }
        OK(ggpfn_segment(model, &image, &options, &result, monitor));
        CHECK(memcmp(mask, reference, VOXELS) == 0);
        ggpfn_monitor_free(monitor);
    }
    free(mask);
    return NULL;
}

static void *disturbs(void *unused) {
    while (!done) {
        ggpfn_model *other = NULL;
        ggpfn_runtime runtime;
        runtime.struct_size = sizeof runtime;
        OK(ggpfn_runtime_query(0, &runtime));
        OK(ggpfn_model_new(TINY, 2, &other));
        ggpfn_model_free(other);
    }
    return unused;
}

int main(int count, char **arguments) {
    calls_each = ((count > 1 ? atoi(arguments[1]) : 1000) + THREADS - 1) / THREADS;
    fill(voxels);
    OK(ggpfn_model_new(TINY, 1, &model));
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    ggpfn_segment_options options;
    OK(ggpfn_segment_options_init(&options, sizeof options));
    options.threads = 1;
    ggpfn_result result = mask_only(reference);
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    pthread_t threads[THREADS], disturber;
    CHECK(pthread_create(&disturber, NULL, disturbs, NULL) == 0);
    for (size_t n = 0; n < THREADS; n++) CHECK(pthread_create(&threads[n], NULL, segments, (void *)n) == 0);
    for (size_t n = 0; n < THREADS; n++) CHECK(pthread_join(threads[n], NULL) == 0);
    done = 1;
    CHECK(pthread_join(disturber, NULL) == 0);
    ggpfn_model_free(model);
    printf("stress: %d segmentations by %d threads, all the same\n", calls_each * THREADS, THREADS);
    return 0;
}
