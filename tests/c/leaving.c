/* Ends the process while the library works: `callback` in a progress callback, `thread` on another thread than the one that waits. */
#include "check.h"

#include <pthread.h>
#include <time.h>

enum { SIDE = 128, SLICES = 60 };

static int32_t leave(const ggpfn_progress *progress, void *user_data) {
    (void)user_data;
    if (progress->fraction > 0.1) {
        printf("leaving in a callback\n");
        exit(0);
    }
    return 1;
}

static ggpfn_monitor *monitor;

static void *work(void *unused) {
    static int16_t voxels[SIDE * SIDE * SLICES];
    static uint8_t mask[sizeof voxels / 2];
    ggpfn_model *model = NULL;
    OK(ggpfn_model_new(TINY, 1, &model));
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    image.size[0] = image.size[1] = SIDE;
    image.size[2] = SLICES;
    ggpfn_result result = mask_only(mask);
    result.mask.data_bytes = sizeof mask;
    ggpfn_status status = ggpfn_segment(model, &image, NULL, &result, monitor);
    /* Stopped by the end of the process, or not at all. */
    if (status != GGPFN_ERROR_CANCELLED) CHECK(status == GGPFN_OK);
    return unused;
}

int main(int count, char **arguments) {
    OK(ggpfn_monitor_new(&monitor));
    if (count > 1 && strcmp(arguments[1], "callback") == 0) {
        OK(ggpfn_monitor_set_callback(monitor, leave, NULL));
        work(NULL);
        return 1;
    }
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
    const struct timespec brief = {0, 1000000};
    ggpfn_progress progress = {.struct_size = sizeof progress};
    do {
        nanosleep(&brief, NULL);
        OK(ggpfn_monitor_progress(monitor, &progress));
    } while (progress.fraction < 0.1);
    printf("leaving beside a call\n");
    return 0;
}
