/* libggpfn: pancreas segmentation in CT by the Globally Guided Progressive Fusion Network.
 *
 * Made from src/capi by cbindgen; change it there.
 *
 * Status. Functions return GGPFN_OK (0) or a GGPFN_ERROR number; ggpfn_last_error has the text, for the calling
 * thread, until that thread's next call. Results are written on success alone.
 *
 * Handles (ggpfn_model, ggpfn_monitor, ggpfn_training, ggpfn_trainer) are opaque. Whoever gets one frees it, with its
 * _free function. A handle may be freed while other threads are in calls that use it; those finish. A handle that was
 * freed, or is of another type, gives GGPFN_ERROR_ARGUMENT.
 *
 * Threads. Any function may be called from any thread. A function that takes `const ggpfn_X *` of a model or monitor may
 * run many times at once on one handle; a training or trainer serves one thread at a time, and a second one gets
 * GGPFN_ERROR_BUSY. Computing happens on threads of the library: the caller's libtorch settings, signal handlers and
 * floating-point modes stay as they are. Callbacks are made on the thread that made the call, except for log messages.
 *
 * Structs begin with struct_size, to be set to sizeof the struct; 0 in any field of an options struct is its default. Structs
 * grow at their end in later versions, and programs built before go on working.
 *
 * Processes. Fork before the first segmentation, evaluation or training, or not at all: later, calls in the new process
 * return GGPFN_ERROR_FORK.
 *
 * Memory. Buffers are the caller's. Text is UTF-8. The library prints nothing.
 */

#ifndef GGPFN_H
#define GGPFN_H


// Parsers that know these types and no directives, such as cffi's, take what `cc -E -P -DGGPFN_NO_INCLUDES` gives.
#ifndef GGPFN_NO_INCLUDES
#include <stddef.h>
#include <stdint.h>
#endif

// Success.
#define GGPFN_OK 0

// A pointer was NULL that must not be, or an option, a size or a handle has a value that cannot be used.
#define GGPFN_ERROR_ARGUMENT 1

// The image cannot be segmented: its grid is unusable, voxels are not finite numbers, a file is no image.
#define GGPFN_ERROR_IMAGE 2

// The model file is broken, or is not a model file.
#define GGPFN_ERROR_MODEL 3

// The operating system refused to open, read, create or write a file.
#define GGPFN_ERROR_FILE 4

// The device that was asked for is not there or cannot do what was asked.
#define GGPFN_ERROR_DEVICE 5

// More memory would be needed than there is, on the GPU or in the machine; the message says how much and what needs less.
#define GGPFN_ERROR_MEMORY 6

// libtorch reported an error.
#define GGPFN_ERROR_TORCH 7

// The training cannot go on: its loss is not a number, a checkpoint does not fit.
#define GGPFN_ERROR_TRAINING 8

// The work was cancelled, by the monitor or by a callback that returned 0.
#define GGPFN_ERROR_CANCELLED 9

// The process runs on another libtorch than this library was built for, brought by its host.
#define GGPFN_ERROR_RUNTIME 10

// The text or file does not fit into the buffer; the length that is needed was written.
#define GGPFN_ERROR_BUFFER 11

// Another thread is using a handle that one thread at a time may use.
#define GGPFN_ERROR_BUSY 12

// A fault of the library's own; please report it with the message.
#define GGPFN_ERROR_INTERNAL 13

// The process was forked from one in which the library had worked already; its threads, and libtorch's, are not in this one. Fork before the
// first segmentation, evaluation or training, or start a new program. Handles cannot be used; freeing them does nothing.
#define GGPFN_ERROR_FORK 14

// The version of the interface that a program is compiled with. It changes when a program has to be compiled anew; the library file's
// name carries it.
#define GGPFN_ABI_VERSION 0

// The version that a program is compiled with: major.
#define GGPFN_VERSION_MAJOR 0

// The version that a program is compiled with: minor.
#define GGPFN_VERSION_MINOR 1

// The version that a program is compiled with: patch.
#define GGPFN_VERSION_PATCH 0

// Log level: the work failed, or is about to.
#define GGPFN_LOG_ERROR 1

// Log level: the work goes on, but a person should know.
#define GGPFN_LOG_WARNING 2

// Log level: what was decided for the caller.
#define GGPFN_LOG_INFO 3

// Log level: details for whoever looks for a fault.
#define GGPFN_LOG_DEBUG 4

// The axial view, across the body's long axis.
#define GGPFN_AXIAL 0

// The sagittal view, from right to left.
#define GGPFN_SAGITTAL 1

// The coronal view, from front to back.
#define GGPFN_CORONAL 2

// Weights are stored as 32-bit floats.
#define GGPFN_WEIGHTS_FLOAT32 0

// Weights are stored as 16-bit IEEE floats.
#define GGPFN_WEIGHTS_FLOAT16 1

// Weights are stored as bfloat16.
#define GGPFN_WEIGHTS_BFLOAT16 2

// Voxels of 8 bits, signed.
#define GGPFN_INT8 1

// Voxels of 8 bits, unsigned.
#define GGPFN_UINT8 2

// Voxels of 16 bits, signed: what CT scanners give.
#define GGPFN_INT16 3

// Voxels of 16 bits, unsigned.
#define GGPFN_UINT16 4

// Voxels of 32 bits, signed.
#define GGPFN_INT32 5

// Voxels of 32 bits, unsigned.
#define GGPFN_UINT32 6

// Voxels of 64 bits, signed.
#define GGPFN_INT64 7

// Voxels of 64 bits, unsigned.
#define GGPFN_UINT64 8

// Voxels of 32 bits, floating point.
#define GGPFN_FLOAT32 9

// Voxels of 64 bits, floating point.
#define GGPFN_FLOAT64 10

// Coordinates grow to the patient's Left, Posterior, Superior: ITK, DICOM. The default.
#define GGPFN_LPS 0

// Coordinates grow to the patient's Right, Anterior, Superior: 3D Slicer, NIfTI.
#define GGPFN_RAS 1

// The first GPU if there is a usable one, otherwise the processor.
#define GGPFN_DEVICE_AUTO 0

// The processor.
#define GGPFN_DEVICE_CPU 1

// The CUDA GPU of the number `device_index`.
#define GGPFN_DEVICE_CUDA 2

// bfloat16 where the device is fast at it, otherwise float32.
#define GGPFN_PRECISION_AUTO 0

// float32.
#define GGPFN_PRECISION_FLOAT32 1

// bfloat16 with float32 sums; probabilities differ by up to about 0.01.
#define GGPFN_PRECISION_BFLOAT16 2

// The mask is empty.
#define GGPFN_WARNING_NOTHING_FOUND 1

// The mask is smaller than an adult's pancreas.
#define GGPFN_WARNING_SMALL_VOLUME 2

// The mask is larger than a pancreas.
#define GGPFN_WARNING_LARGE_VOLUME 3

// The views' masks have little in common.
#define GGPFN_WARNING_VIEWS_DISAGREE 4

// The mask has many connected components.
#define GGPFN_WARNING_MANY_PARTS 5

// The mask touches the border: the pancreas may go on beyond it.
#define GGPFN_WARNING_CUT_OFF 6

// The scan does not seem to cover the upper abdomen.
#define GGPFN_WARNING_NOT_COVERED 7

// Most of the mask is no soft tissue.
#define GGPFN_WARNING_NOT_SOFT_TISSUE 8

// The voxels are not Hounsfield units.
#define GGPFN_WARNING_NOT_HOUNSFIELD 9

// The voxels' size, or the body's, is not possible.
#define GGPFN_WARNING_VOXEL_SIZE 10

// The slices are too far apart.
#define GGPFN_WARNING_THICK_SLICES 11

// Voxels that are not numbers (NaN) were taken for air.
#define GGPFN_WARNING_UNMEASURED 12

// A few voxels have values that nothing in a CT has.
#define GGPFN_WARNING_STRAY_VALUES 13

// The network learns from the case.
#define GGPFN_TRAIN 0

// The case chooses the best weights.
#define GGPFN_VALIDATE 1

// Stage 1, the global branch alone.
#define GGPFN_STAGE_GLOBAL 0

// Stage 2, the progressive fusion network alone.
#define GGPFN_STAGE_LOCAL 1

// Stage 3, the whole network.
#define GGPFN_STAGE_WHOLE 2

// RSTN's first stage: the fine network sees the plain image.
#define GGPFN_STAGE_SEPARATE 3

// RSTN's second stage: it sees the image times its saliency, cropped by the truth.
#define GGPFN_STAGE_INDIVIDUAL 4

// RSTN's third stage: it sees that, cropped by what the coarse network found.
#define GGPFN_STAGE_JOINT 5

// All stages are done.
#define GGPFN_END_DONE 0

// The time was up; the training can be taken up again from its folder.
#define GGPFN_END_OUT_OF_TIME 1

// It was cancelled; it can be taken up again from its folder.
#define GGPFN_END_CANCELLED 2

// The parameters, in the order of the model file's layer table.
#define GGPFN_PARAMETERS 0

// The gradients that the first half of a step left, and that the second half uses.
#define GGPFN_GRADIENTS 1

// Batch normalisation's running means and variances, which no gradient changes: average them too before a model is taken.
#define GGPFN_STATISTICS 2

// A trained network for each of its views. It never changes: any number of threads may use one model at the same time, and it may be
// freed while they do.
typedef struct ggpfn_model ggpfn_model;

// Progress and cancel of long work. One monitor may be given to several calls, also at the same time: a request to stop holds for all
// of them. Every function here may be called from any thread at any time.
typedef struct ggpfn_monitor ggpfn_monitor;

// One view's network in training. One thread at a time may use it; a second one gets GGPFN_ERROR_BUSY.
//
// A step is ggpfn_trainer_gradients, then ggpfn_trainer_update. In between, gradients can be read and written as one array: with MPI,
// read them, MPI_Allreduce, divide by the number of processes, write them.
typedef struct ggpfn_trainer ggpfn_trainer;

// What is to be trained, and on what: options, cases, first weights, folder. One thread at a time may use it; a second one gets
// GGPFN_ERROR_BUSY.
typedef struct ggpfn_training ggpfn_training;

// What a function returns: 0 for success, else one of the GGPFN_ERROR numbers. A later version may add numbers.
typedef int32_t ggpfn_status;

// What libtorch and the machine can do.
typedef struct ggpfn_runtime {
  // sizeof(ggpfn_runtime).
  size_t struct_size;
  // The libtorch that the library was built for, "2.11.0".
  char built_for[32];
  // The libtorch in this process; "unknown" if it does not say.
  char loaded[32];
  // Whether the two differ, 1 or 0. Then functions that need libtorch return GGPFN_ERROR_RUNTIME.
  int32_t wrong_libtorch;
  // Whether the processor computes bfloat16 faster than float32.
  int32_t cpu_bfloat16;
  // Whether an NVIDIA driver is present.
  int32_t gpu_driver;
  // GPUs that can be used; -1 if that was not asked for.
  int32_t gpus;
} ggpfn_runtime;

// Hears a message: its level, GGPFN_LOG_ERROR to GGPFN_LOG_DEBUG, and its text, UTF-8, valid during the call alone. It is called from
// any thread, also from several at once. It must not throw or jump out, nor call the library.
typedef void (*ggpfn_log_callback)(int32_t level, const char *message, void *user_data);

// How far long work is. What does not apply is -1, or NaN.
typedef struct ggpfn_progress {
  // sizeof(ggpfn_progress). In a callback: as the library knows it.
  size_t struct_size;
  // The part of the work that is done, 0 to 1; never falls.
  double fraction;
  // An estimate of the seconds left; NaN while there is none.
  double seconds_left;
  // What is being done, in English, with a NUL at its end: "axial view".
  char phase[64];
  // The view under way: GGPFN_AXIAL, GGPFN_SAGITTAL or GGPFN_CORONAL.
  int32_t view;
  // Training: the stage, GGPFN_STAGE_GLOBAL, _LOCAL or _WHOLE, or one of another network's.
  int32_t stage;
  // Training: the epoch of the stage, from 1.
  int32_t epoch;
  // Training: epochs of the stage.
  int32_t epochs;
  // Training: batches of the epoch that are done.
  int32_t batch;
  // Training: batches of an epoch.
  int32_t batches;
  // Training: the step's loss.
  double loss;
  // Training: the view's validation Dice, where this report is a validation's.
  double dice;
} ggpfn_progress;

// Hears how far the work is, on the thread that started it, while that waits. Returns 0 to stop the work, anything else to go on. It
// must not throw or jump out, may call any function of the library, and should return soon: reports wait for it, the work does not.
// `progress` is valid during the call alone.
typedef int32_t (*ggpfn_progress_callback)(const struct ggpfn_progress *progress, void *user_data);

// What a model is.
typedef struct ggpfn_model_info {
  // sizeof(ggpfn_model_info).
  size_t struct_size;
  // Parameters of one view's network.
  uint64_t parameters;
  // Bit 1 << GGPFN_AXIAL and so on: the views that it has a network for.
  int32_t views;
  // T: a slice's probability comes from 2T + 1 slices.
  int32_t t;
  // Whether slices are fused progressively (1) or at once (0).
  int32_t progressive;
  // Whether there is global guidance.
  int32_t global_guidance;
  // Hounsfield units that map to 0 and 1.
  double window[2];
  // The working spacing in mm along x, y and z of the LPS frame; all 0: each image's own grid.
  double spacing[3];
  // The weights of the axial, sagittal and coronal view in the fusion; 0 for a view that it does not have.
  double view_weights[3];
  // Probabilities from here on are pancreas.
  double threshold;
  // SHA-256 of the file's bytes, in hexadecimal, with a NUL at its end; 7 bytes of zeros follow.
  char sha256[72];
  // How many labels it segments; ggpfn_model_label describes them.
  uint64_t label_count;
} ggpfn_model_info;

// One of the structures that a model segments.
typedef struct ggpfn_label {
  // sizeof(ggpfn_label).
  size_t struct_size;
  // Probabilities from here on are this label.
  double threshold;
  // Its value in a label map, 1 to 255.
  int32_t value;
  // Red, green and blue to show it in: 0xRRGGBB.
  int32_t colour;
  // Its name in UTF-8, with a NUL at its end.
  char name[64];
  // What it is: a code's value, its scheme (SCT: SNOMED CT) and its meaning in English, each with a NUL at its end; empty: unknown.
  char code_value[32];
  // The code's scheme.
  char code_scheme[16];
  // The code's meaning.
  char code_meaning[64];
} ggpfn_label;

// A 3D image in the caller's memory. Voxels are Hounsfield units; in masks, what is not 0 is inside.
//
// Voxel (i, j, k) lies at `data + i * strides[0] + j * strides[1] + k * strides[2]`, and its centre in the patient at
// `origin + direction * (spacing * (i, j, k))`, in mm. The library reads the voxels during the call alone and never writes them. They
// need not be aligned.
typedef struct ggpfn_image {
  // sizeof(ggpfn_image).
  size_t struct_size;
  // The voxel (0, 0, 0).
  const void *data;
  // Bytes of the buffer, from its lowest to its highest voxel; strides that reach further are refused.
  size_t data_bytes;
  // GGPFN_INT8 to GGPFN_FLOAT64.
  int32_t dtype;
  // The frame of origin and direction: GGPFN_LPS or GGPFN_RAS.
  int32_t frame;
  // Number of voxels along i, j and k.
  size_t size[3];
  // Bytes from a voxel to the next one along i, j and k; negative ones are allowed. All 0: dense, i fastest.
  int64_t strides[3];
  // Distance between neighbouring voxels along i, j and k, in mm.
  double spacing[3];
  // Centre of voxel (0, 0, 0), in mm.
  double origin[3];
  // 3 x 3, row after row; its columns are the unit vectors of i, j and k.
  double direction[9];
} ggpfn_image;

// How an image is to be segmented. 0 in any field is its default: `ggpfn_segment_options options = {.struct_size = sizeof options};` is a
// good start.
typedef struct ggpfn_segment_options {
  // sizeof(ggpfn_segment_options).
  size_t struct_size;
  // Bits 1 << GGPFN_AXIAL and so on: the views to compute. 0: all that the model has.
  int32_t views;
  // GGPFN_DEVICE_AUTO, GGPFN_DEVICE_CPU or GGPFN_DEVICE_CUDA.
  int32_t device;
  // The GPU's number, with GGPFN_DEVICE_CUDA.
  int32_t device_index;
  // GGPFN_PRECISION_AUTO, GGPFN_PRECISION_FLOAT32 or GGPFN_PRECISION_BFLOAT16.
  int32_t precision;
  // Processor threads. 0: as many as there are processors. The last bits of a result may depend on it.
  int32_t threads;
  // Slices that enter the network at a time. 0: chosen by their size. The result does not depend on it.
  int32_t block;
  // Rows and columns of the patches that slices are cut into, multiples of 8, for GPUs with little memory. 0: whole slices.
  int32_t patch[2];
  // Pixels by which patches overlap. 0: 64.
  int32_t overlap;
  // Whether to keep the largest connected part of the mask alone.
  int32_t largest_component;
  // Weights of the axial, sagittal and coronal view, scaled to add up to 1 over the views computed. All 0: the model's.
  double view_weights[3];
  // Probabilities from here on are pancreas, up to 1. 0: the model's threshold.
  double threshold;
  // The first voxel (i, j, k) of the region to look at. Nothing outside of it is read or found: what lies there need not be numbers, nor
  // memory that can be read.
  size_t region_start[3];
  // Voxels of the region along i, j and k. All 0: the whole image.
  size_t region_size[3];
} ggpfn_segment_options;

// A result in the caller's memory, on the grid of the image. `data` NULL: not wanted.
typedef struct ggpfn_output {
  // The voxel (0, 0, 0).
  void *data;
  // Bytes of the buffer, from its lowest to its highest voxel.
  size_t data_bytes;
  // Bytes from a voxel to the next one along i, j and k. All 0: dense, i fastest.
  int64_t strides[3];
} ggpfn_output;

// What a mask says about the organ. What has no value, in an empty mask, is NaN.
typedef struct ggpfn_measurements {
  // sizeof(ggpfn_measurements).
  size_t struct_size;
  // Voxels in the mask.
  uint64_t voxels;
  // Connected parts of the mask; voxels that touch by a corner are connected.
  uint64_t components;
  // Their volume in mL.
  double volume_ml;
  // The smallest index (i, j, k) in the mask.
  uint64_t box_start[3];
  // The bounding box's voxels along i, j and k; 0 for an empty mask.
  uint64_t box_size[3];
  // The bounding box's edges in mm along i, j and k.
  double box_mm[3];
  // The centroid in mm, in the frame of the image.
  double centroid[3];
  // Mean of the Hounsfield units in the mask.
  double mean_hu;
  // Their standard deviation.
  double std_hu;
  // The threshold that made the mask.
  double threshold;
  // The weights that the axial, sagittal and coronal view had; 0 for a view that was not computed.
  double view_weights[3];
  // Where the network ran: GGPFN_DEVICE_CPU or GGPFN_DEVICE_CUDA.
  int32_t device;
  // GGPFN_PRECISION_FLOAT32 or GGPFN_PRECISION_BFLOAT16.
  int32_t precision;
  // Wall-clock seconds of the whole work.
  double seconds;
  // The Dice coefficient to expect against a manual segmentation, 0 to 1.
  double expected_dice;
  // Whether a person should look before the result is used: the expected Dice is low, or a warning is grave.
  int32_t doubtful;
  // How many warnings ggpfn_result_warning has on the calling thread.
  int32_t warning_count;
} ggpfn_measurements;

// Where the results of one of a model's labels go.
typedef struct ggpfn_label_result {
  // sizeof(ggpfn_label_result).
  size_t struct_size;
  // uint8: 1 where the label is, 0 elsewhere.
  struct ggpfn_output mask;
  // float32: the label's fused probability, 0 to 1.
  struct ggpfn_output probability;
  // NULL, or the measurements, with struct_size set. What is said of how far a result can be trusted is said of the first label.
  struct ggpfn_measurements *measurements;
} ggpfn_label_result;

// Where the results of a segmentation go. An output whose data is NULL is not wanted. Buffers are written when all is done, and not at
// all if the work fails.
typedef struct ggpfn_result {
  // sizeof(ggpfn_result).
  size_t struct_size;
  // uint8: 1 in the pancreas (the model's first label), 0 outside.
  struct ggpfn_output mask;
  // float32: its fused probability, 0 to 1.
  struct ggpfn_output probability;
  // float32: each view's probability, axial, sagittal, coronal.
  struct ggpfn_output view_probability[3];
  // float32: the standard deviation of the views' probabilities, 0 to 0.5, which says how much they disagree.
  struct ggpfn_output uncertainty;
  // NULL, or the measurements, with struct_size set.
  struct ggpfn_measurements *measurements;
  // uint8: all labels as one map, each with its value, 0 outside. Of labels that lie within others the later covers the earlier one.
  struct ggpfn_output label_map;
  // NULL, or an array with a struct for each of the model's labels in their order, the first among them.
  struct ggpfn_label_result *labels;
  // The array's length: the model's label_count.
  size_t label_count;
} ggpfn_result;

// How much memory a segmentation takes at its peak, beyond what the process has already, the image included.
typedef struct ggpfn_memory {
  // sizeof(ggpfn_memory).
  size_t struct_size;
  // Bytes in the machine's memory.
  uint64_t host_bytes;
  // Bytes in the GPU's memory; 0 if none is used.
  uint64_t device_bytes;
  // Bytes that the machine has free now; 0 if that is not known.
  uint64_t host_free;
} ggpfn_memory;

// How good a mask is. What has no value, such as a distance to an empty mask, is NaN.
typedef struct ggpfn_comparison {
  // sizeof(ggpfn_comparison).
  size_t struct_size;
  // Twice the common voxels over the sum of both masks' voxels; NaN if both are empty.
  double dice;
  // Common voxels over the voxels of either; NaN if both are empty.
  double jaccard;
  // The part of the prediction that is true.
  double precision;
  // The part of the truth that was found.
  double recall;
  // Volume of the prediction in mL.
  double prediction_ml;
  // Volume of the truth in mL.
  double truth_ml;
  // Volume of the prediction less that of the truth, in percent of the truth.
  double volume_error_percent;
  // 95th percentile of the distances between the surfaces, both ways pooled, in mm.
  double hausdorff95_mm;
  // Mean of the same distances in mm.
  double mean_surface_mm;
} ggpfn_comparison;

// How a training ended.
typedef struct ggpfn_training_result {
  // sizeof(ggpfn_training_result).
  size_t struct_size;
  // GGPFN_END_DONE, GGPFN_END_OUT_OF_TIME or GGPFN_END_CANCELLED.
  int32_t end;
  // Cases that were trained on.
  int32_t cases;
  // The best validation Dice of the axial, sagittal and coronal view's masks; NaN without one.
  double dice[3];
} ggpfn_training_result;

// Carries bytes between the processes of a training; gives 0, or anything else to end the training in this process.
//
// `send` and `receive` do not overlap and are valid during the call alone. It is called on a thread of the library, one call at a time, in
// the same order in all processes; it must not throw or jump out.
typedef int32_t (*ggpfn_exchange_callback)(const void *send, void *receive, size_t bytes, void *user_data);

// The loss of a batch and its terms, equation (2) of the paper; what a stage does not have is NaN.
typedef struct ggpfn_losses {
  // sizeof(ggpfn_losses).
  size_t struct_size;
  // The loss.
  double total;
  // Cross entropy of the probability map.
  double map;
  // Mean cross entropy of the encoder's side outputs.
  double side;
  // Cross entropy of the global branch's coarse map.
  double global;
  // Cross entropy of the global branch's finer map.
  double global_finer;
  // The batch's number, from 0.
  uint64_t batch;
} ggpfn_losses;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// A status in words, for logs: "out of memory". Never NULL; the text is static and must not be freed.
const char *ggpfn_status_text(ggpfn_status status);

// Copies the text of the last error on the calling thread, as UTF-8 with a NUL at the end: empty after a call that succeeded.
//
// `capacity` is the buffer's length in bytes. `needed`, if not NULL, gets the length that the whole text takes, with its NUL. A text
// that is too long is cut, still with a NUL, and GGPFN_ERROR_BUFFER returned; `buffer` NULL with `capacity` 0 asks for the
// length alone. Asking does not change the text.
ggpfn_status ggpfn_last_error(char *buffer,
                              size_t capacity,
                              size_t *needed);

// GGPFN_ABI_VERSION of the library that the program runs with. If it is another than the program was compiled with, use nothing else.
uint32_t ggpfn_abi_version(void);

// The version of the library that the program runs with, "0.1.0". Never NULL; the text is static and must not be freed.
const char *ggpfn_version(void);

// Describes libtorch and the machine. With `load_cuda` not 0, GPUs are looked for, which loads CUDA into the process (seconds and
// hundreds of MB) if a driver is present; otherwise CUDA is not touched.
ggpfn_status ggpfn_runtime_query(int32_t load_cuda,
                                 struct ggpfn_runtime *runtime);

// The file that libtorch was loaded from, as text (see ggpfn_last_error for the buffer).
ggpfn_status ggpfn_runtime_library(char *buffer, size_t capacity, size_t *needed);

// A GPU in words, "cuda:0, NVIDIA H100, fast at bfloat16" (see ggpfn_last_error for the buffer). Loads CUDA.
ggpfn_status ggpfn_runtime_gpu(int32_t number, char *buffer, size_t capacity, size_t *needed);

// What is wrong with libtorch, or why a GPU that is there cannot be used: sentences for people, empty if nothing is wrong (see
// ggpfn_last_error for the buffer). `load_cuda` as for ggpfn_runtime_query.
ggpfn_status ggpfn_runtime_problems(int32_t load_cuda,
                                    char *buffer,
                                    size_t capacity,
                                    size_t *needed);

// Sends the library's messages of `level` and graver to `callback`, for the whole process; NULL: to nobody, as in the beginning. When it
// returns, the callback before is not called any more.
ggpfn_status ggpfn_log_set(ggpfn_log_callback callback,
                           int32_t level,
                           void *user_data);

// A monitor to give to long work, to be freed with ggpfn_monitor_free.
ggpfn_status ggpfn_monitor_new(struct ggpfn_monitor **monitor);

// Has work that is started from now on report to `callback`; NULL: to nobody.
ggpfn_status ggpfn_monitor_set_callback(const struct ggpfn_monitor *monitor,
                                        ggpfn_progress_callback callback,
                                        void *user_data);

// Asks the work that this monitor was given to, now or later, to stop. It returns GGPFN_ERROR_CANCELLED after the layer that it is at
// and leaves its result buffers as they were; a training finishes its step, saves, and returns what it has.
ggpfn_status ggpfn_monitor_cancel(const struct ggpfn_monitor *monitor);

// Whether the work was asked to stop: `*cancelled` becomes 1 or 0.
ggpfn_status ggpfn_monitor_is_cancelled(const struct ggpfn_monitor *monitor, int32_t *cancelled);

// The latest report, for programs that would rather ask than be called. Before the first one: fraction 0.
ggpfn_status ggpfn_monitor_progress(const struct ggpfn_monitor *monitor, struct ggpfn_progress *progress);

// Takes a request to stop back, for work that is started from now on, and forgets the latest report.
ggpfn_status ggpfn_monitor_reset(const struct ggpfn_monitor *monitor);

// Frees a monitor; work that was given it goes on. NULL is let pass.
void ggpfn_monitor_free(struct ggpfn_monitor *monitor);

// Reads a model file (.safetensors). `path` is UTF-8. The model is to be freed with ggpfn_model_free.
ggpfn_status ggpfn_model_load(const char *path, struct ggpfn_model **model);

// Reads a model from the bytes of a model file, which are not needed afterwards.
ggpfn_status ggpfn_model_load_memory(const void *bytes, size_t length, struct ggpfn_model **model);

// The model that is part of the library: three views on a 2.5 mm grid, trained on synthetic CTs, for research.
ggpfn_status ggpfn_model_shipped(struct ggpfn_model **model);

// An untrained model, its weights drawn from `seed`. `configuration` is a JSON object with the entries of a model file's header; those
// that are left out are the paper's. NULL: the paper's network.
ggpfn_status ggpfn_model_new(const char *configuration,
                             uint64_t seed,
                             struct ggpfn_model **model);

// Writes a model file; it appears whole or not at all. `weights`: GGPFN_WEIGHTS_FLOAT32, _FLOAT16 or _BFLOAT16.
ggpfn_status ggpfn_model_save(const struct ggpfn_model *model,
                              const char *path,
                              int32_t weights);

// Writes a model file's bytes to a buffer. `needed`, if not NULL, gets their number; a buffer that is too small is left as it is and
// GGPFN_ERROR_BUFFER returned; `buffer` NULL with `capacity` 0 asks for the number alone.
ggpfn_status ggpfn_model_save_memory(const struct ggpfn_model *model,
                                     int32_t weights,
                                     void *buffer,
                                     size_t capacity,
                                     size_t *needed);

// Describes a model.
ggpfn_status ggpfn_model_describe(const struct ggpfn_model *model, struct ggpfn_model_info *info);

// Describes a label of a model: `index` from 0 to before label_count of ggpfn_model_info. The first is the main one: `mask` and
// `probability` of a ggpfn_result are its.
ggpfn_status ggpfn_model_label(const struct ggpfn_model *model,
                               size_t index,
                               struct ggpfn_label *label);

// A model's whole configuration with its provenance, as JSON (see ggpfn_last_error for the buffer).
ggpfn_status ggpfn_model_configuration(const struct ggpfn_model *model,
                                       char *buffer,
                                       size_t capacity,
                                       size_t *needed);

// Frees a model; calls that are using it go on. NULL is let pass.
void ggpfn_model_free(struct ggpfn_model *model);

// Makes an image without voxels: LPS, dense, with i, j and k along the patient's axes. `data`, `data_bytes`, `dtype`, `size` and
// `spacing` have to be set.
ggpfn_status ggpfn_image_init(struct ggpfn_image *image,
                              size_t struct_size);

// Sets all options to their defaults.
ggpfn_status ggpfn_segment_options_init(struct ggpfn_segment_options *options, size_t struct_size);

// Segments the pancreas in an image. `options` NULL: all defaults; `monitor` NULL: no progress, no cancel.
//
// The model, and one monitor, may be in use by other threads at the same time. The network runs on threads of the library; the
// calling thread's libtorch settings stay as they are. For many images call this for each, with one model.
ggpfn_status ggpfn_segment(const struct ggpfn_model *model,
                           const struct ggpfn_image *image,
                           const struct ggpfn_segment_options *options,
                           const struct ggpfn_result *result,
                           const struct ggpfn_monitor *monitor);

// Segments with several models, of which the fused probabilities are averaged before the threshold: the folds of a cross-validation, say. They
// may be of different networks, but segment the same labels, or GGPFN_ERROR_ARGUMENT is returned.
//
// `models` has `model_count` handles, 1 to 1024, which may be freed during the call. What is left open comes from the models: each has its own
// views and view weights, and the threshold is the mean of theirs. A view's probability is the mean over the models that have it, the
// uncertainty the standard deviation over all views of all models. With one model it is ggpfn_segment, to which all else is alike; the models
// compute one after the other.
ggpfn_status ggpfn_segment_ensemble(const struct ggpfn_model *const *models,
                                    size_t model_count,
                                    const struct ggpfn_image *image,
                                    const struct ggpfn_segment_options *options,
                                    const struct ggpfn_result *result,
                                    const struct ggpfn_monitor *monitor);

// Copies a warning of the last ggpfn_segment on the calling thread, a sentence in UTF-8 with a NUL at the end: `index` from 0 to before
// warning_count of the measurements. There are none after a segmentation that failed. Asking does not change them.
//
// `kind`, if not NULL, gets a GGPFN_WARNING number; later versions may add some. `capacity` is the buffer's length in bytes, and `needed`, if
// not NULL, gets the length that the whole text takes, with its NUL; see ggpfn_last_error.
ggpfn_status ggpfn_result_warning(size_t index,
                                  int32_t *kind,
                                  char *buffer,
                                  size_t capacity,
                                  size_t *needed);

// Estimates the memory that ggpfn_segment with the same arguments would take. The image's data, and the result's, are not looked at: `data` of
// the image may be NULL, and an output counts as wanted if its data is not NULL. `result` NULL: the mask alone.
ggpfn_status ggpfn_estimate_memory(const struct ggpfn_model *model,
                                   const struct ggpfn_image *image,
                                   const struct ggpfn_segment_options *options,
                                   const struct ggpfn_result *result,
                                   struct ggpfn_memory *memory);

// As ggpfn_estimate_memory, for ggpfn_segment_ensemble. The models' own weights, which are in memory already, do not count.
ggpfn_status ggpfn_estimate_memory_ensemble(const struct ggpfn_model *const *models,
                                            size_t model_count,
                                            const struct ggpfn_image *image,
                                            const struct ggpfn_segment_options *options,
                                            const struct ggpfn_result *result,
                                            struct ggpfn_memory *memory);

// Makes the mask of a probability that was kept, and its measurements, without a model: for a threshold that is being tried.
//
// `probability` and `mask` are dense, i fastest, on the image's grid, and aligned. `threshold` 0: 0.5. `largest_component` not 0: the
// largest connected part alone. `mask` or `measurements` NULL: not wanted. Values beyond 0 to 1 by more than
// rounding, or NaN, are no probabilities: GGPFN_ERROR_ARGUMENT. In the measurements, what tells how the network ran is 0, and
// the expected Dice NaN.
ggpfn_status ggpfn_threshold(const struct ggpfn_image *image,
                             const float *probability,
                             double threshold,
                             int32_t largest_component,
                             uint8_t *mask,
                             struct ggpfn_measurements *measurements);

// Fuses probabilities of views, without a model: the weighted sum, weights scaled to add up to 1, and the mask of what reaches the
// threshold. All buffers are dense, of `voxels` elements, and aligned.
//
// `axial`, `sagittal` or `coronal` NULL: that view is left out, and its weight with it. `weights` are the three views'; NULL: equal.
// `probability` or `mask` NULL: not wanted. `threshold` 0: 0.5. Values beyond 0 to 1 are refused as in ggpfn_threshold.
ggpfn_status ggpfn_fuse(const float *axial,
                        const float *sagittal,
                        const float *coronal,
                        const double *weights,
                        size_t voxels,
                        double threshold,
                        float *probability,
                        uint8_t *mask);

// Compares a mask with its truth, both on one grid (corners within 0.01 mm). What is not 0 is inside.
ggpfn_status ggpfn_evaluate(const struct ggpfn_image *prediction,
                            const struct ggpfn_image *truth,
                            struct ggpfn_comparison *comparison);

// A training that is to be described by the functions below and run by ggpfn_training_run, to be freed with ggpfn_training_free.
//
// `options` is text in TOML, as `ggpfn train --config` reads it; `preset = "msd"`, "nihc" or "small" chooses what it leaves out. NULL:
// the preset "small".
ggpfn_status ggpfn_training_new(const char *options,
                                struct ggpfn_training **training);

// Starts from a model's weights, and trains its network: to fine-tune. Network, views, view weights and threshold are the model's where the
// options do not name them; options for another network are refused. The stage of the whole network alone is trained, and with
// `all_stages` not 0 the others too, unless the options say how many epochs they have. To be called before cases are added, since the model
// says at which spacing they are looked at.
ggpfn_status ggpfn_training_set_model(struct ggpfn_training *training,
                                      const struct ggpfn_model *model,
                                      int32_t all_stages);

// Keeps log, curves, checkpoints and the best model in a folder, which is created. With `resume` not 0 the training goes on from what is
// there.
ggpfn_status ggpfn_training_set_folder(struct ggpfn_training *training,
                                       const char *folder,
                                       int32_t resume);

// Where to compute: GGPFN_DEVICE_AUTO, GGPFN_DEVICE_CPU, or GGPFN_DEVICE_CUDA with the GPU's number in `index`.
ggpfn_status ggpfn_training_set_device(struct ggpfn_training *training,
                                       int32_t device,
                                       int32_t index);

// Stops after so many minutes, saved; 0: when all is done.
ggpfn_status ggpfn_training_set_minutes(struct ggpfn_training *training, double minutes);

// Adds a case in memory: an image and the mask of its pancreas on the same grid, of any dtype. Both are converted and not needed
// afterwards. `name` is what messages call it; `role` is GGPFN_TRAIN or GGPFN_VALIDATE. The log warns of an image that is no CT in
// Hounsfield units or has impossible voxel sizes.
ggpfn_status ggpfn_training_add_case(struct ggpfn_training *training,
                                     const char *name,
                                     const struct ggpfn_image *image,
                                     const struct ggpfn_image *mask,
                                     int32_t role);

// Adds a data set's cases: `layout` is "msd", "nihc" or "pairs" (NULL: pairs). `split` is a file of `ggpfn dataset split`, whose test cases are left
// out; NULL: all cases get `role`. `cache` is a folder where prepared volumes are kept, so that memory stays bounded; NULL:
// they are kept in memory. Scans that are no CTs in Hounsfield units or have impossible voxel sizes are refused with GGPFN_ERROR_IMAGE.
ggpfn_status ggpfn_training_add_folder(struct ggpfn_training *training,
                                       const char *folder,
                                       const char *layout,
                                       const char *split,
                                       const char *cache,
                                       int32_t role,
                                       const struct ggpfn_monitor *monitor);

// The options as they are now, as TOML (see ggpfn_last_error for the buffer).
ggpfn_status ggpfn_training_options(const struct ggpfn_training *training,
                                    char *buffer,
                                    size_t capacity,
                                    size_t *needed);

// Trains, and gives the best model of all views so far, to be freed. A training that was cancelled, or whose time was up, has
// succeeded: `result` says so. `result` NULL: not wanted. The training may be run again.
ggpfn_status ggpfn_training_run(const struct ggpfn_training *training,
                                const struct ggpfn_monitor *monitor,
                                struct ggpfn_model **model,
                                struct ggpfn_training_result *result);

// Frees a training; a call that is using it goes on. NULL is let pass.
void ggpfn_training_free(struct ggpfn_training *training);

// Has the training be run by several processes together, each of which makes the same calls with the same options and cases in the same
// order, and then ggpfn_training_run. This one is number `rank` of `ranks`.
//
// The step's batches (option `accumulate`) are shared out among them, and the validation cases. The result has the same bits for any
// number of processes. Process 0 alone writes to the training's folder, which the others must be able to read if it is resumed.
//
// `views` has a bit 1 << GGPFN_AXIAL and so on for each view that these processes train, so that others may train the rest; 0: all. The folder's
// model.safetensors is then written by whoever resumes the training with all views once they are done.
//
// `all_gather`: `send` has `bytes` bytes, and `receive` gets `ranks` times as many, those of all processes in their order, as by
// MPI_Allgather. `all_to_all`: both have `bytes` bytes for each process; piece i of `send` goes to process i, and piece i of `receive` is from
// process i, as by MPI_Alltoall. With MPI, initialise with MPI_THREAD_SERIALIZED or more, since they are called on another thread.
ggpfn_status ggpfn_training_set_peers(struct ggpfn_training *training,
                                      int32_t rank,
                                      int32_t ranks,
                                      uint32_t views,
                                      ggpfn_exchange_callback all_gather,
                                      ggpfn_exchange_callback all_to_all,
                                      void *user_data);

// A trainer of one view in one stage, with the options, the training cases and the first weights of a training as it is now, to be freed
// with ggpfn_trainer_free.
//
// Of the training's batches, process number `rank` of `ranks` takes every `ranks`-th, beginning with its own number; 0 and 1 for one
// process. All processes have to be given the same options and cases in the same order; then they start from the same weights.
ggpfn_status ggpfn_trainer_new(const struct ggpfn_training *training,
                               int32_t view,
                               int32_t stage,
                               int32_t rank,
                               int32_t ranks,
                               struct ggpfn_trainer **trainer);

// The first half of a step: draws the next batch, computes its loss, and leaves its gradients. `losses` NULL: not wanted.
ggpfn_status ggpfn_trainer_gradients(struct ggpfn_trainer *trainer,
                                     struct ggpfn_losses *losses);

// The second half of a step: Adam's step with the gradients as they are now. `learning_rate` is above 0.
ggpfn_status ggpfn_trainer_update(struct ggpfn_trainer *trainer, double learning_rate);

// The length of a buffer: `which` is GGPFN_PARAMETERS, GGPFN_GRADIENTS (as long as the parameters) or GGPFN_STATISTICS.
ggpfn_status ggpfn_trainer_length(const struct ggpfn_trainer *trainer,
                                  int32_t which,
                                  size_t *length);

// Copies a buffer out. `length` is that of ggpfn_trainer_length.
ggpfn_status ggpfn_trainer_read(const struct ggpfn_trainer *trainer,
                                int32_t which,
                                float *values,
                                size_t length);

// Copies a buffer in. `length` is that of ggpfn_trainer_length.
ggpfn_status ggpfn_trainer_write(struct ggpfn_trainer *trainer,
                                 int32_t which,
                                 const float *values,
                                 size_t length);

// The model of this view as it is now, to be freed.
ggpfn_status ggpfn_trainer_model(const struct ggpfn_trainer *trainer, struct ggpfn_model **model);

// Frees a trainer. NULL is let pass.
void ggpfn_trainer_free(struct ggpfn_trainer *trainer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GGPFN_H */
