/* The contract of ggpfn.h, end to end, on volumes and networks so small that all of it takes seconds. Prints one line at its end; a line from the
 * library would be a fault. With the argument "short" the trainings are left out. */

#include "check.h"
#include <math.h>
#include <pthread.h>

static uint8_t reference[VOXELS];
static int16_t voxels[VOXELS];

static ggpfn_model *tiny(void) {
    ggpfn_model *model = NULL;
    OK(ggpfn_model_new(TINY, 1, &model));
    return model;
}

static void segment(const ggpfn_model *model, const ggpfn_image *image, uint8_t *mask) {
    ggpfn_result result = mask_only(mask);
    OK(ggpfn_segment(model, image, NULL, &result, NULL));
}

static int count(const uint8_t *mask) {
    int sum = 0;
    for (int i = 0; i < VOXELS; i++) sum += mask[i];
    return sum;
}

static void *fails_elsewhere(void *unused) {
    size_t needed = 0;
    ggpfn_model *model = NULL;
    CHECK(ggpfn_model_load(NULL, &model) == GGPFN_ERROR_ARGUMENT && model == NULL);
    OK(ggpfn_last_error(NULL, 0, &needed));
    CHECK(needed > 1);
    return unused;
}

static void versions_and_errors(void) {
    char text[200], small[8];
    size_t needed = 0;
    CHECK(ggpfn_abi_version() == GGPFN_ABI_VERSION);
    sprintf(text, "%d.%d.%d", GGPFN_VERSION_MAJOR, GGPFN_VERSION_MINOR, GGPFN_VERSION_PATCH);
    CHECK(strcmp(text, ggpfn_version()) == 0);
    CHECK(strcmp(ggpfn_status_text(GGPFN_OK), "success") == 0 && strlen(ggpfn_status_text(4711)) > 0);

    ggpfn_model *model = NULL;
    CHECK(ggpfn_model_load("no such file.safetensors", &model) == GGPFN_ERROR_FILE && model == NULL);
    OK(ggpfn_last_error(text, sizeof text, &needed));
    CHECK(strstr(text, "no such file.safetensors") && needed == strlen(text) + 1);
    /* Asking does not change it; a short buffer gets its beginning; another thread has its own. */
    CHECK(ggpfn_last_error(small, sizeof small, &needed) == GGPFN_ERROR_BUFFER);
    CHECK(strlen(small) == 7 && strncmp(small, text, 7) == 0 && needed == strlen(text) + 1);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, fails_elsewhere, NULL) == 0 && pthread_join(thread, NULL) == 0);
    OK(ggpfn_last_error(text, sizeof text, NULL));
    CHECK(strstr(text, "no such file.safetensors"));
    CHECK(ggpfn_model_load("\xff\xfe", &model) == GGPFN_ERROR_ARGUMENT);

    ggpfn_runtime runtime;
    memset(&runtime, 0, sizeof runtime);
    runtime.struct_size = sizeof runtime;
    OK(ggpfn_runtime_query(0, &runtime));
    CHECK(strcmp(runtime.built_for, runtime.loaded) == 0 && !runtime.wrong_libtorch && runtime.gpus == -1);
    OK(ggpfn_runtime_library(text, sizeof text, &needed));
    CHECK(strstr(text, "torch"));
    OK(ggpfn_runtime_problems(0, text, sizeof text, NULL));
    CHECK(text[0] == 0);
    CHECK(ggpfn_runtime_gpu(1000, text, sizeof text, NULL) == GGPFN_ERROR_ARGUMENT);
}

static void models(void) {
    ggpfn_model *model = tiny(), *again = NULL, *shipped = NULL;
    ggpfn_model_info info, other;
    memset(&info, 0, sizeof info);
    info.struct_size = other.struct_size = sizeof info;
    OK(ggpfn_model_describe(model, &info));
    CHECK(info.views == 7 && info.t == 2 && info.progressive == 1 && info.global_guidance == 1);
    CHECK(info.window[0] == -100 && info.window[1] == 240 && info.spacing[0] == 0 && info.threshold == 0.5);
    CHECK(strlen(info.sha256) == 64 && fabs(info.view_weights[0] - 1.0 / 3) < 1e-12);

    size_t bytes = 0;
    OK(ggpfn_model_save_memory(model, GGPFN_WEIGHTS_FLOAT32, NULL, 0, &bytes));
    char *file = malloc(bytes);
    CHECK(ggpfn_model_save_memory(model, GGPFN_WEIGHTS_FLOAT32, file, bytes - 1, NULL) == GGPFN_ERROR_BUFFER);
    OK(ggpfn_model_save_memory(model, GGPFN_WEIGHTS_FLOAT32, file, bytes, NULL));
    OK(ggpfn_model_load_memory(file, bytes, &again));
    OK(ggpfn_model_describe(again, &other));
    CHECK(strcmp(info.sha256, other.sha256) == 0);
    ggpfn_model *broken = NULL;
    CHECK(ggpfn_model_load_memory(file, bytes / 2, &broken) == GGPFN_ERROR_MODEL && broken == NULL);
    free(file);
    CHECK(ggpfn_model_new("{\"widths\": 3}", 0, &broken) == GGPFN_ERROR_ARGUMENT);
    CHECK(ggpfn_model_new("{\"width\": [4, 4, 4, 4]}", 0, &broken) == GGPFN_ERROR_ARGUMENT);

    char json[4000];
    OK(ggpfn_model_configuration(model, json, sizeof json, NULL));
    CHECK(strstr(json, "\"widths\""));
    OK(ggpfn_model_shipped(&shipped));
    OK(ggpfn_model_describe(shipped, &other));
    CHECK(other.spacing[0] == 2.5 && other.parameters > 1000000);
    ggpfn_model_free(shipped);
    ggpfn_model_free(again);
    ggpfn_model_free(model);
    /* Freed twice, stale, foreign, none. */
    ggpfn_model_free(model);
    ggpfn_model_free(NULL);
    CHECK(ggpfn_model_describe(model, &info) == GGPFN_ERROR_ARGUMENT);
    ggpfn_monitor *monitor = NULL;
    OK(ggpfn_monitor_new(&monitor));
    CHECK(ggpfn_model_describe((const ggpfn_model *)monitor, &info) == GGPFN_ERROR_ARGUMENT);
    CHECK(ggpfn_model_describe((const ggpfn_model *)&info, &info) == GGPFN_ERROR_ARGUMENT);
    ggpfn_monitor_free(monitor);
}

/* One type after the other, at an odd address. */
#define SAME_IN(type, dtype) \
    do { \
        char *copy = malloc(VOXELS * sizeof(type) + 1); \
        for (int n = 0; n < VOXELS; n++) { \
            type value = (type)voxels[n]; \
            memcpy(copy + 1 + (size_t)n * sizeof(type), &value, sizeof value); \
        } \
        ggpfn_image same = image_of(copy + 1, VOXELS * sizeof(type), dtype); \
        segment(model, &same, mask); \
        CHECK(memcmp(mask, reference, VOXELS) == 0); \
        free(copy); \
    } while (0)

static void images(const ggpfn_model *model) {
    static uint8_t mask[VOXELS];
    SAME_IN(int8_t, GGPFN_INT8);
    SAME_IN(uint8_t, GGPFN_UINT8);
    SAME_IN(int16_t, GGPFN_INT16);
    SAME_IN(uint16_t, GGPFN_UINT16);
    SAME_IN(int32_t, GGPFN_INT32);
    SAME_IN(uint32_t, GGPFN_UINT32);
    SAME_IN(int64_t, GGPFN_INT64);
    SAME_IN(uint64_t, GGPFN_UINT64);
    SAME_IN(float, GGPFN_FLOAT32);
    SAME_IN(double, GGPFN_FLOAT64);

    /* k fastest, rows padded, i backwards; the mask the same way. */
    int16_t *other = calloc((size_t)NX * NY * (NZ + 3), sizeof *other);
    uint8_t *masks = calloc((size_t)NX * NY * (NZ + 3), 1);
    ggpfn_image image = image_of(NULL, sizeof(int16_t) * NX * NY * (NZ + 3), GGPFN_INT16);
    int64_t elements[3] = {-(int64_t)NY * (NZ + 3), NZ + 3, 1};
    int64_t first = (int64_t)(NX - 1) * NY * (NZ + 3);
    for (int a = 0; a < 3; a++) image.strides[a] = 2 * elements[a];
    image.data = other + first;
    for (int k = 0; k < NZ; k++)
        for (int j = 0; j < NY; j++)
            for (int i = 0; i < NX; i++)
                other[first + i * elements[0] + j * elements[1] + k * elements[2]] = (int16_t)voxel(i, j, k);
    ggpfn_result result = mask_only(masks + first);
    result.mask.data_bytes = (size_t)NX * NY * (NZ + 3);
    for (int a = 0; a < 3; a++) result.mask.strides[a] = elements[a];
    OK(ggpfn_segment(model, &image, NULL, &result, NULL));
    for (int k = 0; k < NZ; k++)
        for (int j = 0; j < NY; j++)
            for (int i = 0; i < NX; i++)
                CHECK(masks[first + i * elements[0] + j * elements[1] + k * elements[2]] == reference[(k * NY + j) * NX + i]);
    free(masks);
    free(other);

    /* The same grid said in RAS. */
    image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    image.frame = GGPFN_RAS;
    image.direction[0] = image.direction[4] = -1;
    segment(model, &image, mask);
    CHECK(memcmp(mask, reference, VOXELS) == 0);

    /* What cannot be used is refused, and the mask left alone. */
    memset(mask, 7, VOXELS);
    result = mask_only(mask);
    image = image_of(voxels, sizeof voxels - 1, GGPFN_INT16);
    CHECK(ggpfn_segment(model, &image, NULL, &result, NULL) == GGPFN_ERROR_ARGUMENT);
    image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    image.spacing[1] = 0;
    CHECK(ggpfn_segment(model, &image, NULL, &result, NULL) == GGPFN_ERROR_IMAGE);
    image.spacing[1] = 2.5;
    image.direction[0] = 0.5;
    CHECK(ggpfn_segment(model, &image, NULL, &result, NULL) == GGPFN_ERROR_IMAGE);
    float *nan = calloc(VOXELS, sizeof *nan);
    nan[77] = NAN;
    image = image_of(nan, VOXELS * sizeof *nan, GGPFN_FLOAT32);
    CHECK(ggpfn_segment(model, &image, NULL, &result, NULL) == GGPFN_ERROR_IMAGE);
    free(nan);
    for (int n = 0; n < VOXELS; n++) CHECK(mask[n] == 7);
}

static void options_and_results(const ggpfn_model *model) {
    static uint8_t mask[VOXELS], fused_mask[VOXELS];
    static float probability[VOXELS], view[3][VOXELS], uncertainty[VOXELS], fused[VOXELS];
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    image.frame = GGPFN_RAS;
    ggpfn_measurements found;
    memset(&found, 0, sizeof found);
    found.struct_size = sizeof found;
    ggpfn_result result = mask_only(mask);
    ggpfn_output *outputs[5] = {&result.probability, &result.view_probability[0], &result.view_probability[1],
                                &result.view_probability[2], &result.uncertainty};
    float *buffers[5] = {probability, view[0], view[1], view[2], uncertainty};
    for (int n = 0; n < 5; n++) {
        outputs[n]->data = buffers[n];
        outputs[n]->data_bytes = sizeof probability;
    }
    result.measurements = &found;
    ggpfn_segment_options options;
    OK(ggpfn_segment_options_init(&options, sizeof options));
    options.precision = GGPFN_PRECISION_FLOAT32;
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    int low = NX, high = -1;
    double sum = 0;
    for (int n = 0; n < VOXELS; n++) {
        CHECK(mask[n] == (probability[n] >= 0.5f));
        CHECK(fabs(probability[n] - (view[0][n] + view[1][n] + view[2][n]) / 3) < 1e-6);
        double mean = (view[0][n] + view[1][n] + view[2][n]) / 3.0, squares = 0;
        for (int v = 0; v < 3; v++) squares += (view[v][n] - mean) * (view[v][n] - mean);
        CHECK(fabs(uncertainty[n] - sqrt(squares / 3)) < 1e-5);
        if (mask[n]) {
            if (n % NX < low) low = n % NX;
            if (n % NX > high) high = n % NX;
            sum += voxels[n];
        }
    }
    CHECK((int)found.voxels == count(mask) && found.voxels > 0 && found.voxels < VOXELS);
    CHECK(fabs(found.volume_ml - found.voxels * 15.0 / 1000) < 1e-9);
    CHECK((int)found.box_start[0] == low && (int)found.box_size[0] == high - low + 1);
    CHECK(fabs(found.mean_hu - sum / found.voxels) < 1e-6 && found.threshold == 0.5);
    /* With an identity direction in RAS the centroid lies among the voxels' positive coordinates. */
    CHECK(found.centroid[0] >= 0 && found.centroid[0] <= 2.0 * NX && found.centroid[1] >= 0 && found.seconds > 0);
    CHECK(found.device == GGPFN_DEVICE_CPU && found.precision == GGPFN_PRECISION_FLOAT32);

    /* The same mask and measurements from the probability that was kept, and fewer voxels at a higher threshold. */
    static uint8_t tried[VOXELS];
    ggpfn_measurements said;
    memset(&said, 0x5a, sizeof said);
    said.struct_size = sizeof said;
    OK(ggpfn_threshold(&image, probability, 0, 0, tried, &said));
    CHECK(memcmp(tried, mask, VOXELS) == 0 && said.voxels == found.voxels && said.components == found.components);
    CHECK(said.volume_ml == found.volume_ml && said.mean_hu == found.mean_hu && said.std_hu == found.std_hu);
    CHECK(memcmp(said.centroid, found.centroid, sizeof said.centroid) == 0);
    CHECK(memcmp(said.box_start, found.box_start, sizeof said.box_start) == 0 && said.box_size[2] == found.box_size[2]);
    CHECK(said.threshold == 0.5 && said.seconds == 0 && said.device == 0 && said.view_weights[0] == 0);
    OK(ggpfn_threshold(&image, probability, 0.55, 1, tried, NULL));
    for (int n = 0; n < VOXELS; n++) CHECK(!tried[n] || probability[n] >= 0.55f);
    OK(ggpfn_threshold(&image, probability, 1.0, 0, NULL, &said));
    CHECK(said.voxels == 0 && said.mean_hu != said.mean_hu && said.box_size[0] == 0);
    CHECK(ggpfn_threshold(&image, probability, 1.5, 0, tried, NULL) == GGPFN_ERROR_ARGUMENT);
    CHECK(ggpfn_threshold(&image, probability, 0.5, 0, NULL, NULL) == GGPFN_ERROR_ARGUMENT);

    /* Fusion by hand, the same sum. */
    double weights[3] = {1, 1, 1};
    OK(ggpfn_fuse(view[0], view[1], view[2], weights, VOXELS, 0.5, fused, fused_mask));
    CHECK(memcmp(fused_mask, mask, VOXELS) == 0 && memcmp(fused, probability, sizeof fused) == 0);
    float a[2] = {0.25f, 1.0f}, b[2] = {0.75f, 0.0f}, c[2];
    double two[3] = {3, 9, 1};
    OK(ggpfn_fuse(a, NULL, b, two, 2, 0, c, NULL));
    CHECK(fabs(c[0] - 0.375) < 1e-7 && fabs(c[1] - 0.75) < 1e-7);
    CHECK(ggpfn_fuse(NULL, NULL, NULL, NULL, 2, 0, c, NULL) == GGPFN_ERROR_ARGUMENT);

    /* One view, patches, a region, the largest part. */
    options.views = 1 << GGPFN_CORONAL;
    result = mask_only(mask);
    result.probability.data = probability;
    result.probability.data_bytes = sizeof probability;
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    for (int n = 0; n < VOXELS; n++) CHECK(fabs(probability[n] - view[2][n]) < 1e-6);
    result.view_probability[0].data = view[0];
    result.view_probability[0].data_bytes = sizeof view[0];
    CHECK(ggpfn_segment(model, &image, &options, &result, NULL) == GGPFN_ERROR_ARGUMENT);
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.patch[0] = options.patch[1] = 16;
    options.overlap = 8;
    options.largest_component = 1;
    result = mask_only(mask);
    result.measurements = &found;
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    CHECK(found.components <= 1);
    options.patch[0] = 12;
    CHECK(ggpfn_segment(model, &image, &options, &result, NULL) == GGPFN_ERROR_ARGUMENT);
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.region_start[0] = 4;
    for (int n = 0; n < 3; n++) options.region_size[n] = 8;
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    for (int n = 0; n < VOXELS; n++) {
        int inside = n % NX >= 4 && n % NX < 12 && n / NX % NY < 8 && n / (NX * NY) < 8;
        CHECK(inside || mask[n] == 0);
    }
    options.region_start[0] = 20;
    CHECK(ggpfn_segment(model, &image, &options, &result, NULL) == GGPFN_ERROR_ARGUMENT);

    ggpfn_memory little, much;
    little.struct_size = much.struct_size = sizeof little;
    OK(ggpfn_estimate_memory(model, &image, NULL, NULL, &little));
    image.data = NULL;
    for (int n = 0; n < 3; n++) image.size[n] *= 20;
    OK(ggpfn_estimate_memory(model, &image, NULL, NULL, &much));
    CHECK(little.host_bytes > 0 && much.host_bytes > (uint64_t)VOXELS * 8000 && much.device_bytes == 0);
}

static void masks_compared(void) {
    static uint8_t truth[VOXELS], prediction[VOXELS];
    memset(truth, 0, VOXELS);
    memset(prediction, 0, VOXELS);
    for (int n = 0; n < 10; n++) truth[NX * 5 + n + 2] = 1, prediction[NX * 5 + n + 7] = 255;
    ggpfn_image a = image_of(prediction, VOXELS, GGPFN_UINT8), b = image_of(truth, VOXELS, GGPFN_INT8);
    ggpfn_comparison found;
    found.struct_size = sizeof found;
    OK(ggpfn_evaluate(&a, &b, &found));
    CHECK(found.dice == 0.5 && found.precision == 0.5 && found.recall == 0.5 && fabs(found.jaccard - 1.0 / 3) < 1e-12);
    CHECK(fabs(found.truth_ml - 0.15) < 1e-12 && found.volume_error_percent == 0 && found.hausdorff95_mm > 0);
    memset(prediction, 0, VOXELS);
    OK(ggpfn_evaluate(&a, &b, &found));
    CHECK(found.dice == 0 && isnan(found.precision) && isnan(found.mean_surface_mm));
    a.origin[0] = 1;
    CHECK(ggpfn_evaluate(&a, &b, &found) == GGPFN_ERROR_ARGUMENT);
}

struct Watch {
    pthread_t caller;
    double last;
    int calls, stop_at;
};

static int32_t watch(const ggpfn_progress *progress, void *user_data) {
    struct Watch *seen = user_data;
    CHECK(pthread_equal(pthread_self(), seen->caller));
    CHECK(progress->struct_size >= sizeof *progress && progress->fraction >= seen->last && progress->fraction <= 1);
    seen->last = progress->fraction;
    seen->calls++;
    return seen->calls != seen->stop_at;
}

static void *cancels(void *monitor) {
    OK(ggpfn_monitor_cancel(monitor));
    return NULL;
}

static void *frees(void *model) {
    ggpfn_model_free(model);
    return NULL;
}

static int32_t free_meanwhile(const ggpfn_progress *progress, void *user_data) {
    pthread_t thread;
    (void)progress;
    CHECK(pthread_create(&thread, NULL, frees, *(void **)user_data) == 0 && pthread_join(thread, NULL) == 0);
    return 1;
}

static void progress_and_cancel(const ggpfn_model *model) {
    static uint8_t mask[VOXELS];
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    ggpfn_result result = mask_only(mask);
    ggpfn_monitor *monitor = NULL;
    OK(ggpfn_monitor_new(&monitor));
    ggpfn_progress now;
    now.struct_size = sizeof now;
    OK(ggpfn_monitor_progress(monitor, &now));
    CHECK(now.fraction == 0);
    struct Watch seen = {pthread_self(), 0, 0, -1};
    OK(ggpfn_monitor_set_callback(monitor, watch, &seen));
    OK(ggpfn_segment(model, &image, NULL, &result, monitor));
    CHECK(seen.calls > 3 && seen.last == 1);
    OK(ggpfn_monitor_progress(monitor, &now));
    CHECK(now.fraction == 1);

    /* A callback that returns 0, and another thread, both stop it; the mask stays; after a reset it works again. */
    memset(mask, 7, VOXELS);
    seen = (struct Watch){pthread_self(), 0, 0, 2};
    CHECK(ggpfn_segment(model, &image, NULL, &result, monitor) == GGPFN_ERROR_CANCELLED);
    int32_t cancelled = 0;
    OK(ggpfn_monitor_is_cancelled(monitor, &cancelled));
    CHECK(cancelled == 1 && mask[0] == 7 && mask[VOXELS - 1] == 7);
    OK(ggpfn_monitor_reset(monitor));
    seen = (struct Watch){pthread_self(), 0, 0, -1};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, cancels, monitor) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(ggpfn_segment(model, &image, NULL, &result, monitor) == GGPFN_ERROR_CANCELLED);
    OK(ggpfn_monitor_reset(monitor));
    OK(ggpfn_monitor_set_callback(monitor, NULL, NULL));
    OK(ggpfn_segment(model, &image, NULL, &result, monitor));
    CHECK(memcmp(mask, reference, VOXELS) == 0);

    /* A model freed while it is at work. */
    ggpfn_model *mortal = tiny();
    OK(ggpfn_monitor_set_callback(monitor, free_meanwhile, &mortal));
    OK(ggpfn_segment(mortal, &image, NULL, &result, monitor));
    CHECK(memcmp(mask, reference, VOXELS) == 0);
    CHECK(ggpfn_segment(mortal, &image, NULL, &result, NULL) == GGPFN_ERROR_ARGUMENT);
    ggpfn_monitor_free(monitor);
}

static int messages;

static void hear(int32_t level, const char *message, void *user_data) {
    CHECK(user_data == &messages && level >= GGPFN_LOG_ERROR && level <= GGPFN_LOG_DEBUG && strlen(message) > 0);
    messages++;
}

/* Old programs know shorter structs, newer ones longer. */
static void struct_sizes(const ggpfn_model *model) {
    struct {
        ggpfn_segment_options known;
        double more[20];
    } newer;
    static uint8_t mask[VOXELS];
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    ggpfn_result result = mask_only(mask);
    memset(&newer, 0, sizeof newer);
    newer.known.struct_size = sizeof newer;
    char text[300];
    CHECK(ggpfn_segment(model, &image, &newer.known, &result, NULL) == GGPFN_ERROR_ARGUMENT);
    OK(ggpfn_last_error(text, sizeof text, NULL));
    CHECK(strstr(text, "newer"));
    newer.known.struct_size = 0;
    CHECK(ggpfn_segment(model, &image, &newer.known, &result, NULL) == GGPFN_ERROR_ARGUMENT);
}

#define SCHEDULE \
    "views = [\"axial\"]\nt = 2\nwidths = [4, 4, 4, 4]\nglobal_widths = [4, 4, 4, 4, 4]\nglobal_size = {axial = [32, 32]}\n" \
    "patch = {axial = [16, 16]}\nview_weights = {axial = 1.0}\nspacing = [3.0, 2.5, 2.0]\nthreads = 1\nloader_threads = 1\n" \
    "validate_every = 1\n[global]\nepochs = 1\nbatch = 1\n[local]\nepochs = 2\nbatch = 1\n[whole]\nepochs = 1\nbatch = 1\n"

static ggpfn_training *described(const ggpfn_image *image, const ggpfn_image *mask) {
    ggpfn_training *training = NULL;
    OK(ggpfn_training_new(SCHEDULE, &training));
    OK(ggpfn_training_set_device(training, GGPFN_DEVICE_CPU, 0));
    OK(ggpfn_training_add_case(training, "first", image, mask, GGPFN_TRAIN));
    OK(ggpfn_training_add_case(training, "second", image, mask, GGPFN_TRAIN));
    OK(ggpfn_training_add_case(training, "third", image, mask, GGPFN_VALIDATE));
    return training;
}

static int32_t hear_losses(const ggpfn_progress *progress, void *user_data) {
    CHECK(progress->view == GGPFN_AXIAL && progress->stage >= 0 && progress->epoch >= 1 && progress->loss > 0);
    ++*(int *)user_data;
    return 1;
}

static void trainings(void) {
    static uint8_t truth[VOXELS], mask[VOXELS];
    for (int n = 0; n < VOXELS; n++) truth[n] = voxels[n] == 120;
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16), label = image_of(truth, VOXELS, GGPFN_UINT8);
    ggpfn_training *training = described(&image, &label);
    char text[4000];
    OK(ggpfn_training_options(training, text, sizeof text, NULL));
    CHECK(strstr(text, "validate_every = 1"));

    ggpfn_monitor *monitor = NULL;
    OK(ggpfn_monitor_new(&monitor));
    int steps = 0;
    OK(ggpfn_monitor_set_callback(monitor, hear_losses, &steps));
    ggpfn_model *model = NULL, *again = NULL, *tuned = NULL;
    ggpfn_training_result result;
    result.struct_size = sizeof result;
    OK(ggpfn_training_run(training, monitor, &model, &result));
    CHECK(result.end == GGPFN_END_DONE && result.cases == 2 && steps >= 12 && !isnan(result.dice[0]) && isnan(result.dice[1]));
    OK(ggpfn_training_run(training, NULL, &again, NULL));
    ggpfn_model_info one, two;
    one.struct_size = two.struct_size = sizeof one;
    OK(ggpfn_model_describe(model, &one));
    OK(ggpfn_model_describe(again, &two));
    CHECK(strcmp(one.sha256, two.sha256) == 0);
    image.spacing[0] = 2.0;
    ggpfn_result into = mask_only(mask);
    OK(ggpfn_segment(model, &image, NULL, &into, NULL));

    /* Cancelled before its first step: it still gives what it has, and says so. */
    OK(ggpfn_monitor_cancel(monitor));
    ggpfn_model *early = NULL;
    OK(ggpfn_training_run(training, monitor, &early, &result));
    CHECK(result.end == GGPFN_END_CANCELLED);
    ggpfn_model_free(early);

    /* Fine-tuning. */
    ggpfn_training *tuning = NULL;
    OK(ggpfn_training_new(SCHEDULE, &tuning));
    OK(ggpfn_training_set_model(tuning, model, 0));
    CHECK(ggpfn_training_run(tuning, NULL, &tuned, NULL) == GGPFN_ERROR_ARGUMENT);
    OK(ggpfn_training_add_case(tuning, "corrected", &image, &label, GGPFN_TRAIN));
    CHECK(ggpfn_training_set_model(tuning, model, 0) == GGPFN_ERROR_ARGUMENT);
    OK(ggpfn_training_run(tuning, NULL, &tuned, NULL));
    ggpfn_training_free(tuning);

    /* A step in two halves: gradients read and written back change nothing. */
    ggpfn_trainer *left = NULL, *right = NULL;
    OK(ggpfn_trainer_new(training, GGPFN_AXIAL, GGPFN_STAGE_LOCAL, 0, 1, &left));
    OK(ggpfn_trainer_new(training, GGPFN_AXIAL, GGPFN_STAGE_LOCAL, 0, 1, &right));
    CHECK(ggpfn_trainer_new(training, GGPFN_SAGITTAL, GGPFN_STAGE_LOCAL, 0, 1, &right) == GGPFN_ERROR_ARGUMENT);
    CHECK(ggpfn_trainer_new(training, GGPFN_AXIAL, GGPFN_STAGE_LOCAL, 1, 1, &right) == GGPFN_ERROR_ARGUMENT);
    size_t length = 0, others = 0;
    OK(ggpfn_trainer_length(left, GGPFN_PARAMETERS, &length));
    OK(ggpfn_trainer_length(left, GGPFN_STATISTICS, &others));
    CHECK(length == one.parameters && others > 0 && others != length);
    float *a = malloc(length * sizeof *a), *b = malloc(length * sizeof *b);
    for (int step = 0; step < 3; step++) {
        ggpfn_losses losses;
        losses.struct_size = sizeof losses;
        OK(ggpfn_trainer_gradients(left, &losses));
        CHECK(losses.total > 0 && isnan(losses.global) && losses.batch == (uint64_t)step);
        OK(ggpfn_trainer_gradients(right, NULL));
        OK(ggpfn_trainer_read(right, GGPFN_GRADIENTS, a, length));
        OK(ggpfn_trainer_write(right, GGPFN_GRADIENTS, a, length));
        OK(ggpfn_trainer_update(left, 1e-3));
        OK(ggpfn_trainer_update(right, 1e-3));
    }
    OK(ggpfn_trainer_read(left, GGPFN_PARAMETERS, a, length));
    OK(ggpfn_trainer_read(right, GGPFN_PARAMETERS, b, length));
    CHECK(memcmp(a, b, length * sizeof *a) == 0);
    CHECK(ggpfn_trainer_read(left, GGPFN_PARAMETERS, a, length - 1) == GGPFN_ERROR_ARGUMENT);
    CHECK(ggpfn_trainer_read(left, 9, a, length) == GGPFN_ERROR_ARGUMENT);
    CHECK(ggpfn_trainer_update(left, -1) == GGPFN_ERROR_ARGUMENT);
    ggpfn_trainer_free(left);
    left = NULL;
    /* The second of two processes begins with the second batch. */
    OK(ggpfn_trainer_new(training, GGPFN_AXIAL, GGPFN_STAGE_WHOLE, 1, 2, &left));
    ggpfn_losses losses;
    losses.struct_size = sizeof losses;
    OK(ggpfn_trainer_gradients(left, &losses));
    CHECK(losses.batch == 1 && !isnan(losses.global));
    OK(ggpfn_trainer_gradients(left, &losses));
    CHECK(losses.batch == 3);
    ggpfn_model *stepped = NULL;
    OK(ggpfn_trainer_model(left, &stepped));
    ggpfn_model_free(stepped);
    free(a);
    free(b);
    ggpfn_trainer_free(left);
    ggpfn_trainer_free(right);
    ggpfn_model_free(model);
    ggpfn_model_free(again);
    ggpfn_model_free(tuned);
    ggpfn_monitor_free(monitor);
    ggpfn_training_free(training);
}

int main(int count_of_arguments, char **arguments) {
    fill(voxels);
    versions_and_errors();
    OK(ggpfn_log_set(hear, GGPFN_LOG_DEBUG, &messages));
    models();
    ggpfn_model *model = tiny();
    ggpfn_image image = image_of(voxels, sizeof voxels, GGPFN_INT16);
    segment(model, &image, reference);
    CHECK(count(reference) > 50 && count(reference) < VOXELS - 50);
    images(model);
    options_and_results(model);
    masks_compared();
    progress_and_cancel(model);
    struct_sizes(model);
    if (count_of_arguments < 2 || strcmp(arguments[1], "short") != 0) trainings();
    OK(ggpfn_log_set(NULL, 0, NULL));
    ggpfn_model_free(model);
    puts("behaviour: all checks hold");
    return 0;
}
