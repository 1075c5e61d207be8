/* Trains a tiny network on two cases in memory, watches loss and Dice, saves it, and segments with it.
 *
 *     cc -std=c99 c_train.c -I ../include -L ../target/release -lggpfn
 *         -Wl,-rpath,$PWD/../target/release -Wl,--allow-shlib-undefined -lm -o c_train
 *     ./c_train model.safetensors
 *
 * The cases are made up: a bright ball in noise. Yours are CTs and masks in your program's memory. */

#include <ggpfn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 32, VOXELS = SIDE * SIDE * SIDE };

static int fail(const char *what) {
    char text[500];
    ggpfn_last_error(text, sizeof text, NULL);
    fprintf(stderr, "%s: %s\n", what, text);
    return 1;
}

/* A ball of 100 HU about a centre, in noise around 0. */
static void make_case(double centre, int16_t *voxels, uint8_t *mask) {
    for (int n = 0; n < VOXELS; n++) {
        double x = n % SIDE - centre, y = n / SIDE % SIDE - 16.0, z = n / (SIDE * SIDE) - 15.0;
        mask[n] = x * x + y * y + z * z < 49;
        voxels[n] = (int16_t)(mask[n] * 100 + (n * 7919LL) % 61 - 30);
    }
}

static ggpfn_image describe(const void *data, size_t bytes, int32_t dtype) {
    ggpfn_image image;
    ggpfn_image_init(&image, sizeof image);
    image.data = data;
    image.data_bytes = bytes;
    image.dtype = dtype;
    for (int axis = 0; axis < 3; axis++) {
        image.size[axis] = SIDE;
        image.spacing[axis] = 2.0;
    }
    return image;
}

static int32_t show(const ggpfn_progress *progress, void *user_data) {
    (void)user_data;
    if (!isnan(progress->dice))
        printf("%s, epoch %d of %d: loss %.4f, Dice %.3f\n", progress->phase, (int)progress->epoch,
               (int)progress->epochs, progress->loss, progress->dice);
    return 1;
}

/* What is left out is the preset's; see `ggpfn train --help`. */
static const char options[] =
    "preset = \"small\"\n"
    "views = [\"axial\"]\nview_weights = {axial = 1.0}\nspacing = [2.0, 2.0, 2.0]\n"
    "t = 2\nwidths = [8, 8, 8, 8]\nglobal_guidance = false\npatch = {axial = [32, 32]}\nvalidate_every = 5\n"
    "[local]\nepochs = 30\nbatch = 2\nlearning_rate = 1e-2\n";

int main(int count, char **arguments) {
    static int16_t voxels[2][VOXELS];
    static uint8_t masks[2][VOXELS], found[VOXELS];
    ggpfn_training *training = NULL;
    ggpfn_monitor *monitor = NULL;
    ggpfn_model *model = NULL;
    if (ggpfn_training_new(options, &training) != GGPFN_OK) return fail("options");
    for (int n = 0; n < 2; n++) {
        make_case(12 + 8 * n, voxels[n], masks[n]);
        ggpfn_image image = describe(voxels[n], sizeof voxels[n], GGPFN_INT16);
        ggpfn_image mask = describe(masks[n], sizeof masks[n], GGPFN_UINT8);
        /* Two cases are few: each is trained on and validated on. */
        if (ggpfn_training_add_case(training, n ? "right" : "left", &image, &mask, GGPFN_TRAIN) != GGPFN_OK ||
            ggpfn_training_add_case(training, n ? "right" : "left", &image, &mask, GGPFN_VALIDATE) != GGPFN_OK)
            return fail("case");
    }
    if (ggpfn_monitor_new(&monitor) != GGPFN_OK || ggpfn_monitor_set_callback(monitor, show, NULL) != GGPFN_OK)
        return fail("monitor");
    ggpfn_training_result result = {.struct_size = sizeof result};
    if (ggpfn_training_run(training, monitor, &model, &result) != GGPFN_OK) return fail("training");
    if (count > 1 && ggpfn_model_save(model, arguments[1], GGPFN_WEIGHTS_FLOAT16) != GGPFN_OK) return fail("saving");

    ggpfn_image image = describe(voxels[0], sizeof voxels[0], GGPFN_INT16);
    ggpfn_image mask = describe(found, sizeof found, GGPFN_UINT8), truth = describe(masks[0], sizeof masks[0], GGPFN_UINT8);
    ggpfn_result into = {.struct_size = sizeof into};
    ggpfn_comparison comparison = {.struct_size = sizeof comparison};
    into.mask.data = found;
    into.mask.data_bytes = sizeof found;
    if (ggpfn_segment(model, &image, NULL, &into, NULL) != GGPFN_OK) return fail("segmentation");
    if (ggpfn_evaluate(&mask, &truth, &comparison) != GGPFN_OK) return fail("evaluation");
    printf("best validation Dice %.3f; Dice of a segmentation %.3f\n", result.dice[GGPFN_AXIAL], comparison.dice);
    ggpfn_model_free(model);
    ggpfn_monitor_free(monitor);
    ggpfn_training_free(training);
    return comparison.dice > 0.5 ? 0 : 1;
}
