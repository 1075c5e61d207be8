"""The C interface of libggpfn for ctypes: constants, structs, and the prototypes of all functions.

Made from include/ggpfn.h by tools/make_abi.py; change it there. Importing this loads no library. Handles
(ggpfn_model, ggpfn_monitor, ggpfn_trainer, ggpfn_training) are plain c_void_p: the library checks them itself.
"""

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

# The version of the header that this file was made from.
VERSION = "0.1.0"

# Success.
GGPFN_OK = 0

# A pointer was NULL that must not be, or an option, a size or a handle has a value that cannot be used.
GGPFN_ERROR_ARGUMENT = 1

# The image cannot be segmented: its grid is unusable, voxels are not finite numbers, a file is no image.
GGPFN_ERROR_IMAGE = 2

# The model file is broken, or is not a model file.
GGPFN_ERROR_MODEL = 3

# The operating system refused to open, read, create or write a file.
GGPFN_ERROR_FILE = 4

# The device that was asked for is not there or cannot do what was asked.
GGPFN_ERROR_DEVICE = 5

# More memory would be needed than there is, on the GPU or in the machine; the message says how much and what needs
# less.
GGPFN_ERROR_MEMORY = 6

# libtorch reported an error.
GGPFN_ERROR_TORCH = 7

# The training cannot go on: its loss is not a number, a checkpoint does not fit.
GGPFN_ERROR_TRAINING = 8

# The work was cancelled, by the monitor or by a callback that returned 0.
GGPFN_ERROR_CANCELLED = 9

# The process runs on another libtorch than this library was built for, brought by its host.
GGPFN_ERROR_RUNTIME = 10

# The text or file does not fit into the buffer; the length that is needed was written.
GGPFN_ERROR_BUFFER = 11

# Another thread is using a handle that one thread at a time may use.
GGPFN_ERROR_BUSY = 12

# A fault of the library's own; please report it with the message.
GGPFN_ERROR_INTERNAL = 13

# The process was forked from one in which the library had worked already; its threads, and libtorch's, are not in this
# one. Fork before the first segmentation, evaluation or training, or start a new program. Handles cannot be used;
# freeing them does nothing.
GGPFN_ERROR_FORK = 14

# The version of the interface that a program is compiled with. It changes when a program has to be compiled anew; the
# library file's name carries it.
GGPFN_ABI_VERSION = 0

# The version that a program is compiled with: major.
GGPFN_VERSION_MAJOR = 0

# The version that a program is compiled with: minor.
GGPFN_VERSION_MINOR = 1

# The version that a program is compiled with: patch.
GGPFN_VERSION_PATCH = 0

# Log level: the work failed, or is about to.
GGPFN_LOG_ERROR = 1

# Log level: the work goes on, but a person should know.
GGPFN_LOG_WARNING = 2

# Log level: what was decided for the caller.
GGPFN_LOG_INFO = 3

# Log level: details for whoever looks for a fault.
GGPFN_LOG_DEBUG = 4

# The axial view, across the body's long axis.
GGPFN_AXIAL = 0

# The sagittal view, from right to left.
GGPFN_SAGITTAL = 1

# The coronal view, from front to back.
GGPFN_CORONAL = 2

# Weights are stored as 32-bit floats.
GGPFN_WEIGHTS_FLOAT32 = 0

# Weights are stored as 16-bit IEEE floats.
GGPFN_WEIGHTS_FLOAT16 = 1

# Weights are stored as bfloat16.
GGPFN_WEIGHTS_BFLOAT16 = 2

# Voxels of 8 bits, signed.
GGPFN_INT8 = 1

# Voxels of 8 bits, unsigned.
GGPFN_UINT8 = 2

# Voxels of 16 bits, signed: what CT scanners give.
GGPFN_INT16 = 3

# Voxels of 16 bits, unsigned.
GGPFN_UINT16 = 4

# Voxels of 32 bits, signed.
GGPFN_INT32 = 5

# Voxels of 32 bits, unsigned.
GGPFN_UINT32 = 6

# Voxels of 64 bits, signed.
GGPFN_INT64 = 7

# Voxels of 64 bits, unsigned.
GGPFN_UINT64 = 8

# Voxels of 32 bits, floating point.
GGPFN_FLOAT32 = 9

# Voxels of 64 bits, floating point.
GGPFN_FLOAT64 = 10

# Coordinates grow to the patient's Left, Posterior, Superior: ITK, DICOM. The default.
GGPFN_LPS = 0

# Coordinates grow to the patient's Right, Anterior, Superior: 3D Slicer, NIfTI.
GGPFN_RAS = 1

# The first GPU if there is a usable one, otherwise the processor.
GGPFN_DEVICE_AUTO = 0

# The processor.
GGPFN_DEVICE_CPU = 1

# The CUDA GPU of the number `device_index`.
GGPFN_DEVICE_CUDA = 2

# bfloat16 where the device is fast at it, otherwise float32.
GGPFN_PRECISION_AUTO = 0

# float32.
GGPFN_PRECISION_FLOAT32 = 1

# bfloat16 with float32 sums; probabilities differ by up to about 0.01.
GGPFN_PRECISION_BFLOAT16 = 2

# The mask is empty.
GGPFN_WARNING_NOTHING_FOUND = 1

# The mask is smaller than an adult's pancreas.
GGPFN_WARNING_SMALL_VOLUME = 2

# The mask is larger than a pancreas.
GGPFN_WARNING_LARGE_VOLUME = 3

# The views' masks have little in common.
GGPFN_WARNING_VIEWS_DISAGREE = 4

# The mask has many connected components.
GGPFN_WARNING_MANY_PARTS = 5

# The mask touches the border: the pancreas may go on beyond it.
GGPFN_WARNING_CUT_OFF = 6

# The scan does not seem to cover the upper abdomen.
GGPFN_WARNING_NOT_COVERED = 7

# Most of the mask is no soft tissue.
GGPFN_WARNING_NOT_SOFT_TISSUE = 8

# The voxels are not Hounsfield units.
GGPFN_WARNING_NOT_HOUNSFIELD = 9

# The voxels' size, or the body's, is not possible.
GGPFN_WARNING_VOXEL_SIZE = 10

# The slices are too far apart.
GGPFN_WARNING_THICK_SLICES = 11

# Voxels that are not numbers (NaN) were taken for air.
GGPFN_WARNING_UNMEASURED = 12

# A few voxels have values that nothing in a CT has.
GGPFN_WARNING_STRAY_VALUES = 13

# The network learns from the case.
GGPFN_TRAIN = 0

# The case chooses the best weights.
GGPFN_VALIDATE = 1

# Stage 1, the global branch alone.
GGPFN_STAGE_GLOBAL = 0

# Stage 2, the progressive fusion network alone.
GGPFN_STAGE_LOCAL = 1

# Stage 3, the whole network.
GGPFN_STAGE_WHOLE = 2

# RSTN's first stage: the fine network sees the plain image.
GGPFN_STAGE_SEPARATE = 3

# RSTN's second stage: it sees the image times its saliency, cropped by the truth.
GGPFN_STAGE_INDIVIDUAL = 4

# RSTN's third stage: it sees that, cropped by what the coarse network found.
GGPFN_STAGE_JOINT = 5

# All stages are done.
GGPFN_END_DONE = 0

# The time was up; the training can be taken up again from its folder.
GGPFN_END_OUT_OF_TIME = 1

# It was cancelled; it can be taken up again from its folder.
GGPFN_END_CANCELLED = 2

# The parameters, in the order of the model file's layer table.
GGPFN_PARAMETERS = 0

# The gradients that the first half of a step left, and that the second half uses.
GGPFN_GRADIENTS = 1

# Batch normalisation's running means and variances, which no gradient changes: average them too before a model is
# taken.
GGPFN_STATISTICS = 2


class ggpfn_runtime(Structure):
    """What libtorch and the machine can do.

    struct_size (c_size_t): sizeof(ggpfn_runtime).
    built_for (c_char * 32): The libtorch that the library was built for, "2.11.0".
    loaded (c_char * 32): The libtorch in this process; "unknown" if it does not say.
    wrong_libtorch (c_int32): Whether the two differ, 1 or 0. Then functions that need libtorch return
        GGPFN_ERROR_RUNTIME.
    cpu_bfloat16 (c_int32): Whether the processor computes bfloat16 faster than float32.
    gpu_driver (c_int32): Whether an NVIDIA driver is present.
    gpus (c_int32): GPUs that can be used; -1 if that was not asked for.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("built_for", c_char * 32),
        ("loaded", c_char * 32),
        ("wrong_libtorch", c_int32),
        ("cpu_bfloat16", c_int32),
        ("gpu_driver", c_int32),
        ("gpus", c_int32),
    ]


# Hears a message: its level, GGPFN_LOG_ERROR to GGPFN_LOG_DEBUG, and its text, UTF-8, valid during the call alone. It
# is called from any thread, also from several at once. It must not throw or jump out, nor call the library.
ggpfn_log_callback = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)


class ggpfn_progress(Structure):
    """How far long work is. What does not apply is -1, or NaN.

    struct_size (c_size_t): sizeof(ggpfn_progress). In a callback: as the library knows it.
    fraction (c_double): The part of the work that is done, 0 to 1; never falls.
    seconds_left (c_double): An estimate of the seconds left; NaN while there is none.
    phase (c_char * 64): What is being done, in English, with a NUL at its end: "axial view".
    view (c_int32): The view under way: GGPFN_AXIAL, GGPFN_SAGITTAL or GGPFN_CORONAL.
    stage (c_int32): Training: the stage, GGPFN_STAGE_GLOBAL, _LOCAL or _WHOLE, or one of another network's.
    epoch (c_int32): Training: the epoch of the stage, from 1.
    epochs (c_int32): Training: epochs of the stage.
    batch (c_int32): Training: batches of the epoch that are done.
    batches (c_int32): Training: batches of an epoch.
    loss (c_double): Training: the step's loss.
    dice (c_double): Training: the view's validation Dice, where this report is a validation's.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("fraction", c_double),
        ("seconds_left", c_double),
        ("phase", c_char * 64),
        ("view", c_int32),
        ("stage", c_int32),
        ("epoch", c_int32),
        ("epochs", c_int32),
        ("batch", c_int32),
        ("batches", c_int32),
        ("loss", c_double),
        ("dice", c_double),
    ]


# Hears how far the work is, on the thread that started it, while that waits. Returns 0 to stop the work, anything else
# to go on. It must not throw or jump out, may call any function of the library, and should return soon: reports wait
# for it, the work does not. `progress` is valid during the call alone.
ggpfn_progress_callback = CFUNCTYPE(c_int32, POINTER(ggpfn_progress), c_void_p)


class ggpfn_model_info(Structure):
    """What a model is.

    struct_size (c_size_t): sizeof(ggpfn_model_info).
    parameters (c_uint64): Parameters of one view's network.
    views (c_int32): Bit 1 << GGPFN_AXIAL and so on: the views that it has a network for.
    t (c_int32): T: a slice's probability comes from 2T + 1 slices.
    progressive (c_int32): Whether slices are fused progressively (1) or at once (0).
    global_guidance (c_int32): Whether there is global guidance.
    window (c_double * 2): Hounsfield units that map to 0 and 1.
    spacing (c_double * 3): The working spacing in mm along x, y and z of the LPS frame; all 0: each image's own grid.
    view_weights (c_double * 3): The weights of the axial, sagittal and coronal view in the fusion; 0 for a view that it
        does not have.
    threshold (c_double): Probabilities from here on are pancreas.
    sha256 (c_char * 72): SHA-256 of the file's bytes, in hexadecimal, with a NUL at its end; 7 bytes of zeros follow.
    label_count (c_uint64): How many labels it segments; ggpfn_model_label describes them.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("parameters", c_uint64),
        ("views", c_int32),
        ("t", c_int32),
        ("progressive", c_int32),
        ("global_guidance", c_int32),
        ("window", c_double * 2),
        ("spacing", c_double * 3),
        ("view_weights", c_double * 3),
        ("threshold", c_double),
        ("sha256", c_char * 72),
        ("label_count", c_uint64),
    ]


class ggpfn_label(Structure):
    """One of the structures that a model segments.

    struct_size (c_size_t): sizeof(ggpfn_label).
    threshold (c_double): Probabilities from here on are this label.
    value (c_int32): Its value in a label map, 1 to 255.
    colour (c_int32): Red, green and blue to show it in: 0xRRGGBB.
    name (c_char * 64): Its name in UTF-8, with a NUL at its end.
    code_value (c_char * 32): What it is: a code's value, its scheme (SCT: SNOMED CT) and its meaning in English, each
        with a NUL at its end; empty: unknown.
    code_scheme (c_char * 16): The code's scheme.
    code_meaning (c_char * 64): The code's meaning.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("threshold", c_double),
        ("value", c_int32),
        ("colour", c_int32),
        ("name", c_char * 64),
        ("code_value", c_char * 32),
        ("code_scheme", c_char * 16),
        ("code_meaning", c_char * 64),
    ]


class ggpfn_image(Structure):
    """A 3D image in the caller's memory. Voxels are Hounsfield units; in masks, what is not 0 is inside.

    Voxel (i, j, k) lies at `data + i * strides[0] + j * strides[1] + k * strides[2]`, and its centre in the patient at
    `origin + direction * (spacing * (i, j, k))`, in mm. The library reads the voxels during the call alone and never
    writes them. They need not be aligned.

    struct_size (c_size_t): sizeof(ggpfn_image).
    data (c_void_p): The voxel (0, 0, 0).
    data_bytes (c_size_t): Bytes of the buffer, from its lowest to its highest voxel; strides that reach further are
        refused.
    dtype (c_int32): GGPFN_INT8 to GGPFN_FLOAT64.
    frame (c_int32): The frame of origin and direction: GGPFN_LPS or GGPFN_RAS.
    size (c_size_t * 3): Number of voxels along i, j and k.
    strides (c_int64 * 3): Bytes from a voxel to the next one along i, j and k; negative ones are allowed. All 0: dense,
        i fastest.
    spacing (c_double * 3): Distance between neighbouring voxels along i, j and k, in mm.
    origin (c_double * 3): Centre of voxel (0, 0, 0), in mm.
    direction (c_double * 9): 3 x 3, row after row; its columns are the unit vectors of i, j and k.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("data", c_void_p),
        ("data_bytes", c_size_t),
        ("dtype", c_int32),
        ("frame", c_int32),
        ("size", c_size_t * 3),
        ("strides", c_int64 * 3),
        ("spacing", c_double * 3),
        ("origin", c_double * 3),
        ("direction", c_double * 9),
    ]


class ggpfn_segment_options(Structure):
    """How an image is to be segmented. 0 in any field is its default: `ggpfn_segment_options options = {.struct_size =
    sizeof options};` is a good start.

    struct_size (c_size_t): sizeof(ggpfn_segment_options).
    views (c_int32): Bits 1 << GGPFN_AXIAL and so on: the views to compute. 0: all that the model has.
    device (c_int32): GGPFN_DEVICE_AUTO, GGPFN_DEVICE_CPU or GGPFN_DEVICE_CUDA.
    device_index (c_int32): The GPU's number, with GGPFN_DEVICE_CUDA.
    precision (c_int32): GGPFN_PRECISION_AUTO, GGPFN_PRECISION_FLOAT32 or GGPFN_PRECISION_BFLOAT16.
    threads (c_int32): Processor threads. 0: as many as there are processors. The last bits of a result may depend on
        it.
    block (c_int32): Slices that enter the network at a time. 0: chosen by their size. The result does not depend on it.
    patch (c_int32 * 2): Rows and columns of the patches that slices are cut into, multiples of 8, for GPUs with little
        memory. 0: whole slices.
    overlap (c_int32): Pixels by which patches overlap. 0: 64.
    largest_component (c_int32): Whether to keep the largest connected part of the mask alone.
    view_weights (c_double * 3): Weights of the axial, sagittal and coronal view, scaled to add up to 1 over the views
        computed. All 0: the model's.
    threshold (c_double): Probabilities from here on are pancreas, up to 1. 0: the model's threshold.
    region_start (c_size_t * 3): The first voxel (i, j, k) of the region to look at. Nothing outside of it is read or
        found: what lies there need not be numbers, nor memory that can be read.
    region_size (c_size_t * 3): Voxels of the region along i, j and k. All 0: the whole image.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("views", c_int32),
        ("device", c_int32),
        ("device_index", c_int32),
        ("precision", c_int32),
        ("threads", c_int32),
        ("block", c_int32),
        ("patch", c_int32 * 2),
        ("overlap", c_int32),
        ("largest_component", c_int32),
        ("view_weights", c_double * 3),
        ("threshold", c_double),
        ("region_start", c_size_t * 3),
        ("region_size", c_size_t * 3),
    ]


class ggpfn_output(Structure):
    """A result in the caller's memory, on the grid of the image. `data` NULL: not wanted.

    data (c_void_p): The voxel (0, 0, 0).
    data_bytes (c_size_t): Bytes of the buffer, from its lowest to its highest voxel.
    strides (c_int64 * 3): Bytes from a voxel to the next one along i, j and k. All 0: dense, i fastest.
    """

    _fields_ = [
        ("data", c_void_p),
        ("data_bytes", c_size_t),
        ("strides", c_int64 * 3),
    ]


class ggpfn_measurements(Structure):
    """What a mask says about the organ. What has no value, in an empty mask, is NaN.

    struct_size (c_size_t): sizeof(ggpfn_measurements).
    voxels (c_uint64): Voxels in the mask.
    components (c_uint64): Connected parts of the mask; voxels that touch by a corner are connected.
    volume_ml (c_double): Their volume in mL.
    box_start (c_uint64 * 3): The smallest index (i, j, k) in the mask.
    box_size (c_uint64 * 3): The bounding box's voxels along i, j and k; 0 for an empty mask.
    box_mm (c_double * 3): The bounding box's edges in mm along i, j and k.
    centroid (c_double * 3): The centroid in mm, in the frame of the image.
    mean_hu (c_double): Mean of the Hounsfield units in the mask.
    std_hu (c_double): Their standard deviation.
    threshold (c_double): The threshold that made the mask.
    view_weights (c_double * 3): The weights that the axial, sagittal and coronal view had; 0 for a view that was not
        computed.
    device (c_int32): Where the network ran: GGPFN_DEVICE_CPU or GGPFN_DEVICE_CUDA.
    precision (c_int32): GGPFN_PRECISION_FLOAT32 or GGPFN_PRECISION_BFLOAT16.
    seconds (c_double): Wall-clock seconds of the whole work.
    expected_dice (c_double): The Dice coefficient to expect against a manual segmentation, 0 to 1.
    doubtful (c_int32): Whether a person should look before the result is used: the expected Dice is low, or a warning
        is grave.
    warning_count (c_int32): How many warnings ggpfn_result_warning has on the calling thread.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("voxels", c_uint64),
        ("components", c_uint64),
        ("volume_ml", c_double),
        ("box_start", c_uint64 * 3),
        ("box_size", c_uint64 * 3),
        ("box_mm", c_double * 3),
        ("centroid", c_double * 3),
        ("mean_hu", c_double),
        ("std_hu", c_double),
        ("threshold", c_double),
        ("view_weights", c_double * 3),
        ("device", c_int32),
        ("precision", c_int32),
        ("seconds", c_double),
        ("expected_dice", c_double),
        ("doubtful", c_int32),
        ("warning_count", c_int32),
    ]


class ggpfn_label_result(Structure):
    """Where the results of one of a model's labels go.

    struct_size (c_size_t): sizeof(ggpfn_label_result).
    mask (ggpfn_output): uint8: 1 where the label is, 0 elsewhere.
    probability (ggpfn_output): float32: the label's fused probability, 0 to 1.
    measurements (POINTER(ggpfn_measurements)): NULL, or the measurements, with struct_size set. What is said of how far
        a result can be trusted is said of the first label.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("mask", ggpfn_output),
        ("probability", ggpfn_output),
        ("measurements", POINTER(ggpfn_measurements)),
    ]


class ggpfn_result(Structure):
    """Where the results of a segmentation go. An output whose data is NULL is not wanted. Buffers are written when all
    is done, and not at all if the work fails.

    struct_size (c_size_t): sizeof(ggpfn_result).
    mask (ggpfn_output): uint8: 1 in the pancreas (the model's first label), 0 outside.
    probability (ggpfn_output): float32: its fused probability, 0 to 1.
    view_probability (ggpfn_output * 3): float32: each view's probability, axial, sagittal, coronal.
    uncertainty (ggpfn_output): float32: the standard deviation of the views' probabilities, 0 to 0.5, which says how
        much they disagree.
    measurements (POINTER(ggpfn_measurements)): NULL, or the measurements, with struct_size set.
    label_map (ggpfn_output): uint8: all labels as one map, each with its value, 0 outside. Of labels that lie within
        others the later covers the earlier one.
    labels (POINTER(ggpfn_label_result)): NULL, or an array with a struct for each of the model's labels in their order,
        the first among them.
    label_count (c_size_t): The array's length: the model's label_count.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("mask", ggpfn_output),
        ("probability", ggpfn_output),
        ("view_probability", ggpfn_output * 3),
        ("uncertainty", ggpfn_output),
        ("measurements", POINTER(ggpfn_measurements)),
        ("label_map", ggpfn_output),
        ("labels", POINTER(ggpfn_label_result)),
        ("label_count", c_size_t),
    ]


class ggpfn_memory(Structure):
    """How much memory a segmentation takes at its peak, beyond what the process has already, the image included.

    struct_size (c_size_t): sizeof(ggpfn_memory).
    host_bytes (c_uint64): Bytes in the machine's memory.
    device_bytes (c_uint64): Bytes in the GPU's memory; 0 if none is used.
    host_free (c_uint64): Bytes that the machine has free now; 0 if that is not known.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("host_bytes", c_uint64),
        ("device_bytes", c_uint64),
        ("host_free", c_uint64),
    ]


class ggpfn_comparison(Structure):
    """How good a mask is. What has no value, such as a distance to an empty mask, is NaN.

    struct_size (c_size_t): sizeof(ggpfn_comparison).
    dice (c_double): Twice the common voxels over the sum of both masks' voxels; NaN if both are empty.
    jaccard (c_double): Common voxels over the voxels of either; NaN if both are empty.
    precision (c_double): The part of the prediction that is true.
    recall (c_double): The part of the truth that was found.
    prediction_ml (c_double): Volume of the prediction in mL.
    truth_ml (c_double): Volume of the truth in mL.
    volume_error_percent (c_double): Volume of the prediction less that of the truth, in percent of the truth.
    hausdorff95_mm (c_double): 95th percentile of the distances between the surfaces, both ways pooled, in mm.
    mean_surface_mm (c_double): Mean of the same distances in mm.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("dice", c_double),
        ("jaccard", c_double),
        ("precision", c_double),
        ("recall", c_double),
        ("prediction_ml", c_double),
        ("truth_ml", c_double),
        ("volume_error_percent", c_double),
        ("hausdorff95_mm", c_double),
        ("mean_surface_mm", c_double),
    ]


class ggpfn_training_result(Structure):
    """How a training ended.

    struct_size (c_size_t): sizeof(ggpfn_training_result).
    end (c_int32): GGPFN_END_DONE, GGPFN_END_OUT_OF_TIME or GGPFN_END_CANCELLED.
    cases (c_int32): Cases that were trained on.
    dice (c_double * 3): The best validation Dice of the axial, sagittal and coronal view's masks; NaN without one.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("end", c_int32),
        ("cases", c_int32),
        ("dice", c_double * 3),
    ]


# Carries bytes between the processes of a training; gives 0, or anything else to end the training in this process.
#
# `send` and `receive` do not overlap and are valid during the call alone. It is called on a thread of the library, one
# call at a time, in the same order in all processes; it must not throw or jump out.
ggpfn_exchange_callback = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_void_p)


class ggpfn_losses(Structure):
    """The loss of a batch and its terms, equation (2) of the paper; what a stage does not have is NaN.

    struct_size (c_size_t): sizeof(ggpfn_losses).
    total (c_double): The loss.
    map (c_double): Cross entropy of the probability map.
    side (c_double): Mean cross entropy of the encoder's side outputs.
    global (c_double): Cross entropy of the global branch's coarse map.
    global_finer (c_double): Cross entropy of the global branch's finer map.
    batch (c_uint64): The batch's number, from 0.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("total", c_double),
        ("map", c_double),
        ("side", c_double),
        ("global", c_double),
        ("global_finer", c_double),
        ("batch", c_uint64),
    ]


# By the name of a function: the type of its result, and those of its arguments.
PROTOTYPES = {
    # ggpfn_status_text(status):
    # A status in words, for logs: "out of memory". Never NULL; the text is static and must not be freed.
    "ggpfn_status_text": (
        c_char_p,
        [c_int32],
    ),
    # ggpfn_last_error(buffer, capacity, needed):
    # Copies the text of the last error on the calling thread, as UTF-8 with a NUL at the end: empty after a call that
    # succeeded.
    #
    # `capacity` is the buffer's length in bytes. `needed`, if not NULL, gets the length that the whole text takes, with
    # its NUL. A text that is too long is cut, still with a NUL, and GGPFN_ERROR_BUFFER returned; `buffer` NULL with
    # `capacity` 0 asks for the length alone. Asking does not change the text.
    "ggpfn_last_error": (
        c_int32,
        [c_char_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_abi_version():
    # GGPFN_ABI_VERSION of the library that the program runs with. If it is another than the program was compiled with,
    # use nothing else.
    "ggpfn_abi_version": (
        c_uint32,
        [],
    ),
    # ggpfn_version():
    # The version of the library that the program runs with, "0.1.0". Never NULL; the text is static and must not be
    # freed.
    "ggpfn_version": (
        c_char_p,
        [],
    ),
    # ggpfn_runtime_query(load_cuda, runtime):
    # Describes libtorch and the machine. With `load_cuda` not 0, GPUs are looked for, which loads CUDA into the process
    # (seconds and hundreds of MB) if a driver is present; otherwise CUDA is not touched.
    "ggpfn_runtime_query": (
        c_int32,
        [c_int32, POINTER(ggpfn_runtime)],
    ),
    # ggpfn_runtime_library(buffer, capacity, needed):
    # The file that libtorch was loaded from, as text (see ggpfn_last_error for the buffer).
    "ggpfn_runtime_library": (
        c_int32,
        [c_char_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_runtime_gpu(number, buffer, capacity, needed):
    # A GPU in words, "cuda:0, NVIDIA H100, fast at bfloat16" (see ggpfn_last_error for the buffer). Loads CUDA.
    "ggpfn_runtime_gpu": (
        c_int32,
        [c_int32, c_char_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_runtime_problems(load_cuda, buffer, capacity, needed):
    # What is wrong with libtorch, or why a GPU that is there cannot be used: sentences for people, empty if nothing is
    # wrong (see ggpfn_last_error for the buffer). `load_cuda` as for ggpfn_runtime_query.
    "ggpfn_runtime_problems": (
        c_int32,
        [c_int32, c_char_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_log_set(callback, level, user_data):
    # Sends the library's messages of `level` and graver to `callback`, for the whole process; NULL: to nobody, as in
    # the beginning. When it returns, the callback before is not called any more.
    "ggpfn_log_set": (
        c_int32,
        [ggpfn_log_callback, c_int32, c_void_p],
    ),
    # ggpfn_monitor_new(monitor):
    # A monitor to give to long work, to be freed with ggpfn_monitor_free.
    "ggpfn_monitor_new": (
        c_int32,
        [POINTER(c_void_p)],
    ),
    # ggpfn_monitor_set_callback(monitor, callback, user_data):
    # Has work that is started from now on report to `callback`; NULL: to nobody.
    "ggpfn_monitor_set_callback": (
        c_int32,
        [c_void_p, ggpfn_progress_callback, c_void_p],
    ),
    # ggpfn_monitor_cancel(monitor):
    # Asks the work that this monitor was given to, now or later, to stop. It returns GGPFN_ERROR_CANCELLED after the
    # layer that it is at and leaves its result buffers as they were; a training finishes its step, saves, and returns
    # what it has.
    "ggpfn_monitor_cancel": (
        c_int32,
        [c_void_p],
    ),
    # ggpfn_monitor_is_cancelled(monitor, cancelled):
    # Whether the work was asked to stop: `*cancelled` becomes 1 or 0.
    "ggpfn_monitor_is_cancelled": (
        c_int32,
        [c_void_p, POINTER(c_int32)],
    ),
    # ggpfn_monitor_progress(monitor, progress):
    # The latest report, for programs that would rather ask than be called. Before the first one: fraction 0.
    "ggpfn_monitor_progress": (
        c_int32,
        [c_void_p, POINTER(ggpfn_progress)],
    ),
    # ggpfn_monitor_reset(monitor):
    # Takes a request to stop back, for work that is started from now on, and forgets the latest report.
    "ggpfn_monitor_reset": (
        c_int32,
        [c_void_p],
    ),
    # ggpfn_monitor_free(monitor):
    # Frees a monitor; work that was given it goes on. NULL is let pass.
    "ggpfn_monitor_free": (
        None,
        [c_void_p],
    ),
    # ggpfn_model_load(path, model):
    # Reads a model file (.safetensors). `path` is UTF-8. The model is to be freed with ggpfn_model_free.
    "ggpfn_model_load": (
        c_int32,
        [c_char_p, POINTER(c_void_p)],
    ),
    # ggpfn_model_load_memory(bytes, length, model):
    # Reads a model from the bytes of a model file, which are not needed afterwards.
    "ggpfn_model_load_memory": (
        c_int32,
        [c_void_p, c_size_t, POINTER(c_void_p)],
    ),
    # ggpfn_model_shipped(model):
    # The model that is part of the library: three views on a 2.5 mm grid, trained on synthetic CTs, for research.
    "ggpfn_model_shipped": (
        c_int32,
        [POINTER(c_void_p)],
    ),
    # ggpfn_model_new(configuration, seed, model):
    # An untrained model, its weights drawn from `seed`. `configuration` is a JSON object with the entries of a model
    # file's header; those that are left out are the paper's. NULL: the paper's network.
    "ggpfn_model_new": (
        c_int32,
        [c_char_p, c_uint64, POINTER(c_void_p)],
    ),
    # ggpfn_model_save(model, path, weights):
    # Writes a model file; it appears whole or not at all. `weights`: GGPFN_WEIGHTS_FLOAT32, _FLOAT16 or _BFLOAT16.
    "ggpfn_model_save": (
        c_int32,
        [c_void_p, c_char_p, c_int32],
    ),
    # ggpfn_model_save_memory(model, weights, buffer, capacity, needed):
    # Writes a model file's bytes to a buffer. `needed`, if not NULL, gets their number; a buffer that is too small is
    # left as it is and GGPFN_ERROR_BUFFER returned; `buffer` NULL with `capacity` 0 asks for the number alone.
    "ggpfn_model_save_memory": (
        c_int32,
        [c_void_p, c_int32, c_void_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_model_describe(model, info):
    # Describes a model.
    "ggpfn_model_describe": (
        c_int32,
        [c_void_p, POINTER(ggpfn_model_info)],
    ),
    # ggpfn_model_label(model, index, label):
    # Describes a label of a model: `index` from 0 to before label_count of ggpfn_model_info. The first is the main one:
    # `mask` and `probability` of a ggpfn_result are its.
    "ggpfn_model_label": (
        c_int32,
        [c_void_p, c_size_t, POINTER(ggpfn_label)],
    ),
    # ggpfn_model_configuration(model, buffer, capacity, needed):
    # A model's whole configuration with its provenance, as JSON (see ggpfn_last_error for the buffer).
    "ggpfn_model_configuration": (
        c_int32,
        [c_void_p, c_char_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_model_free(model):
    # Frees a model; calls that are using it go on. NULL is let pass.
    "ggpfn_model_free": (
        None,
        [c_void_p],
    ),
    # ggpfn_image_init(image, struct_size):
    # Makes an image without voxels: LPS, dense, with i, j and k along the patient's axes. `data`, `data_bytes`,
    # `dtype`, `size` and `spacing` have to be set.
    "ggpfn_image_init": (
        c_int32,
        [POINTER(ggpfn_image), c_size_t],
    ),
    # ggpfn_segment_options_init(options, struct_size):
    # Sets all options to their defaults.
    "ggpfn_segment_options_init": (
        c_int32,
        [POINTER(ggpfn_segment_options), c_size_t],
    ),
    # ggpfn_segment(model, image, options, result, monitor):
    # Segments the pancreas in an image. `options` NULL: all defaults; `monitor` NULL: no progress, no cancel.
    #
    # The model, and one monitor, may be in use by other threads at the same time. The network runs on threads of the
    # library; the calling thread's libtorch settings stay as they are. For many images call this for each, with one
    # model.
    "ggpfn_segment": (
        c_int32,
        [c_void_p, POINTER(ggpfn_image), POINTER(ggpfn_segment_options), POINTER(ggpfn_result), c_void_p],
    ),
    # ggpfn_segment_ensemble(models, model_count, image, options, result, monitor):
    # Segments with several models, of which the fused probabilities are averaged before the threshold: the folds of a
    # cross-validation, say. They may be of different networks, but segment the same labels, or GGPFN_ERROR_ARGUMENT is
    # returned.
    #
    # `models` has `model_count` handles, 1 to 1024, which may be freed during the call. What is left open comes from
    # the models: each has its own views and view weights, and the threshold is the mean of theirs. A view's probability
    # is the mean over the models that have it, the uncertainty the standard deviation over all views of all models.
    # With one model it is ggpfn_segment, to which all else is alike; the models compute one after the other.
    "ggpfn_segment_ensemble": (
        c_int32,
        [
            POINTER(c_void_p),
            c_size_t,
            POINTER(ggpfn_image),
            POINTER(ggpfn_segment_options),
            POINTER(ggpfn_result),
            c_void_p,
        ],
    ),
    # ggpfn_result_warning(index, kind, buffer, capacity, needed):
    # Copies a warning of the last ggpfn_segment on the calling thread, a sentence in UTF-8 with a NUL at the end:
    # `index` from 0 to before warning_count of the measurements. There are none after a segmentation that failed.
    # Asking does not change them.
    #
    # `kind`, if not NULL, gets a GGPFN_WARNING number; later versions may add some. `capacity` is the buffer's length
    # in bytes, and `needed`, if not NULL, gets the length that the whole text takes, with its NUL; see
    # ggpfn_last_error.
    "ggpfn_result_warning": (
        c_int32,
        [c_size_t, POINTER(c_int32), c_char_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_estimate_memory(model, image, options, result, memory):
    # Estimates the memory that ggpfn_segment with the same arguments would take. The image's data, and the result's,
    # are not looked at: `data` of the image may be NULL, and an output counts as wanted if its data is not NULL.
    # `result` NULL: the mask alone.
    "ggpfn_estimate_memory": (
        c_int32,
        [c_void_p, POINTER(ggpfn_image), POINTER(ggpfn_segment_options), POINTER(ggpfn_result), POINTER(ggpfn_memory)],
    ),
    # ggpfn_estimate_memory_ensemble(models, model_count, image, options, result, memory):
    # As ggpfn_estimate_memory, for ggpfn_segment_ensemble. The models' own weights, which are in memory already, do not
    # count.
    "ggpfn_estimate_memory_ensemble": (
        c_int32,
        [
            POINTER(c_void_p),
            c_size_t,
            POINTER(ggpfn_image),
            POINTER(ggpfn_segment_options),
            POINTER(ggpfn_result),
            POINTER(ggpfn_memory),
        ],
    ),
    # ggpfn_threshold(image, probability, threshold, largest_component, mask, measurements):
    # Makes the mask of a probability that was kept, and its measurements, without a model: for a threshold that is
    # being tried.
    #
    # `probability` and `mask` are dense, i fastest, on the image's grid, and aligned. `threshold` 0: 0.5.
    # `largest_component` not 0: the largest connected part alone. `mask` or `measurements` NULL: not wanted. Values
    # beyond 0 to 1 by more than rounding, or NaN, are no probabilities: GGPFN_ERROR_ARGUMENT. In the measurements, what
    # tells how the network ran is 0, and the expected Dice NaN.
    "ggpfn_threshold": (
        c_int32,
        [POINTER(ggpfn_image), POINTER(c_float), c_double, c_int32, POINTER(c_uint8), POINTER(ggpfn_measurements)],
    ),
    # ggpfn_fuse(axial, sagittal, coronal, weights, voxels, threshold, probability, mask):
    # Fuses probabilities of views, without a model: the weighted sum, weights scaled to add up to 1, and the mask of
    # what reaches the threshold. All buffers are dense, of `voxels` elements, and aligned.
    #
    # `axial`, `sagittal` or `coronal` NULL: that view is left out, and its weight with it. `weights` are the three
    # views'; NULL: equal. `probability` or `mask` NULL: not wanted. `threshold` 0: 0.5. Values beyond 0 to 1 are
    # refused as in ggpfn_threshold.
    "ggpfn_fuse": (
        c_int32,
        [
            POINTER(c_float),
            POINTER(c_float),
            POINTER(c_float),
            POINTER(c_double),
            c_size_t,
            c_double,
            POINTER(c_float),
            POINTER(c_uint8),
        ],
    ),
    # ggpfn_evaluate(prediction, truth, comparison):
    # Compares a mask with its truth, both on one grid (corners within 0.01 mm). What is not 0 is inside.
    "ggpfn_evaluate": (
        c_int32,
        [POINTER(ggpfn_image), POINTER(ggpfn_image), POINTER(ggpfn_comparison)],
    ),
    # ggpfn_training_new(options, training):
    # A training that is to be described by the functions below and run by ggpfn_training_run, to be freed with
    # ggpfn_training_free.
    #
    # `options` is text in TOML, as `ggpfn train --config` reads it; `preset = "msd"`, "nihc" or "small" chooses what it
    # leaves out. NULL: the preset "small".
    "ggpfn_training_new": (
        c_int32,
        [c_char_p, POINTER(c_void_p)],
    ),
    # ggpfn_training_set_model(training, model, all_stages):
    # Starts from a model's weights, and trains its network: to fine-tune. Network, views, view weights and threshold
    # are the model's where the options do not name them; options for another network are refused. The stage of the
    # whole network alone is trained, and with `all_stages` not 0 the others too, unless the options say how many epochs
    # they have. To be called before cases are added, since the model says at which spacing they are looked at.
    "ggpfn_training_set_model": (
        c_int32,
        [c_void_p, c_void_p, c_int32],
    ),
    # ggpfn_training_set_folder(training, folder, resume):
    # Keeps log, curves, checkpoints and the best model in a folder, which is created. With `resume` not 0 the training
    # goes on from what is there.
    "ggpfn_training_set_folder": (
        c_int32,
        [c_void_p, c_char_p, c_int32],
    ),
    # ggpfn_training_set_device(training, device, index):
    # Where to compute: GGPFN_DEVICE_AUTO, GGPFN_DEVICE_CPU, or GGPFN_DEVICE_CUDA with the GPU's number in `index`.
    "ggpfn_training_set_device": (
        c_int32,
        [c_void_p, c_int32, c_int32],
    ),
    # ggpfn_training_set_minutes(training, minutes):
    # Stops after so many minutes, saved; 0: when all is done.
    "ggpfn_training_set_minutes": (
        c_int32,
        [c_void_p, c_double],
    ),
    # ggpfn_training_add_case(training, name, image, mask, role):
    # Adds a case in memory: an image and the mask of its pancreas on the same grid, of any dtype. Both are converted
    # and not needed afterwards. `name` is what messages call it; `role` is GGPFN_TRAIN or GGPFN_VALIDATE. The log warns
    # of an image that is no CT in Hounsfield units or has impossible voxel sizes.
    "ggpfn_training_add_case": (
        c_int32,
        [c_void_p, c_char_p, POINTER(ggpfn_image), POINTER(ggpfn_image), c_int32],
    ),
    # ggpfn_training_add_folder(training, folder, layout, split, cache, role, monitor):
    # Adds a data set's cases: `layout` is "msd", "nihc" or "pairs" (NULL: pairs). `split` is a file of `ggpfn dataset
    # split`, whose test cases are left out; NULL: all cases get `role`. `cache` is a folder where prepared volumes are
    # kept, so that memory stays bounded; NULL: they are kept in memory. Scans that are no CTs in Hounsfield units or
    # have impossible voxel sizes are refused with GGPFN_ERROR_IMAGE.
    "ggpfn_training_add_folder": (
        c_int32,
        [c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_int32, c_void_p],
    ),
    # ggpfn_training_options(training, buffer, capacity, needed):
    # The options as they are now, as TOML (see ggpfn_last_error for the buffer).
    "ggpfn_training_options": (
        c_int32,
        [c_void_p, c_char_p, c_size_t, POINTER(c_size_t)],
    ),
    # ggpfn_training_run(training, monitor, model, result):
    # Trains, and gives the best model of all views so far, to be freed. A training that was cancelled, or whose time
    # was up, has succeeded: `result` says so. `result` NULL: not wanted. The training may be run again.
    "ggpfn_training_run": (
        c_int32,
        [c_void_p, c_void_p, POINTER(c_void_p), POINTER(ggpfn_training_result)],
    ),
    # ggpfn_training_free(training):
    # Frees a training; a call that is using it goes on. NULL is let pass.
    "ggpfn_training_free": (
        None,
        [c_void_p],
    ),
    # ggpfn_training_set_peers(training, rank, ranks, views, all_gather, all_to_all, user_data):
    # Has the training be run by several processes together, each of which makes the same calls with the same options
    # and cases in the same order, and then ggpfn_training_run. This one is number `rank` of `ranks`.
    #
    # The step's batches (option `accumulate`) are shared out among them, and the validation cases. The result has the
    # same bits for any number of processes. Process 0 alone writes to the training's folder, which the others must be
    # able to read if it is resumed.
    #
    # `views` has a bit 1 << GGPFN_AXIAL and so on for each view that these processes train, so that others may train
    # the rest; 0: all. The folder's model.safetensors is then written by whoever resumes the training with all views
    # once they are done.
    #
    # `all_gather`: `send` has `bytes` bytes, and `receive` gets `ranks` times as many, those of all processes in their
    # order, as by MPI_Allgather. `all_to_all`: both have `bytes` bytes for each process; piece i of `send` goes to
    # process i, and piece i of `receive` is from process i, as by MPI_Alltoall. With MPI, initialise with
    # MPI_THREAD_SERIALIZED or more, since they are called on another thread.
    "ggpfn_training_set_peers": (
        c_int32,
        [c_void_p, c_int32, c_int32, c_uint32, ggpfn_exchange_callback, ggpfn_exchange_callback, c_void_p],
    ),
    # ggpfn_trainer_new(training, view, stage, rank, ranks, trainer):
    # A trainer of one view in one stage, with the options, the training cases and the first weights of a training as it
    # is now, to be freed with ggpfn_trainer_free.
    #
    # Of the training's batches, process number `rank` of `ranks` takes every `ranks`-th, beginning with its own number;
    # 0 and 1 for one process. All processes have to be given the same options and cases in the same order; then they
    # start from the same weights.
    "ggpfn_trainer_new": (
        c_int32,
        [c_void_p, c_int32, c_int32, c_int32, c_int32, POINTER(c_void_p)],
    ),
    # ggpfn_trainer_gradients(trainer, losses):
    # The first half of a step: draws the next batch, computes its loss, and leaves its gradients. `losses` NULL: not
    # wanted.
    "ggpfn_trainer_gradients": (
        c_int32,
        [c_void_p, POINTER(ggpfn_losses)],
    ),
    # ggpfn_trainer_update(trainer, learning_rate):
    # The second half of a step: Adam's step with the gradients as they are now. `learning_rate` is above 0.
    "ggpfn_trainer_update": (
        c_int32,
        [c_void_p, c_double],
    ),
    # ggpfn_trainer_length(trainer, which, length):
    # The length of a buffer: `which` is GGPFN_PARAMETERS, GGPFN_GRADIENTS (as long as the parameters) or
    # GGPFN_STATISTICS.
    "ggpfn_trainer_length": (
        c_int32,
        [c_void_p, c_int32, POINTER(c_size_t)],
    ),
    # ggpfn_trainer_read(trainer, which, values, length):
    # Copies a buffer out. `length` is that of ggpfn_trainer_length.
    "ggpfn_trainer_read": (
        c_int32,
        [c_void_p, c_int32, POINTER(c_float), c_size_t],
    ),
    # ggpfn_trainer_write(trainer, which, values, length):
    # Copies a buffer in. `length` is that of ggpfn_trainer_length.
    "ggpfn_trainer_write": (
        c_int32,
        [c_void_p, c_int32, POINTER(c_float), c_size_t],
    ),
    # ggpfn_trainer_model(trainer, model):
    # The model of this view as it is now, to be freed.
    "ggpfn_trainer_model": (
        c_int32,
        [c_void_p, POINTER(c_void_p)],
    ),
    # ggpfn_trainer_free(trainer):
    # Frees a trainer. NULL is let pass.
    "ggpfn_trainer_free": (
        None,
        [c_void_p],
    ),
}


def bind(library: Any) -> list[str]:
    """Gives the functions of a ctypes library their argument and result types.

    Returns the names of those that it does not have, because it is older than the header.
    """
    missing = []
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(library, name, None)
        if function is None:
            missing.append(name)
            continue
        function.restype = result
        function.argtypes = arguments
    return missing
