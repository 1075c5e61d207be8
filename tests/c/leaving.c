/* Ends the process while the library works: `callback` in a progress callback, `thread` on another thread than the one that waits. */
#include "check.h"

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
    ggpfn_model *model = small_model(1);
    ggpfn_image image = dense_image(voxels, GGPFN_INT16, sizeof voxels);
    image.size[0] = image.size[1] = SIDE;
    image.size[2] = SLICES;
    ggpfn_result result = {.struct_size = sizeof result};
    result.mask = dense_output(mask, sizeof mask);
    ggpfn_status status = ggpfn_segment(model, &image, NULL, &result, monitor);
    /* Stopped by the end of the process, or not at all. */
    CHECK(status == GGPFN_ERROR_CANCELLED || status == GGPFN_OK);
    if (failures > 0) abort();
    return unused;
}

int main(int count, char **arguments) {
    OK(ggpfn_monitor_new(&monitor));
    if (count > 1 && strcmp(arguments[1], "callback") == 0) {
        OK(ggpfn_monitor_set_callback(monitor, leave, NULL));
        work(NULL);
        return 1;
    }
    start_thread(work, NULL);
    ggpfn_progress progress = {.struct_size = sizeof progress};
    do {
        sleep_milliseconds(1);
        OK(ggpfn_monitor_progress(monitor, &progress));
    } while (progress.fraction < 0.1);
    printf("leaving beside a call\n");
    return 0;
}
