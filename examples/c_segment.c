/* Segments the pancreas in a file of raw voxels.
 *
 *     cc -std=c99 c_segment.c -I ../include -L ../target/release -lggpfn
 *         -Wl,-rpath,$PWD/../target/release -Wl,--allow-shlib-undefined -o c_segment
 *     ./c_segment ct.raw 512 512 100 0.8 0.8 2.5 mask.raw [model.safetensors]
 *
 * The file holds 16-bit integers, Hounsfield units, x fastest; x grows to the patient's left, y to the back, z to the head. A negative spacing
 * turns its axis round. The mask has a byte for each voxel: 1 is pancreas. */

#include <ggpfn.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
    char text[500];
    ggpfn_last_error(text, sizeof text, NULL);
    fprintf(stderr, "%s: %s\n", what, text);
    return 1;
}

static int32_t show(const ggpfn_progress *progress, void *user_data) {
    (void)user_data;
    fprintf(stderr, "\r%-20s %3.0f %%", progress->phase, 100 * progress->fraction);
    return 1; /* 0 would stop the work */
}

int main(int count, char **arguments) {
    if (count != 9 && count != 10) {
        fprintf(stderr, "usage: c_segment CT.raw NX NY NZ SX SY SZ MASK.raw [MODEL]\n");
        return 2;
    }
    ggpfn_image image;
    if (ggpfn_image_init(&image, sizeof image) != GGPFN_OK) return fail("image");
    size_t voxels = 1;
    for (int axis = 0; axis < 3; axis++) {
        double spacing = atof(arguments[5 + axis]);
        image.size[axis] = (size_t)atol(arguments[2 + axis]);
        image.spacing[axis] = spacing < 0 ? -spacing : spacing;
        image.direction[4 * axis] = spacing < 0 ? -1 : 1;
        voxels *= image.size[axis];
    }
    int16_t *values = malloc(voxels * sizeof *values);
    uint8_t *mask = malloc(voxels);
    FILE *file = fopen(arguments[1], "rb");
    if (values == NULL || mask == NULL || file == NULL || fread(values, sizeof *values, voxels, file) != voxels) {
        fprintf(stderr, "%s does not hold %zu voxels\n", arguments[1], voxels);
        return 1;
    }
    fclose(file);
    image.data = values;
    image.data_bytes = voxels * sizeof *values;
    image.dtype = GGPFN_INT16;

    ggpfn_model *model = NULL;
    ggpfn_status status = count == 10 ? ggpfn_model_load(arguments[9], &model) : ggpfn_model_shipped(&model);
    if (status != GGPFN_OK) return fail("model");
    ggpfn_monitor *monitor = NULL;
    if (ggpfn_monitor_new(&monitor) != GGPFN_OK || ggpfn_monitor_set_callback(monitor, show, NULL) != GGPFN_OK)
        return fail("monitor");

    ggpfn_measurements found = {.struct_size = sizeof found};
    ggpfn_result result = {.struct_size = sizeof result};
    result.mask.data = mask;
    result.mask.data_bytes = voxels;
    result.measurements = &found;
    status = ggpfn_segment(model, &image, NULL, &result, monitor);
    fprintf(stderr, "\n");
    if (status != GGPFN_OK) return fail("segmentation");

    file = fopen(arguments[8], "wb");
    if (file == NULL || fwrite(mask, 1, voxels, file) != voxels || fclose(file) != 0) {
        fprintf(stderr, "%s cannot be written\n", arguments[8]);
        return 1;
    }
    printf("%.1f mL in %d part(s), %.0f HU on average, %.1f s\n", found.volume_ml, (int)found.components, found.mean_hu,
           found.seconds);
    ggpfn_monitor_free(monitor);
    ggpfn_model_free(model);
    free(values);
    free(mask);
    return 0;
}
