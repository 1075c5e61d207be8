// The C++ face of libggpfn: pancreas segmentation in CT by the Globally Guided Progressive Fusion Network.
//
// Header-only, C++17 and later, over ggpfn.h, where everything is described in full; here stands what C++ makes of it:
//
// - handles are objects that free themselves. A Model and a Monitor are shared by copying, cheaply; a Training and a Trainer only move;
// - a status that is not success is an Error, thrown, which keeps the status;
// - what C marks by 0, -1 or NaN, "default" or "none", is an empty std::optional;
// - progress is a std::function. What it throws stops the work and comes out of the call that the work was started by;
// - a Monitor stops work as a std::stop_source does; with C++20 a std::stop_token can be given in its place.
//
//     auto model = ggpfn::Model::shipped();
//     auto image = ggpfn::Image::of(voxels, {512, 512, 100}, {0.8, 0.8, 2.5});  // std::vector<std::int16_t> voxels
//     auto found = model.segment(image);
//     std::cout << found.measurements.volume_ml << " mL\n";
//
// Threads: as in ggpfn.h. One Model may be used by any number of threads at once. Texts and paths are UTF-8.

#ifndef GGPFN_HPP
#define GGPFN_HPP

#include "ggpfn.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if __cplusplus >= 202002L || (defined(_MSVC_LANG) && _MSVC_LANG >= 202002L)
#  include <version>
#endif
#if defined(__cpp_lib_jthread)
#  include <stop_token>
#endif
#if defined(__cpp_lib_ranges)
#  include <ranges>
#endif

namespace ggpfn
{

// ---------------------------------------------------------------------------------------------------------------------------------
// Names for numbers
// ---------------------------------------------------------------------------------------------------------------------------------

/// Why a call failed. A later library may know more numbers.
enum class StatusCode : std::int32_t
{
  ok = GGPFN_OK,
  argument = GGPFN_ERROR_ARGUMENT,
  image = GGPFN_ERROR_IMAGE,
  model = GGPFN_ERROR_MODEL,
  file = GGPFN_ERROR_FILE,
  device = GGPFN_ERROR_DEVICE,
  memory = GGPFN_ERROR_MEMORY,
  torch = GGPFN_ERROR_TORCH,
  training = GGPFN_ERROR_TRAINING,
  cancelled = GGPFN_ERROR_CANCELLED,
  runtime = GGPFN_ERROR_RUNTIME,
  buffer = GGPFN_ERROR_BUFFER,
  busy = GGPFN_ERROR_BUSY,
  internal = GGPFN_ERROR_INTERNAL,
  fork = GGPFN_ERROR_FORK
};

/// The direction in which an image is cut into slices.
enum class View : std::int32_t
{
  axial = GGPFN_AXIAL,
  sagittal = GGPFN_SAGITTAL,
  coronal = GGPFN_CORONAL
};

/// The type of voxels.
enum class DType : std::int32_t
{
  int8 = GGPFN_INT8,
  uint8 = GGPFN_UINT8,
  int16 = GGPFN_INT16,
  uint16 = GGPFN_UINT16,
  int32 = GGPFN_INT32,
  uint32 = GGPFN_UINT32,
  int64 = GGPFN_INT64,
  uint64 = GGPFN_UINT64,
  float32 = GGPFN_FLOAT32,
  float64 = GGPFN_FLOAT64
};

/// Where the patient's coordinates grow to.
enum class Frame : std::int32_t
{
  lps = GGPFN_LPS, ///< Left, Posterior, Superior: ITK, DICOM.
  ras = GGPFN_RAS  ///< Right, Anterior, Superior: 3D Slicer, NIfTI.
};

/// The number format that the network computes in.
enum class Precision : std::int32_t
{
  automatic = GGPFN_PRECISION_AUTO, ///< bfloat16 where the device is fast at it, otherwise float32.
  float32 = GGPFN_PRECISION_FLOAT32,
  bfloat16 = GGPFN_PRECISION_BFLOAT16
};

/// How a model file stores its weights.
enum class WeightType : std::int32_t
{
  float32 = GGPFN_WEIGHTS_FLOAT32,
  float16 = GGPFN_WEIGHTS_FLOAT16,
  bfloat16 = GGPFN_WEIGHTS_BFLOAT16
};

/// What a case is for.
enum class Role : std::int32_t
{
  train = GGPFN_TRAIN,
  validate = GGPFN_VALIDATE
};

/// A stage of training.
enum class Stage : std::int32_t
{
  global = GGPFN_STAGE_GLOBAL,
  local = GGPFN_STAGE_LOCAL,
  whole = GGPFN_STAGE_WHOLE
};

/// How a training ended.
enum class End : std::int32_t
{
  done = GGPFN_END_DONE,
  out_of_time = GGPFN_END_OUT_OF_TIME,
  cancelled = GGPFN_END_CANCELLED
};

/// A buffer of a Trainer.
enum class Buffer : std::int32_t
{
  parameters = GGPFN_PARAMETERS,
  gradients = GGPFN_GRADIENTS,
  statistics = GGPFN_STATISTICS
};

/// What a warning about a result is about; later versions may add some.
enum class WarningKind : std::int32_t
{
  nothing_found = GGPFN_WARNING_NOTHING_FOUND,
  small_volume = GGPFN_WARNING_SMALL_VOLUME,
  large_volume = GGPFN_WARNING_LARGE_VOLUME,
  views_disagree = GGPFN_WARNING_VIEWS_DISAGREE,
  many_parts = GGPFN_WARNING_MANY_PARTS,
  cut_off = GGPFN_WARNING_CUT_OFF,
  not_covered = GGPFN_WARNING_NOT_COVERED,
  not_soft_tissue = GGPFN_WARNING_NOT_SOFT_TISSUE,
  not_hounsfield = GGPFN_WARNING_NOT_HOUNSFIELD,
  voxel_size = GGPFN_WARNING_VOXEL_SIZE,
  thick_slices = GGPFN_WARNING_THICK_SLICES,
  unmeasured = GGPFN_WARNING_UNMEASURED,
  stray_values = GGPFN_WARNING_STRAY_VALUES
};

/// How grave a message is.
enum class LogLevel : std::int32_t
{
  error = GGPFN_LOG_ERROR,
  warning = GGPFN_LOG_WARNING,
  info = GGPFN_LOG_INFO,
  debug = GGPFN_LOG_DEBUG
};

/// Where to compute.
struct Device
{
  std::int32_t kind = GGPFN_DEVICE_AUTO;
  std::int32_t index = 0;

  /// The first GPU if there is a usable one, otherwise the processor.
  static constexpr Device automatic() noexcept { return {GGPFN_DEVICE_AUTO, 0}; }
  /// The processor.
  static constexpr Device cpu() noexcept { return {GGPFN_DEVICE_CPU, 0}; }
  /// The CUDA GPU of this number.
  static constexpr Device cuda(std::int32_t number = 0) noexcept { return {GGPFN_DEVICE_CUDA, number}; }
};

// ---------------------------------------------------------------------------------------------------------------------------------
// Errors, versions
// ---------------------------------------------------------------------------------------------------------------------------------

/// What every call throws that fails: the library's sentence, and the status to act on.
class Error : public std::runtime_error
{
public:
  Error(StatusCode status, const std::string & message) : std::runtime_error(message), status_(status) {}

  /// Why the call failed.
  StatusCode status() const noexcept { return status_; }
  /// Whether the work was stopped because somebody wanted it to be.
  bool cancelled() const noexcept { return status_ == StatusCode::cancelled; }

private:
  StatusCode status_;
};

/// The version of the library that the program runs with, "0.1.0".
inline std::string version() { return ggpfn_version(); }

/// Throws if the library that the program runs with has another binary interface than the one that it was compiled with. Everything
/// here that makes a handle asks this first; programs may ask when they start.
inline void check_version()
{
  const std::uint32_t loaded = ggpfn_abi_version();
  if (loaded != GGPFN_ABI_VERSION)
  {
    throw Error(StatusCode::runtime,
                "this program was compiled for version " + std::to_string(GGPFN_ABI_VERSION) +
                  " of libggpfn's binary interface and runs with version " + std::to_string(loaded) + " (libggpfn " +
                  version() + "); compile it anew or install the other library");
  }
}

namespace detail
{

/// The text that a function of ggpfn.h gives by (buffer, capacity, needed).
template <class Function>
std::string text(const Function & give, std::int32_t & status)
{
  std::string buffer;
  std::size_t needed = 0;
  status = give(static_cast<char *>(nullptr), std::size_t{0}, &needed);
  // Once, unless the text grows between the two calls.
  while (status == GGPFN_OK && needed > buffer.size())
  {
    buffer.resize(needed);
    status = give(&buffer[0], buffer.size(), &needed);
    if (status == GGPFN_ERROR_BUFFER)
    {
      status = GGPFN_OK;
    }
  }
  buffer.resize(status == GGPFN_OK && needed > 0 ? needed - 1 : 0);
  return buffer;
}

[[noreturn]] inline void fail(std::int32_t status)
{
  std::int32_t ignored = GGPFN_OK;
  std::string message = text([](char * b, std::size_t c, std::size_t * n) { return ggpfn_last_error(b, c, n); }, ignored);
  if (message.empty())
  {
    message = ggpfn_status_text(status);
  }
  throw Error(static_cast<StatusCode>(status), message);
}

inline void check(std::int32_t status)
{
  if (status != GGPFN_OK)
  {
    fail(status);
  }
}

template <class Function>
std::string text(const Function & give)
{
  std::int32_t status = GGPFN_OK;
  std::string result = text(give, status);
  check(status);
  return result;
}

[[noreturn]] inline void refuse(const std::string & sentence) { throw Error(StatusCode::argument, sentence); }

/// A text for C, which ends at its first NUL.
inline const char * c_text(const std::string & text)
{
  if (text.find('\0') != std::string::npos)
  {
    refuse("a text or path has a NUL inside");
  }
  return text.c_str();
}

inline const char * c_text_or_null(const std::string & text) { return text.empty() ? nullptr : c_text(text); }

/// A struct of ggpfn.h, all 0 but for its size.
template <class Struct>
Struct sized() noexcept
{
  Struct value{};
  value.struct_size = sizeof(Struct);
  return value;
}

inline std::optional<double> number(double value)
{
  return std::isnan(value) ? std::nullopt : std::optional<double>(value);
}

inline std::optional<std::array<double, 3>> vector(const double (&value)[3])
{
  using Vector = std::array<double, 3>;
  return std::isnan(value[0]) ? std::nullopt : std::optional<Vector>(Vector{{value[0], value[1], value[2]}});
}

template <class T>
std::array<T, 3> triple(const T (&value)[3]) noexcept
{
  return {{value[0], value[1], value[2]}};
}

template <class To>
std::optional<To> natural(std::int32_t value)
{
  return value < 0 ? std::nullopt : std::optional<To>(static_cast<To>(value));
}

struct Free
{
  void operator()(ggpfn_model * handle) const noexcept { ggpfn_model_free(handle); }
  void operator()(ggpfn_monitor * handle) const noexcept { ggpfn_monitor_free(handle); }
  void operator()(ggpfn_training * handle) const noexcept { ggpfn_training_free(handle); }
  void operator()(ggpfn_trainer * handle) const noexcept { ggpfn_trainer_free(handle); }
};

template <class Handle>
using Owned = std::unique_ptr<Handle, Free>;

/// The handle that a function of ggpfn.h gives through its last argument.
template <class Handle, class Function>
Owned<Handle> made(const Function & make)
{
  check_version();
  Handle * handle = nullptr;
  check(make(&handle));
  return Owned<Handle>(handle);
}

} // namespace detail

// ---------------------------------------------------------------------------------------------------------------------------------
// Memory of the caller's
// ---------------------------------------------------------------------------------------------------------------------------------

namespace detail
{

/// Whether a container refers to its elements, as a span does, and does not own them: owners give a pointer to constant elements where they
/// are constant themselves.
template <class Container>
inline constexpr bool refers = std::is_same_v<decltype(std::data(std::declval<std::remove_cv_t<Container> &>())),
                                              decltype(std::data(std::declval<const Container &>()))>;

/// Whether what is handed over stays when the call is over: it has a name, or its elements lie elsewhere.
template <class Container>
constexpr bool stays() noexcept
{
  if constexpr (std::is_lvalue_reference_v<Container>)
  {
    return true;
  }
  else
  {
    return refers<Container>;
  }
}

} // namespace detail

/// A stretch of memory of the caller's: what std::span is in C++20, and made from one, and from whatever else has data() and size(). It
/// is the same type in both languages, so that their object files can be linked together.
template <class T>
class span
{
public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  using iterator = T *;

  constexpr span() noexcept = default;
  constexpr span(T * data, std::size_t size) noexcept : data_(data), size_(size) {}

  template <class Container,
            class = std::enable_if_t<!std::is_same_v<std::decay_t<Container>, span>>,
            class Element = std::remove_pointer_t<decltype(std::data(std::declval<Container &>()))>,
            class = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]>>>
  constexpr span(Container && container) noexcept : data_(std::data(container)), size_(std::size(container))
  {}

  constexpr T *         data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool        empty() const noexcept { return size_ == 0; }
  constexpr T *         begin() const noexcept { return data_; }
  constexpr T *         end() const noexcept { return data_ + size_; }
  constexpr T &         operator[](std::size_t index) const noexcept { return data_[index]; }

private:
  T *         data_ = nullptr;
  std::size_t size_ = 0;
};

/// Three numbers along i, j and k, or along the patient's axes.
using Vector = std::array<double, 3>;
/// 3 x 3 numbers, row after row.
using Matrix = std::array<double, 9>;
/// Voxels along i, j and k.
using Size = std::array<std::size_t, 3>;
/// Bytes from a voxel to the next one along i, j and k.
using Strides = std::array<std::int64_t, 3>;

/// The DType of a C++ type.
template <class T>
constexpr DType dtype_of() noexcept
{
  static_assert(std::is_integral_v<T> || std::is_same_v<T, float> || std::is_same_v<T, double>,
                "voxels are integers of 8 to 64 bits, float or double");
  static_assert(sizeof(T) <= 8, "voxels have at most 64 bits");
  if constexpr (std::is_floating_point_v<T>)
  {
    return sizeof(T) == 4 ? DType::float32 : DType::float64;
  }
  else
  {
    switch (sizeof(T))
    {
      case 1:
        return std::is_signed_v<T> ? DType::int8 : DType::uint8;
      case 2:
        return std::is_signed_v<T> ? DType::int16 : DType::uint16;
      case 4:
        return std::is_signed_v<T> ? DType::int32 : DType::uint32;
      default:
        return std::is_signed_v<T> ? DType::int64 : DType::uint64;
    }
  }
}

/// A 3D image in the caller's memory, which has to stay while the image is used: nothing is copied. Voxels are Hounsfield units; in
/// masks, what is not 0 is inside.
class Image
{
public:
  /// Dense voxels, i fastest, along the patient's axes in LPS, the first at (0, 0, 0).
  template <class T>
  static Image of(const T * data, const Size & size, const Vector & spacing)
  {
    return of(data, dtype_of<std::remove_cv_t<T>>(), size[0] * size[1] * size[2] * sizeof(T), size, spacing);
  }

  /// The same from a std::vector, a span or another container, whose length is checked when the image is used. A temporary that owns its
  /// elements would be gone by then, and is refused by the compiler; one that refers to them, such as a span, is not.
  template <class Container,
            class = std::enable_if_t<!std::is_array_v<std::remove_reference_t<Container>>>,
            class T = std::remove_pointer_t<decltype(std::data(std::declval<Container &>()))>>
  static Image of(Container && voxels, const Size & size, const Vector & spacing)
  {
    static_assert(detail::stays<Container>(),
                  "the image would refer to the elements of a temporary, which are gone when it is used: give the container a name");
    return of(std::data(voxels), dtype_of<std::remove_cv_t<T>>(), std::size(voxels) * sizeof(T), size, spacing);
  }

  /// The same for a type that is known at run time alone; the buffer has `bytes` bytes.
  static Image of(const void * data, DType dtype, std::size_t bytes, const Size & size, const Vector & spacing)
  {
    Image image;
    image.image_.data = data;
    image.image_.data_bytes = bytes;
    image.image_.dtype = static_cast<std::int32_t>(dtype);
    for (std::size_t axis = 0; axis < 3; ++axis)
    {
      image.image_.size[axis] = size[axis];
      image.image_.spacing[axis] = spacing[axis];
      image.image_.direction[4 * axis] = 1.0;
    }
    return image;
  }

  /// The centre of voxel (0, 0, 0), in mm.
  Image & set_origin(const Vector & origin) noexcept
  {
    std::copy_n(origin.begin(), 3, image_.origin);
    return *this;
  }

  /// The columns are the unit vectors of i, j and k.
  Image & set_direction(const Matrix & direction) noexcept
  {
    std::copy_n(direction.begin(), 9, image_.direction);
    return *this;
  }

  /// The frame of origin and direction.
  Image & set_frame(Frame frame) noexcept
  {
    image_.frame = static_cast<std::int32_t>(frame);
    return *this;
  }

  /// Bytes from a voxel to the next one along i, j and k, within a buffer of so many bytes from its lowest to its highest voxel. The
  /// pointer is voxel (0, 0, 0)'s; strides may be negative.
  Image & set_strides(const Strides & strides, std::size_t buffer_bytes) noexcept
  {
    std::copy_n(strides.begin(), 3, image_.strides);
    image_.data_bytes = buffer_bytes;
    return *this;
  }

  Size        size() const noexcept { return detail::triple(image_.size); }
  Vector      spacing() const noexcept { return detail::triple(image_.spacing); }
  std::size_t voxels() const noexcept { return image_.size[0] * image_.size[1] * image_.size[2]; }
  /// What ggpfn.h knows.
  const ggpfn_image & c() const noexcept { return image_; }

private:
  ggpfn_image image_ = detail::sized<ggpfn_image>();
};

/// Where a result goes, on the grid of the image; empty: it is not wanted.
template <class T>
class Output
{
public:
  Output() noexcept = default;

  /// Dense, i fastest. A temporary that owns its elements is refused by the compiler: nobody would see the result.
  template <class Memory, class = std::enable_if_t<std::is_convertible_v<Memory, span<T>>>>
  Output(Memory && memory) noexcept
  {
    static_assert(detail::stays<Memory>(),
                  "the result would go to the elements of a temporary, which are gone by then: give the container a name");
    const span<T> buffer(std::forward<Memory>(memory));
    output_.data = buffer.data();
    output_.data_bytes = buffer.size() * sizeof(T);
  }

  /// Voxel (0, 0, 0), strides in bytes, and the bytes of the buffer from its lowest to its highest voxel.
  Output(T * data, const Strides & strides, std::size_t buffer_bytes) noexcept
  {
    output_.data = data;
    output_.data_bytes = buffer_bytes;
    std::copy_n(strides.begin(), 3, output_.strides);
  }

  /// What ggpfn.h knows.
  const ggpfn_output & c() const noexcept { return output_; }

private:
  ggpfn_output output_{};
};

// ---------------------------------------------------------------------------------------------------------------------------------
// Progress and cancel
// ---------------------------------------------------------------------------------------------------------------------------------

/// How far long work is.
struct Progress
{
  double                fraction = 0.0; ///< The part that is done, 0 to 1; never falls.
  std::optional<double> seconds_left;   ///< An estimate, once there is one.
  std::string           phase;          ///< What is being done, in English: "axial view".
  std::optional<View>   view;           ///< The view under way.
  std::optional<Stage>  stage;          ///< Training: the stage.
  std::optional<int>    epoch;          ///< Training: the epoch of the stage, from 1.
  std::optional<int>    epochs;         ///< Training: epochs of the stage.
  std::optional<int>    batch;          ///< Training: batches of the epoch that are done.
  std::optional<int>    batches;        ///< Training: batches of an epoch.
  std::optional<double> loss;           ///< Training: the step's loss.
  std::optional<double> dice;           ///< Training: the view's validation Dice, in reports of validations.
};

/// Hears how far work is, on the thread that started it. Returns false to stop it. What it throws stops the work too, and is thrown by
/// the call that the work was started by.
using ProgressFunction = std::function<bool(const Progress &)>;

namespace detail
{

inline Progress progress(const ggpfn_progress & from)
{
  Progress to;
  to.fraction = from.fraction;
  to.seconds_left = number(from.seconds_left);
  to.phase = from.phase;
  to.view = natural<View>(from.view);
  to.stage = natural<Stage>(from.stage);
  to.epoch = natural<int>(from.epoch);
  to.epochs = natural<int>(from.epochs);
  to.batch = natural<int>(from.batch);
  to.batches = natural<int>(from.batches);
  to.loss = number(from.loss);
  to.dice = number(from.dice);
  return to;
}

} // namespace detail

class CancelToken;

/// Long work's other end: stops it, and says how far it is, from any thread. Copies are the same monitor.
///
/// It is to a CancelToken what a std::stop_source is to a std::stop_token: one monitor's tokens may be given to several calls, also at the
/// same time, and a request to stop holds for all of them, and for later ones until reset().
class Monitor
{
public:
  Monitor() : handle_(detail::made<ggpfn_monitor>([](ggpfn_monitor ** out) { return ggpfn_monitor_new(out); })) {}

  /// Asks the work to stop. Segmentation throws an Error whose cancelled() is true; training saves and returns what it has. False if that
  /// was asked before.
  bool request_stop() const noexcept
  {
    const bool before = stop_requested();
    ggpfn_monitor_cancel(handle_.get());
    return !before;
  }

  /// Whether the work was asked to stop.
  bool stop_requested() const noexcept
  {
    std::int32_t answer = 0;
    ggpfn_monitor_is_cancelled(handle_.get(), &answer);
    return answer != 0;
  }

  /// What is given to the work.
  CancelToken get_token() const noexcept;

  /// The latest report, for those who would rather ask than be called.
  Progress progress() const
  {
    ggpfn_progress latest = detail::sized<ggpfn_progress>();
    detail::check(ggpfn_monitor_progress(handle_.get(), &latest));
    return detail::progress(latest);
  }

  /// Takes a request to stop back, for work that is started from now on, and forgets the latest report.
  void reset() const { detail::check(ggpfn_monitor_reset(handle_.get())); }

  /// What ggpfn.h knows.
  ggpfn_monitor * c() const noexcept { return handle_.get(); }

private:
  friend class CancelToken;

  std::shared_ptr<ggpfn_monitor> handle_;
};

/// The same object, for those who know it from std::stop_source.
using CancelSource = Monitor;

/// What long work is given to be stopped by. An empty one never stops it.
class CancelToken
{
public:
  CancelToken() noexcept = default;

  CancelToken(const Monitor & monitor) noexcept : handle_(monitor.handle_) {}

#if defined(__cpp_lib_jthread)
  /// Stops when a std::stop_source says so.
  CancelToken(const std::stop_token & token)
  {
    if (token.stop_possible())
    {
      handle_ = Monitor().handle_;
      link_ = std::make_shared<Link>(token, Cancel{handle_});
    }
  }
#endif

  /// Whether the work was asked to stop.
  bool stop_requested() const noexcept
  {
    std::int32_t answer = 0;
    if (handle_)
    {
      ggpfn_monitor_is_cancelled(handle_.get(), &answer);
    }
    return answer != 0;
  }

  /// Whether anything could ask it to.
  bool stop_possible() const noexcept { return handle_ != nullptr; }

  /// What ggpfn.h knows; NULL if empty.
  ggpfn_monitor * c() const noexcept { return handle_.get(); }

private:
#if defined(__cpp_lib_jthread)
  struct Cancel
  {
    std::shared_ptr<ggpfn_monitor> handle;
    void operator()() const noexcept { ggpfn_monitor_cancel(handle.get()); }
  };
  using Link = std::stop_callback<Cancel>;
#endif

  std::shared_ptr<ggpfn_monitor> handle_;
  // What listens to a std::stop_token. Its type is hidden so that C++17 and C++20 agree on what a CancelToken is.
  std::shared_ptr<void> link_;
};

inline CancelToken
Monitor::get_token() const noexcept
{
  return CancelToken(*this);
}

/// How a caller follows long work, and stops it; both may be left out: `{on_progress}`, `{on_progress, token}`, `{nullptr, token}`.
struct Watch
{
  ProgressFunction progress;
  CancelToken      cancel;
};

namespace detail
{

/// A call that follows long work. The library reports on the thread that called, so the function that is to hear belongs to the thread's
/// innermost call; the monitor may be shared with calls of other threads that have functions of their own.
class Call
{
public:
  explicit Call(const Watch & watch) : watch_(watch), monitor_(watch.cancel), outer_(innermost())
  {
    if (watch.progress)
    {
      if (!monitor_.stop_possible())
      {
        monitor_ = Monitor();
      }
      check(ggpfn_monitor_set_callback(monitor_.c(), report, monitor_.c()));
      innermost() = this;
    }
  }

  Call(const Call &) = delete;
  Call & operator=(const Call &) = delete;

  ~Call()
  {
    if (watch_.progress)
    {
      innermost() = outer_;
    }
  }

  const ggpfn_monitor * monitor() const noexcept { return monitor_.c(); }

  /// To be called with the work's status: throws what the function threw, or what went wrong.
  void end(std::int32_t status) const
  {
    if (thrown_)
    {
      std::rethrow_exception(thrown_);
    }
    check(status);
  }

private:
  static Call *& innermost() noexcept
  {
    static thread_local Call * call = nullptr;
    return call;
  }

  static std::int32_t report(const ggpfn_progress * progress, void * monitor) noexcept
  {
    Call * call = innermost();
    if (call == nullptr || call->monitor_.c() != monitor)
    {
      return 1;
    }
    if (call->thrown_)
    {
      return 0;
    }
    try
    {
      return call->watch_.progress(detail::progress(*progress)) ? 1 : 0;
    }
    catch (...)
    {
      call->thrown_ = std::current_exception();
      return 0;
    }
  }

  const Watch &      watch_;
  CancelToken        monitor_;
  Call *             outer_;
  std::exception_ptr thrown_;
};

} // namespace detail

// ---------------------------------------------------------------------------------------------------------------------------------
// Segmentation
// ---------------------------------------------------------------------------------------------------------------------------------

/// A part of an image.
struct Region
{
  Size start{{0, 0, 0}}; ///< Its first voxel.
  Size size{{0, 0, 0}};  ///< Its voxels along i, j and k.
};

/// How an image is to be segmented. What is empty is left to the library.
struct Options
{
  std::vector<View>                 views;                            ///< The views to compute; none: all that the model has.
  Device                            device;                           ///< Where to compute.
  Precision                         precision = Precision::automatic; ///< In which number format.
  std::optional<int>                threads;                          ///< Processor threads; all processors.
  std::optional<int>                block;                            ///< Slices that enter the network at a time.
  std::optional<std::array<int, 2>> patch;                            ///< Cut slices into patches, for small GPUs; multiples of 8.
  std::optional<int>                overlap;                          ///< Pixels by which patches overlap; 64.
  bool                              largest_component = false;        ///< Keep the largest connected part alone.
  std::optional<Vector>             view_weights;                     ///< Axial, sagittal, coronal; the model's.
  std::optional<double>             threshold;                        ///< Probabilities from here on are pancreas; the model's.
  std::optional<Region>             region;                           ///< Look at nothing else; the whole image.

  /// What ggpfn.h knows. There 0 stands for the default, so a 0 that was given is refused.
  ggpfn_segment_options c() const
  {
    ggpfn_segment_options to = detail::sized<ggpfn_segment_options>();
    const auto given = [](const std::optional<int> & value, const char * name) {
      if (value && *value == 0)
      {
        detail::refuse(std::string(name) + ": 0; a number from 1 was expected, or none for the default");
      }
      return value.value_or(0);
    };
    for (const View view : views)
    {
      const auto bit = static_cast<std::int32_t>(view);
      if (bit < 0 || bit > 2)
      {
        detail::refuse("views: " + std::to_string(bit) + " is no view");
      }
      to.views |= 1 << bit;
    }
    to.device = device.kind;
    to.device_index = device.index;
    to.precision = static_cast<std::int32_t>(precision);
    to.threads = given(threads, "threads");
    to.block = given(block, "block");
    to.overlap = given(overlap, "overlap");
    to.largest_component = largest_component ? 1 : 0;
    if (patch)
    {
      to.patch[0] = given((*patch)[0], "patch");
      to.patch[1] = given((*patch)[1], "patch");
    }
    if (view_weights)
    {
      if (*view_weights == Vector{{0.0, 0.0, 0.0}})
      {
        detail::refuse("view_weights: all 0; one at least above 0 was expected");
      }
      std::copy_n(view_weights->begin(), 3, to.view_weights);
    }
    if (threshold)
    {
      if (*threshold == 0.0)
      {
        detail::refuse("threshold: 0; a number above 0, up to 1, was expected");
      }
      to.threshold = *threshold;
    }
    if (region)
    {
      if (region->size[0] == 0 || region->size[1] == 0 || region->size[2] == 0)
      {
        detail::refuse("region: it has no voxels");
      }
      std::copy_n(region->start.begin(), 3, to.region_start);
      std::copy_n(region->size.begin(), 3, to.region_size);
    }
    return to;
  }
};

/// What is wanted besides the mask.
struct Wanted
{
  bool probability = false;      ///< The fused probability.
  bool view_probability = false; ///< Each view's probability.
  bool uncertainty = false;      ///< How much the views disagree.
};

/// One of the structures that a model segments.
struct Label
{
  int         value = 0;            ///< Its value in a label map, 1 to 255.
  std::string name;                 ///< Its name in UTF-8.
  std::array<std::uint8_t, 3> colour{}; ///< Red, green and blue to show it in.
  double      threshold = 0;        ///< Probabilities from here on are this label.
  std::string code;                 ///< What it is: a code's value; empty: unknown.
  std::string code_scheme;          ///< The code's scheme: SCT is SNOMED CT.
  std::string code_meaning;         ///< The code's meaning in English.
};

/// Where results go: buffers of the caller's, written when all is done, and not at all if the work fails.
struct Results
{
  Output<std::uint8_t>         mask;             ///< 1 in the pancreas (the model's first label), 0 outside.
  Output<std::uint8_t>         label_map;        ///< All labels, each with its value, 0 outside.
  Output<float>                probability;      ///< The first label's fused probability, 0 to 1.
  std::array<Output<float>, 3> view_probability; ///< Each view's: axial, sagittal, coronal.
  Output<float>                uncertainty;      ///< The standard deviation of the views' probabilities, 0 to 0.5.
};

/// One thing that is odd about a scan or a result.
struct Warning
{
  WarningKind kind = WarningKind::nothing_found; ///< What it is about.
  std::string text;                              ///< What was found and what was expected.
};

/// What a mask says about the organ. What an empty mask does not have is empty.
struct Measurements
{
  std::uint64_t         voxels = 0;     ///< Voxels in the mask.
  std::uint64_t         components = 0; ///< Connected parts of the mask.
  double                volume_ml = 0;  ///< Volume in mL.
  std::optional<Region> box;            ///< The bounding box.
  std::optional<Vector> box_mm;         ///< Its edges in mm.
  std::optional<Vector> centroid;       ///< The centroid in mm, in the frame of the image.
  std::optional<double> mean_hu;        ///< Mean of the Hounsfield units.
  std::optional<double> std_hu;         ///< Their standard deviation.
  double                threshold = 0;  ///< The threshold that made the mask.
  Vector                view_weights{}; ///< The weights that the views had; 0 for one that was not computed.
  Device                device;         ///< Where the network ran.
  Precision             precision = Precision::automatic; ///< In which number format.
  double                seconds = 0;    ///< Wall-clock seconds of the whole work.
  std::optional<double> expected_dice;  ///< The Dice to expect against a manual segmentation; empty without a network.
  bool                  doubtful = false; ///< Whether a person should look before the result is used.
  std::vector<Warning>  warnings;       ///< What is odd about scan and result.
};

/// A segmentation in memory of its own. What was not wanted is empty.
struct Segmentation
{
  Size                              size{};           ///< Voxels along i, j and k; i is fastest in what follows.
  std::vector<std::uint8_t>         mask;             ///< 1 in the pancreas (the model's first label), 0 outside.
  std::vector<std::uint8_t>         label_map;        ///< All labels, each with its value, 0 outside; empty where the model has one alone.
  std::vector<float>                probability;      ///< The first label's fused probability.
  std::array<std::vector<float>, 3> view_probability; ///< Each view's: axial, sagittal, coronal.
  std::vector<float>                uncertainty;      ///< How much the views disagree.
  Measurements                      measurements;     ///< What the mask says about the organ.
};

/// How much memory a segmentation takes at its peak, beyond what the process has already.
struct Memory
{
  std::uint64_t                host_bytes = 0;   ///< In the machine.
  std::uint64_t                device_bytes = 0; ///< On the GPU; 0 if none is used.
  std::optional<std::uint64_t> host_free;        ///< What the machine has free now.
};

/// What a model is.
struct ModelInfo
{
  std::uint64_t         parameters = 0;           ///< Parameters of one view's network.
  std::vector<View>     views;                    ///< The views that it has a network for.
  int                   t = 0;                    ///< A slice's probability comes from 2t + 1 slices.
  bool                  progressive = false;      ///< Whether slices are fused progressively or at once.
  bool                  global_guidance = false;  ///< Whether there is global guidance.
  std::array<double, 2> window{};                 ///< Hounsfield units that map to 0 and 1.
  std::optional<Vector> spacing;                  ///< The working spacing in mm along x, y and z; empty: each image's own grid.
  Vector                view_weights{};           ///< The weights of the views in the fusion.
  double                threshold = 0;            ///< Probabilities from here on are pancreas.
  std::string           sha256;                   ///< The file's hash, in hexadecimal.
  std::vector<Label>    labels;                   ///< What it segments; the first is the main one.
};

namespace detail
{

inline ggpfn_result result(const Results & from, ggpfn_measurements * measurements)
{
  ggpfn_result to = sized<ggpfn_result>();
  to.mask = from.mask.c();
  to.label_map = from.label_map.c();
  to.probability = from.probability.c();
  for (std::size_t view = 0; view < 3; ++view)
  {
    to.view_probability[view] = from.view_probability[view].c();
  }
  to.uncertainty = from.uncertainty.c();
  to.measurements = measurements;
  return to;
}

inline Measurements measurements(const ggpfn_measurements & from)
{
  Measurements to;
  to.voxels = from.voxels;
  to.components = from.components;
  to.volume_ml = from.volume_ml;
  if (from.voxels > 0)
  {
    to.box.emplace();
    for (std::size_t axis = 0; axis < 3; ++axis)
    {
      to.box->start[axis] = static_cast<std::size_t>(from.box_start[axis]);
      to.box->size[axis] = static_cast<std::size_t>(from.box_size[axis]);
    }
  }
  to.box_mm = vector(from.box_mm);
  to.centroid = vector(from.centroid);
  to.mean_hu = number(from.mean_hu);
  to.std_hu = number(from.std_hu);
  to.threshold = from.threshold;
  to.view_weights = triple(from.view_weights);
  to.device.kind = from.device;
  to.precision = static_cast<Precision>(from.precision);
  to.seconds = from.seconds;
  to.expected_dice = number(from.expected_dice);
  to.doubtful = from.doubtful != 0;
  return to;
}

/// The warnings of the calling thread's last segmentation.
inline std::vector<Warning> warnings(std::int32_t count)
{
  std::vector<Warning> list;
  for (std::int32_t index = 0; index < count; ++index)
  {
    std::int32_t kind = 0;
    std::string  sentence = text([&](char * b, std::size_t c, std::size_t * n) {
      return ggpfn_result_warning(static_cast<std::size_t>(index), &kind, b, c, n);
    });
    list.push_back(Warning{static_cast<WarningKind>(kind), std::move(sentence)});
  }
  return list;
}

/// Bits 1 << GGPFN_AXIAL and so on.
inline std::vector<View> views(std::int32_t bits)
{
  std::vector<View> found;
  for (const View view : {View::axial, View::sagittal, View::coronal})
  {
    if ((bits >> static_cast<std::int32_t>(view) & 1) != 0)
    {
      found.push_back(view);
    }
  }
  return found;
}

} // namespace detail

/// A trained network for each of its views. It never changes; copies are the same model, and any number of threads may use it at once.
class Model
{
public:
  /// No model; every call that is given it fails.
  Model() noexcept = default;

  /// Takes over a handle of ggpfn.h.
  explicit Model(ggpfn_model * handle) : handle_(handle, detail::Free()) {}

  /// The model that is part of the library: trained on synthetic CTs, for research.
  static Model shipped()
  {
    return Model(detail::made<ggpfn_model>([](ggpfn_model ** out) { return ggpfn_model_shipped(out); }));
  }

  /// Reads a model file (.safetensors).
  static Model load(const std::string & path)
  {
    return Model(
      detail::made<ggpfn_model>([&](ggpfn_model ** out) { return ggpfn_model_load(detail::c_text(path), out); }));
  }

  /// Reads a model from the bytes of a model file, which are not needed afterwards.
  static Model load(const void * bytes, std::size_t length)
  {
    return Model(
      detail::made<ggpfn_model>([&](ggpfn_model ** out) { return ggpfn_model_load_memory(bytes, length, out); }));
  }

  /// An untrained model. `configuration` is a JSON object with entries of a model file's header; the paper's are taken for the rest.
  static Model untrained(const std::string & configuration, std::uint64_t seed)
  {
    return Model(detail::made<ggpfn_model>(
      [&](ggpfn_model ** out) { return ggpfn_model_new(detail::c_text_or_null(configuration), seed, out); }));
  }

  /// Whether there is a model.
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  bool operator==(const Model & other) const noexcept { return handle_ == other.handle_; }
  bool operator!=(const Model & other) const noexcept { return handle_ != other.handle_; }

  /// Writes a model file; it appears whole or not at all.
  void save(const std::string & path, WeightType weights = WeightType::float32) const
  {
    detail::check(ggpfn_model_save(handle_.get(), detail::c_text(path), static_cast<std::int32_t>(weights)));
  }

  /// A model file's bytes.
  std::vector<std::uint8_t> save(WeightType weights = WeightType::float32) const
  {
    const auto  type = static_cast<std::int32_t>(weights);
    std::size_t needed = 0;
    detail::check(ggpfn_model_save_memory(handle_.get(), type, nullptr, 0, &needed));
    std::vector<std::uint8_t> bytes(needed);
    detail::check(ggpfn_model_save_memory(handle_.get(), type, bytes.data(), bytes.size(), &needed));
    return bytes;
  }

  /// Describes the model.
  ModelInfo info() const
  {
    ggpfn_model_info from = detail::sized<ggpfn_model_info>();
    detail::check(ggpfn_model_describe(handle_.get(), &from));
    ModelInfo to;
    to.parameters = from.parameters;
    to.views = detail::views(from.views);
    to.t = from.t;
    to.progressive = from.progressive != 0;
    to.global_guidance = from.global_guidance != 0;
    to.window = {{from.window[0], from.window[1]}};
    if (from.spacing[0] > 0.0)
    {
      to.spacing = detail::triple(from.spacing);
    }
    to.view_weights = detail::triple(from.view_weights);
    to.threshold = from.threshold;
    to.sha256 = from.sha256;
    for (std::size_t index = 0; index < from.label_count; ++index)
    {
      ggpfn_label label = detail::sized<ggpfn_label>();
      detail::check(ggpfn_model_label(handle_.get(), index, &label));
      const auto part = [&](int shift) { return static_cast<std::uint8_t>(label.colour >> shift & 0xff); };
      to.labels.push_back(Label{label.value,
                                label.name,
                                {{part(16), part(8), part(0)}},
                                label.threshold,
                                label.code_value,
                                label.code_scheme,
                                label.code_meaning});
    }
    return to;
  }

  /// The whole configuration with its provenance, as JSON.
  std::string configuration() const
  {
    return detail::text([this](char * buffer, std::size_t capacity, std::size_t * needed) {
      return ggpfn_model_configuration(handle_.get(), buffer, capacity, needed);
    });
  }

  /// Segments the pancreas in an image, into memory of its own.
  Segmentation segment(const Image &   image,
                       const Options & options = {},
                       const Wanted &  wanted = {},
                       const Watch &   watch = {}) const
  {
    const std::size_t voxels = image.voxels();
    Segmentation      found;
    Results           results;
    // A size that cannot be is for the library to refuse, not for the allocator.
    estimate_memory(image, options, wanted);
    const auto computed = options.views.empty() ? info().views : options.views;
    found.size = image.size();
    found.mask.resize(voxels);
    results.mask = found.mask;
    if (info().labels.size() > 1)
    {
      found.label_map.resize(voxels);
      results.label_map = found.label_map;
    }
    const auto want = [voxels](std::vector<float> & values, Output<float> & output) {
      values.resize(voxels);
      output = values;
    };
    if (wanted.probability)
    {
      want(found.probability, results.probability);
    }
    if (wanted.uncertainty)
    {
      want(found.uncertainty, results.uncertainty);
    }
    if (wanted.view_probability)
    {
      for (const View view : computed)
      {
        const auto number = static_cast<std::size_t>(view);
        want(found.view_probability[number], results.view_probability[number]);
      }
    }
    found.measurements = segment_into(image, results, options, watch);
    return found;
  }

  /// Segments the pancreas in an image, into buffers of the caller's.
  Measurements segment_into(const Image &   image,
                            const Results & results,
                            const Options & options = {},
                            const Watch &   watch = {}) const
  {
    ggpfn_measurements          measured = detail::sized<ggpfn_measurements>();
    const ggpfn_result          result = detail::result(results, &measured);
    const ggpfn_segment_options choices = options.c();
    const detail::Call          call(watch);
    call.end(ggpfn_segment(handle_.get(), &image.c(), &choices, &result, call.monitor()));
    Measurements found = detail::measurements(measured);
    found.warnings = detail::warnings(measured.warning_count);
    return found;
  }

  /// Estimates the memory that segment() with the same arguments would take. The voxels are not looked at.
  Memory estimate_memory(const Image & image, const Options & options = {}, const Wanted & wanted = {}) const
  {
    // An output counts as wanted if it points anywhere.
    float          place = 0.0F;
    std::uint8_t   byte = 0;
    const ggpfn_output there{&place, sizeof(place), {0, 0, 0}};
    ggpfn_result   result = detail::sized<ggpfn_result>();
    result.mask = ggpfn_output{&byte, sizeof(byte), {0, 0, 0}};
    if (wanted.probability)
    {
      result.probability = there;
    }
    if (wanted.uncertainty)
    {
      result.uncertainty = there;
    }
    if (wanted.view_probability)
    {
      for (const View view : options.views.empty() ? info().views : options.views)
      {
        const auto number = static_cast<std::size_t>(view);
        if (number < 3)
        {
          result.view_probability[number] = there;
        }
      }
    }
    const ggpfn_segment_options choices = options.c();
    ggpfn_memory                from = detail::sized<ggpfn_memory>();
    detail::check(ggpfn_estimate_memory(handle_.get(), &image.c(), &choices, &result, &from));
    Memory to;
    to.host_bytes = from.host_bytes;
    to.device_bytes = from.device_bytes;
    if (from.host_free > 0)
    {
      to.host_free = from.host_free;
    }
    return to;
  }

  /// What ggpfn.h knows; NULL if there is no model.
  const ggpfn_model * c() const noexcept { return handle_.get(); }

private:
  explicit Model(detail::Owned<ggpfn_model> handle) : handle_(std::move(handle)) {}

  std::shared_ptr<ggpfn_model> handle_;
};

/// Probabilities of views, of one length; an empty one is left out.
struct ViewProbabilities
{
  span<const float> axial;
  span<const float> sagittal;
  span<const float> coronal;
};

/// Fused views.
struct Fused
{
  std::vector<float>        probability; ///< The weighted sum, weights scaled to add up to 1.
  std::vector<std::uint8_t> mask;        ///< 1 where it reaches the threshold.
};

/// Fuses views into buffers of the caller's; an empty one is not wanted. Weights: equal; threshold: 0.5.
inline void fuse_into(const ViewProbabilities &      views,
                      span<float>                   probability,
                      span<std::uint8_t>            mask,
                      const std::optional<Vector> & weights = std::nullopt,
                      std::optional<double>         threshold = std::nullopt)
{
  std::size_t voxels = 0;
  for (const std::size_t length :
       {views.axial.size(), views.sagittal.size(), views.coronal.size(), probability.size(), mask.size()})
  {
    if (length != 0 && voxels != 0 && length != voxels)
    {
      detail::refuse("the views' and results' buffers have " + std::to_string(voxels) + " and " + std::to_string(length) +
                     " voxels; one length was expected");
    }
    voxels = length != 0 ? length : voxels;
  }
  if (threshold && *threshold == 0.0)
  {
    detail::refuse("threshold: 0; a number above 0, up to 1, was expected");
  }
  // A container without elements may have an address.
  const auto pointer = [](const auto & buffer) { return buffer.empty() ? nullptr : buffer.data(); };
  detail::check(ggpfn_fuse(pointer(views.axial),
                           pointer(views.sagittal),
                           pointer(views.coronal),
                           weights ? weights->data() : nullptr,
                           voxels,
                           threshold.value_or(0.0),
                           pointer(probability),
                           pointer(mask)));
}

/// Fuses views, without a model.
inline Fused fuse(const ViewProbabilities &     views,
                  const std::optional<Vector> & weights = std::nullopt,
                  std::optional<double>         threshold = std::nullopt)
{
  std::size_t voxels = 0;
  for (const std::size_t length : {views.axial.size(), views.sagittal.size(), views.coronal.size()})
  {
    voxels = length > voxels ? length : voxels;
  }
  Fused fused{std::vector<float>(voxels), std::vector<std::uint8_t>(voxels)};
  fuse_into(views, fused.probability, fused.mask, weights, threshold);
  return fused;
}

/// A mask and what it says.
struct Thresholded
{
  std::vector<std::uint8_t> mask; ///< 1 where the probability reaches the threshold; i is fastest.
  Measurements              measurements;
};

/// Makes the mask of a probability that was kept, dense and on the image's grid, without a model: for a threshold that is being tried.
inline Thresholded threshold(const Image &     image,
                             span<const float> probability,
                             double            threshold,
                             bool              largest_component = false)
{
  const std::size_t voxels = image.voxels();
  if (probability.size() != voxels)
  {
    detail::refuse("the probability has " + std::to_string(probability.size()) + " voxels and the image " +
                   std::to_string(voxels) + "; one grid was expected");
  }
  if (threshold == 0.0)
  {
    detail::refuse("threshold: 0; a number above 0, up to 1, was expected");
  }
  Thresholded        found{std::vector<std::uint8_t>(voxels), {}};
  ggpfn_measurements measured = detail::sized<ggpfn_measurements>();
  detail::check(ggpfn_threshold(
    &image.c(), probability.data(), threshold, largest_component ? 1 : 0, found.mask.data(), &measured));
  found.measurements = detail::measurements(measured);
  return found;
}

/// How good a mask is. What has no value, such as a distance to an empty mask, is empty.
struct Comparison
{
  std::optional<double> dice;                 ///< Twice the common voxels over the sum of both masks' voxels.
  std::optional<double> jaccard;              ///< Common voxels over the voxels of either.
  std::optional<double> precision;            ///< The part of the prediction that is true.
  std::optional<double> recall;               ///< The part of the truth that was found.
  double                prediction_ml = 0;    ///< Volume of the prediction in mL.
  double                truth_ml = 0;         ///< Volume of the truth in mL.
  std::optional<double> volume_error_percent; ///< In percent of the truth.
  std::optional<double> hausdorff95_mm;       ///< 95th percentile of the surfaces' distances in mm.
  std::optional<double> mean_surface_mm;      ///< Mean of the same in mm.
};

/// Compares a mask with its truth, both on one grid.
inline Comparison evaluate(const Image & prediction, const Image & truth)
{
  ggpfn_comparison from = detail::sized<ggpfn_comparison>();
  detail::check(ggpfn_evaluate(&prediction.c(), &truth.c(), &from));
  Comparison to;
  to.dice = detail::number(from.dice);
  to.jaccard = detail::number(from.jaccard);
  to.precision = detail::number(from.precision);
  to.recall = detail::number(from.recall);
  to.prediction_ml = from.prediction_ml;
  to.truth_ml = from.truth_ml;
  to.volume_error_percent = detail::number(from.volume_error_percent);
  to.hausdorff95_mm = detail::number(from.hausdorff95_mm);
  to.mean_surface_mm = detail::number(from.mean_surface_mm);
  return to;
}

// ---------------------------------------------------------------------------------------------------------------------------------
// Training
// ---------------------------------------------------------------------------------------------------------------------------------

/// What came out of a training.
struct TrainingResult
{
  Model                                model;           ///< The best model of all views so far.
  End                                  end = End::done; ///< How it ended.
  int                                  cases = 0;       ///< Cases that were trained on.
  std::array<std::optional<double>, 3> dice;            ///< The best validation Dice of the views' masks.
};

/// A data set in a folder.
struct DataSet
{
  std::string folder;
  std::string layout = "pairs"; ///< "msd", "nihc" or "pairs".
  std::string split;            ///< A file of `ggpfn dataset split`, whose test cases are left out; empty: all cases get `role`.
  std::string cache;            ///< A folder for prepared volumes; empty: they are kept in memory.
  Role        role = Role::train;
};

/// What is to be trained, and on what. One thread at a time may use it.
class Training
{
public:
  /// `options` is TOML, as `ggpfn train --config` reads it; what it leaves out is the preset "small"'s.
  explicit Training(const std::string & options = std::string())
    : handle_(detail::made<ggpfn_training>(
        [&](ggpfn_training ** out) { return ggpfn_training_new(detail::c_text_or_null(options), out); }))
  {}

  /// Starts from a model's weights; to be called before cases are added. What the options do not name is the model's (network, views,
  /// view weights, threshold); the last stage alone is trained, unless all are wanted or the options name epochs of others.
  void start_from(const Model & model, bool all_stages = false)
  {
    detail::check(ggpfn_training_set_model(handle_.get(), model.c(), all_stages ? 1 : 0));
  }

  /// Keeps log, curves, checkpoints and the best model in a folder; with `resume`, goes on from what is there.
  void set_folder(const std::string & folder, bool resume = false)
  {
    detail::check(ggpfn_training_set_folder(handle_.get(), detail::c_text(folder), resume ? 1 : 0));
  }

  /// Where to compute.
  void set_device(Device device) { detail::check(ggpfn_training_set_device(handle_.get(), device.kind, device.index)); }

  /// Stops after so many minutes, saved; 0: when all is done.
  void set_minutes(double minutes) { detail::check(ggpfn_training_set_minutes(handle_.get(), minutes)); }

  /// Adds an image and the mask of its pancreas, on one grid. Both are converted and not needed afterwards.
  void add_case(const std::string & name, const Image & image, const Image & mask, Role role = Role::train)
  {
    detail::check(ggpfn_training_add_case(
      handle_.get(), detail::c_text(name), &image.c(), &mask.c(), static_cast<std::int32_t>(role)));
  }

  /// Adds a data set's cases.
  void add(const DataSet & set, const Watch & watch = {})
  {
    const detail::Call call(watch);
    call.end(ggpfn_training_add_folder(handle_.get(),
                                       detail::c_text(set.folder),
                                       detail::c_text_or_null(set.layout),
                                       detail::c_text_or_null(set.split),
                                       detail::c_text_or_null(set.cache),
                                       static_cast<std::int32_t>(set.role),
                                       call.monitor()));
  }

  /// The options as they are now, as TOML.
  std::string options() const
  {
    return detail::text([this](char * buffer, std::size_t capacity, std::size_t * needed) {
      return ggpfn_training_options(handle_.get(), buffer, capacity, needed);
    });
  }

  /// Trains. A training that was cancelled, or whose time was up, has succeeded too: `end` says so. It may be run again.
  TrainingResult run(const Watch & watch = {})
  {
    ggpfn_training_result from = detail::sized<ggpfn_training_result>();
    ggpfn_model *         model = nullptr;
    TrainingResult        to;
    {
      const detail::Call call(watch);
      const auto         status = ggpfn_training_run(handle_.get(), call.monitor(), &model, &from);
      to.model = Model(model);
      call.end(status);
    }
    to.end = static_cast<End>(from.end);
    to.cases = from.cases;
    for (std::size_t view = 0; view < 3; ++view)
    {
      to.dice[view] = detail::number(from.dice[view]);
    }
    return to;
  }

  /// What ggpfn.h knows.
  ggpfn_training * c() const noexcept { return handle_.get(); }

private:
  detail::Owned<ggpfn_training> handle_;
};

/// The loss of a batch and its terms; what a stage does not have is empty.
struct Losses
{
  double                total = 0;    ///< The loss.
  std::optional<double> map;          ///< Cross entropy of the probability map.
  std::optional<double> side;         ///< Mean cross entropy of the encoder's side outputs.
  std::optional<double> global;       ///< Cross entropy of the global branch's coarse map.
  std::optional<double> global_finer; ///< Cross entropy of the global branch's finer map.
  std::uint64_t         batch = 0;    ///< The batch's number, from 0.
};

/// One view's network in training, step by step, for engines that average gradients over processes: gradients(), then read and write
/// them as one array, then update(). One thread at a time may use it.
class Trainer
{
public:
  /// Starts with the options, cases and first weights of a training as it is now. Of its batches, process number `rank` of `ranks` takes
  /// every `ranks`-th.
  Trainer(const Training & training, View view, Stage stage, int rank = 0, int ranks = 1)
    : handle_(detail::made<ggpfn_trainer>([&](ggpfn_trainer ** out) {
      return ggpfn_trainer_new(
        training.c(), static_cast<std::int32_t>(view), static_cast<std::int32_t>(stage), rank, ranks, out);
    }))
  {}

  /// The first half of a step: draws the next batch and leaves its gradients.
  Losses gradients()
  {
    ggpfn_losses from = detail::sized<ggpfn_losses>();
    detail::check(ggpfn_trainer_gradients(handle_.get(), &from));
    Losses to;
    to.total = from.total;
    to.map = detail::number(from.map);
    to.side = detail::number(from.side);
    to.global = detail::number(from.global);
    to.global_finer = detail::number(from.global_finer);
    to.batch = from.batch;
    return to;
  }

  /// The second half: Adam's step with the gradients as they are now.
  void update(double learning_rate) { detail::check(ggpfn_trainer_update(handle_.get(), learning_rate)); }

  /// Both halves.
  Losses step(double learning_rate)
  {
    const Losses losses = gradients();
    update(learning_rate);
    return losses;
  }

  /// The length of a buffer.
  std::size_t length(Buffer which) const
  {
    std::size_t found = 0;
    detail::check(ggpfn_trainer_length(handle_.get(), static_cast<std::int32_t>(which), &found));
    return found;
  }

  /// Copies a buffer out, to as many values as length() says.
  void read(Buffer which, span<float> values) const
  {
    detail::check(
      ggpfn_trainer_read(handle_.get(), static_cast<std::int32_t>(which), values.data(), values.size()));
  }

  /// Copies a buffer out.
  std::vector<float> read(Buffer which) const
  {
    std::vector<float> values(length(which));
    if (!values.empty())
    {
      read(which, values);
    }
    return values;
  }

  /// Copies a buffer in, from as many values as length() says.
  void write(Buffer which, span<const float> values)
  {
    detail::check(
      ggpfn_trainer_write(handle_.get(), static_cast<std::int32_t>(which), values.data(), values.size()));
  }

  /// The model of this view as it is now.
  Model model() const
  {
    return Model(
      detail::made<ggpfn_model>([this](ggpfn_model ** out) { return ggpfn_trainer_model(handle_.get(), out); }).release());
  }

  /// What ggpfn.h knows.
  ggpfn_trainer * c() const noexcept { return handle_.get(); }

private:
  detail::Owned<ggpfn_trainer> handle_;
};

// ---------------------------------------------------------------------------------------------------------------------------------
// The library itself
// ---------------------------------------------------------------------------------------------------------------------------------

/// What libtorch and the machine can do.
struct Runtime
{
  std::string        built_for;              ///< The libtorch that the library was built for, "2.11.0".
  std::string        loaded;                 ///< The libtorch in this process.
  std::string        library;                ///< The file that it was loaded from.
  bool               wrong_libtorch = false; ///< Whether the two differ; then what needs libtorch fails with StatusCode::runtime.
  bool               cpu_bfloat16 = false;   ///< Whether the processor computes bfloat16 faster than float32.
  bool               gpu_driver = false;     ///< Whether an NVIDIA driver is present.
  std::optional<int> gpus;                   ///< GPUs that can be used, if that was asked for.
  std::string        problems;               ///< What is wrong, in sentences for people; empty if nothing is.
};

/// Describes libtorch and the machine. With `load_cuda` GPUs are looked for, which takes seconds where a driver is present.
inline Runtime runtime(bool load_cuda = false)
{
  check_version();
  const std::int32_t cuda = load_cuda ? 1 : 0;
  ggpfn_runtime      from = detail::sized<ggpfn_runtime>();
  detail::check(ggpfn_runtime_query(cuda, &from));
  Runtime to;
  to.built_for = from.built_for;
  to.loaded = from.loaded;
  to.library = detail::text([](char * b, std::size_t c, std::size_t * n) { return ggpfn_runtime_library(b, c, n); });
  to.wrong_libtorch = from.wrong_libtorch != 0;
  to.cpu_bfloat16 = from.cpu_bfloat16 != 0;
  to.gpu_driver = from.gpu_driver != 0;
  to.gpus = detail::natural<int>(from.gpus);
  to.problems =
    detail::text([cuda](char * b, std::size_t c, std::size_t * n) { return ggpfn_runtime_problems(cuda, b, c, n); });
  return to;
}

/// A GPU in words. Loads CUDA.
inline std::string gpu_name(int index)
{
  return detail::text(
    [index](char * b, std::size_t c, std::size_t * n) { return ggpfn_runtime_gpu(index, b, c, n); });
}

/// Hears a message of the library's, on any thread, also on several at once. It must not call the library; what it throws is lost.
using LogFunction = std::function<void(LogLevel, const std::string &)>;

/// Sends the library's messages of `level` and graver to a function, for the whole process; an empty one: to nobody, as in the beginning.
/// When it returns, the function before is not called any more.
inline void log_to(LogFunction function, LogLevel level = LogLevel::info)
{
  check_version();
  // Not destroyed at the program's end: threads of the library may have something to say until then.
  static std::mutex    mutex;
  static LogFunction * current = nullptr;

  struct Trampoline
  {
    static void call(std::int32_t number, const char * message, void * user_data) noexcept
    {
      try
      {
        (*static_cast<const LogFunction *>(user_data))(static_cast<LogLevel>(number), message);
      }
      catch (...) // There is nobody to tell.
      {}
    }
  };

  const std::lock_guard<std::mutex> lock(mutex);
  auto next = function ? std::make_unique<LogFunction>(std::move(function)) : nullptr;
  detail::check(ggpfn_log_set(next ? &Trampoline::call : nullptr, static_cast<std::int32_t>(level), next.get()));
  const std::unique_ptr<LogFunction> before(current);
  current = next.release();
}

} // namespace ggpfn

#if defined(__cpp_lib_ranges)
// So that a std::span can be made from a span.
template <class T>
inline constexpr bool std::ranges::enable_borrowed_range<ggpfn::span<T>> = true;
#endif

#endif // GGPFN_HPP
