// The C++ face: what it owns, what it throws, what it calls, and that its numbers are the library's.

#include "check.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

using check::fails;
using check::lump;
using check::says;
using check::small_model;
using check::test;
using ggpfn::Error;
using ggpfn::Image;
using ggpfn::Options;
using ggpfn::StatusCode;
using ggpfn::View;

namespace
{

static_assert(!std::is_copy_constructible_v<ggpfn::Training> && std::is_nothrow_move_constructible_v<ggpfn::Training>);
static_assert(!std::is_copy_constructible_v<ggpfn::Trainer> && std::is_nothrow_move_assignable_v<ggpfn::Trainer>);
static_assert(std::is_copy_constructible_v<ggpfn::Model> && std::is_nothrow_move_constructible_v<ggpfn::Model>);
static_assert(std::is_copy_constructible_v<ggpfn::Monitor>);
static_assert(ggpfn::dtype_of<long>() == (sizeof(long) == 8 ? ggpfn::DType::int64 : ggpfn::DType::int32));
static_assert(ggpfn::dtype_of<unsigned char>() == ggpfn::DType::uint8 && ggpfn::dtype_of<bool>() == ggpfn::DType::uint8);
static_assert(std::is_convertible_v<std::vector<float> &, ggpfn::span<float>>);
static_assert(std::is_convertible_v<const std::vector<float> &, ggpfn::span<const float>>);
static_assert(!std::is_convertible_v<const std::vector<float> &, ggpfn::span<float>>);
static_assert(!std::is_convertible_v<std::vector<double> &, ggpfn::span<float>>);

const ggpfn::Size   size{{26, 22, 12}};
const ggpfn::Vector spacing{{0.8, 0.9, 2.5}};
constexpr auto      voxels = std::size_t{26} * 22 * 12;

/// The processor and float32, so that results can be compared bit by bit.
Options exact()
{
  Options options;
  options.device = ggpfn::Device::cpu();
  options.precision = ggpfn::Precision::float32;
  return options;
}

const ggpfn::Wanted everything{true, true, true};

void versions()
{
  ggpfn::check_version();
  CHECK(ggpfn::version() == std::to_string(GGPFN_VERSION_MAJOR) + "." + std::to_string(GGPFN_VERSION_MINOR) + "." +
                              std::to_string(GGPFN_VERSION_PATCH));
  const ggpfn::Runtime runtime = ggpfn::runtime();
  CHECK(!runtime.built_for.empty() && runtime.built_for == runtime.loaded && !runtime.wrong_libtorch);
  CHECK(says(runtime.library, "torch"));
  CHECK(!runtime.gpus && runtime.problems.empty());
}

void errors()
{
  CHECK(fails(StatusCode::file, "/nowhere/ä.safetensors", [] { ggpfn::Model::load("/nowhere/ä.safetensors"); }));
  CHECK(fails(StatusCode::model, "", [] { ggpfn::Model::load("nonsense", 8); }));
  CHECK(fails(StatusCode::argument, "NUL", [] { ggpfn::Model::load(std::string("a\0b", 3)); }));
  CHECK(fails(StatusCode::argument, "widthz", [] { ggpfn::Model::untrained(R"({"widthz": 1})", 1); }));
  CHECK(fails(StatusCode::argument, "no_such", [] { ggpfn::Training("no_such = 1"); }));

  const auto image = lump<std::int16_t>(size, 13, 11, 6);
  const auto model = small_model();
  CHECK(fails(StatusCode::argument, "NULL", [&] { ggpfn::Model().segment(Image::of(image, size, spacing)); }));
  CHECK(fails(StatusCode::image, "", [&] { model.segment(Image::of(image, size, {{0.0, 1.0, 1.0}})); }));
  // A size that no memory could hold is an error of the library's, not of the allocator's.
  CHECK(fails(StatusCode::argument, "", [&] {
    model.segment(Image::of(image.data(), {{~std::size_t{0}, 1, 1}}, spacing));
  }));
  const std::vector<std::int16_t> tooShort(image.begin(), image.end() - 1);
  CHECK(fails(StatusCode::argument, "bytes", [&] { model.segment(Image::of(tooShort, size, spacing)); }));

  // 0 is C's word for a default; given on purpose it is refused and not taken for one.
  const auto refused = [&](const char * name, auto change) {
    Options options = exact();
    change(options);
    CHECK(fails(StatusCode::argument, name, [&] { model.segment(Image::of(image, size, spacing), options); }));
  };
  refused("threshold", [](Options & o) { o.threshold = 0.0; });
  refused("threshold", [](Options & o) { o.threshold = 1.5; });
  refused("threads", [](Options & o) { o.threads = 0; });
  refused("threads", [](Options & o) { o.threads = -1; });
  refused("patch", [](Options & o) { o.patch = {{0, 8}}; });
  refused("view_weights", [](Options & o) { o.view_weights = {{0.0, 0.0, 0.0}}; });
  refused("views", [](Options & o) { o.views = {static_cast<View>(7)}; });
  refused("region", [](Options & o) { o.region = ggpfn::Region{{{0, 0, 0}}, {{0, 4, 4}}}; });
  refused("region", [](Options & o) { o.region = ggpfn::Region{{{20, 0, 0}}, {{10, 4, 4}}}; });
}

void models()
{
  ggpfn::Model model = small_model();
  ggpfn::Model copy = model;
  CHECK(copy == model && copy != small_model());
  ggpfn::Model moved = std::move(model);
  CHECK(moved && moved == copy);
  copy = ggpfn::Model();
  CHECK(!copy);

  const ggpfn::ModelInfo info = moved.info();
  CHECK(info.t == 2 && info.progressive && info.global_guidance && info.views.size() == 3);
  CHECK(!info.spacing && info.window[0] == -100.0 && info.window[1] == 240.0 && info.parameters > 1000);
  const std::vector<std::uint8_t> bytes = moved.save();
  const auto                      again = ggpfn::Model::load(bytes.data(), bytes.size());
  CHECK(again.save() == bytes && again.info().sha256.size() == 64);
  CHECK(moved.save(ggpfn::WeightType::float16).size() < bytes.size());
  CHECK(says(moved.configuration(), "\"progressive\""));

  const ggpfn::ModelInfo shipped = ggpfn::Model::shipped().info();
  CHECK(shipped.spacing && (*shipped.spacing)[0] == 2.5);
}

void labels()
{
  const auto  two = check::small_model(R"("labels": ["pancreas", "tumour"], )");
  const auto  info = two.info();
  const auto  values = lump<std::int16_t>(size, 13, 11, 6, 150);
  const Image image = Image::of(values, size, spacing);
  CHECK(info.labels.size() == 2 && info.labels[1].name == "tumour" && info.labels[1].value == 2);
  CHECK(info.labels[0].code == "15776009" && info.labels[0].colour[0] == 249);
  Options options = exact();
  auto    found = two.segment(image, options, everything);
  auto    sorted = found.probability;
  std::sort(sorted.begin(), sorted.end());
  options.threshold = static_cast<double>(sorted[sorted.size() / 2]);
  found = two.segment(image, options, everything);
  CHECK(found.label_map.size() == found.mask.size());
  bool tumours = false;
  for (std::size_t n = 0; n < found.mask.size(); ++n)
  {
    CHECK(found.label_map[n] == 2 || found.label_map[n] == found.mask[n]);
    tumours = tumours || found.label_map[n] == 2;
  }
  CHECK(tumours || found.label_map == found.mask);
  CHECK(small_model().info().labels.size() == 1 && small_model().segment(image, exact()).label_map.empty());
}

void segmentation()
{
  const auto    model = small_model();
  const auto    values = lump<std::int16_t>(size, 13, 11, 6, 150);
  Options       options = exact();
  const Image   image = Image::of(values, size, spacing).set_origin({{-10.0, 20.0, 30.0}});
  ggpfn::Wanted wanted = everything;

  auto found = model.segment(image, options, wanted);
  CHECK(found.size == size && found.mask.size() == voxels && found.probability.size() == voxels);
  CHECK(found.uncertainty.size() == voxels && found.view_probability[2].size() == voxels);
  // A threshold in the middle of what there is, so that there is a mask to speak of.
  std::vector<float> sorted = found.probability;
  std::sort(sorted.begin(), sorted.end());
  options.threshold = static_cast<double>(sorted[voxels / 2]);
  found = model.segment(image, options, wanted);

  std::size_t inside = 0;
  bool        same = true;
  for (std::size_t n = 0; n < voxels; ++n)
  {
    inside += found.mask[n];
    same = same && (found.mask[n] == 1) == (static_cast<double>(found.probability[n]) >= *options.threshold);
  }
  CHECK(same && inside > voxels / 3 && inside < voxels);
  const ggpfn::Measurements & measured = found.measurements;
  CHECK(measured.voxels == inside && measured.box && measured.centroid && measured.mean_hu);
  CHECK(measured.expected_dice && *measured.expected_dice <= 1.0 && measured.doubtful && !measured.warnings.empty());
  CHECK(measured.warnings.front().text.size() > 20);
  CHECK(std::abs(measured.volume_ml - static_cast<double>(inside) * 0.8 * 0.9 * 2.5 / 1000.0) < 1e-9);
  CHECK(measured.precision == ggpfn::Precision::float32 && measured.device.kind == GGPFN_DEVICE_CPU);

  // The views' fusion is the probability.
  const auto & views = found.view_probability;
  const auto   fused = ggpfn::fuse({views[0], views[1], views[2]}, measured.view_weights, measured.threshold);
  CHECK(fused.probability == found.probability && fused.mask == found.mask);

  // What is not wanted is not there; one view alone is.
  options.views = {View::coronal};
  const auto coronal = model.segment(image, options, {false, true, false});
  CHECK(coronal.probability.empty() && coronal.uncertainty.empty() && coronal.view_probability[0].empty());
  CHECK(coronal.view_probability[2] == views[2] && coronal.measurements.view_weights[2] == 1.0);
  options.views.clear();

  // An empty mask has no centroid.
  options.threshold = 1.0;
  const auto empty = model.segment(image, options).measurements;
  CHECK(empty.voxels == 0 && !empty.box && !empty.box_mm && !empty.centroid && !empty.mean_hu && !empty.std_hu);

  const ggpfn::Memory memory = model.estimate_memory(Image::of(values.data(), {{512, 512, 200}}, spacing), options, wanted);
  CHECK(memory.host_bytes > std::uint64_t{512} * 512 * 200 * 4 && memory.device_bytes == 0);
}

/// The same voxels in other types, orders and frames give the same result, wherever it is put.
void formats()
{
  const auto    model = small_model();
  const Options options = exact();
  const auto    values = lump<std::int16_t>(size, 9, 11, 6, 150);
  const auto    expected = model.segment(Image::of(values, size, spacing), options, everything);
  const auto    same = [&](const Image & image) {
    const auto found = model.segment(image, options, everything);
    return found.mask == expected.mask && found.probability == expected.probability &&
           found.uncertainty == expected.uncertainty;
  };
  const auto converted = [&](auto zero) {
    const std::vector<decltype(zero)> other(values.begin(), values.end());
    return same(Image::of(other, size, spacing));
  };
  CHECK(converted(std::uint8_t{}) && converted(std::uint16_t{}) && converted(std::int32_t{}) && converted(std::uint32_t{}));
  CHECK(converted(std::int64_t{}) && converted(std::uint64_t{}) && converted(float{}) && converted(double{}));

  // Every second voxel of a wider buffer, rows from last to first.
  constexpr std::size_t     row = 2 * 26 + 3;
  std::vector<std::uint8_t> wide(row * 22 * 12, 255);
  for (std::size_t k = 0; k < 12; ++k)
  {
    for (std::size_t j = 0; j < 22; ++j)
    {
      for (std::size_t i = 0; i < 26; ++i)
      {
        wide[(k * 22 + 21 - j) * row + 2 * i] = static_cast<std::uint8_t>(values[(k * 22 + j) * 26 + i]);
      }
    }
  }
  Image image = Image::of(wide.data() + 21 * row, size, spacing);
  image.set_strides({{2, -static_cast<std::int64_t>(row), static_cast<std::int64_t>(22 * row)}}, wide.size());
  CHECK(same(image));

  // A copy in floats, k fastest.
  std::vector<float> turned(voxels);
  for (std::size_t n = 0; n < voxels; ++n)
  {
    const std::size_t i = n % 26;
    const std::size_t j = n / 26 % 22;
    const std::size_t k = n / 26 / 22;
    turned[(i * 22 + j) * 12 + k] = values[n];
  }
  const ggpfn::Strides strides{{22 * 12 * 4, 12 * 4, 4}};
  CHECK(same(Image::of(turned.data(), size, spacing).set_strides(strides, 4 * voxels)));

  // RAS names the same places by other signs.
  const ggpfn::Matrix mirrored{{-1, 0, 0, 0, -1, 0, 0, 0, 1}};
  CHECK(same(Image::of(values, size, spacing).set_frame(ggpfn::Frame::ras).set_direction(mirrored)));

  // Into buffers of the caller's: a mask with k fastest, a dense probability.
  std::vector<std::uint8_t> mask(voxels, 9);
  std::vector<float>        probability(voxels);
  ggpfn::Results            results;
  results.mask = {mask.data(), {{22 * 12, 12, 1}}, mask.size()};
  results.probability = probability;
  const auto measured = model.segment_into(Image::of(values, size, spacing), results, options);
  CHECK(measured.voxels == expected.measurements.voxels && probability == expected.probability);
  bool equal = true;
  for (std::size_t n = 0; n < voxels; ++n)
  {
    equal = equal && mask[(n % 26 * 22 + n / 26 % 22) * 12 + n / 26 / 22] == expected.mask[n];
  }
  CHECK(equal);
  results.probability = ggpfn::span<float>(probability.data(), voxels - 1);
  CHECK(fails(StatusCode::argument, "probability", [&] {
    model.segment_into(Image::of(values, size, spacing), results, options);
  }));
}

struct OfTheCaller
{
  int number;
};

void progress()
{
  const auto  model = small_model();
  const auto  values = lump<std::int16_t>(size, 13, 11, 6);
  const Image image = Image::of(values, size, spacing);

  double     last = 0.0;
  int        reports = 0;
  bool       orderly = true;
  const auto here = std::this_thread::get_id();
  const auto on_progress = [&](const ggpfn::Progress & now) {
    ++reports;
    orderly = orderly && now.fraction >= last && here == std::this_thread::get_id() && !now.epoch && !now.loss;
    last = now.fraction;
    return true;
  };
  const auto found = model.segment(image, exact(), {}, {on_progress, {}});
  CHECK(reports > 3 && orderly && last == 1.0);

  // false stops.
  const auto stop = [](const ggpfn::Progress &) { return false; };
  CHECK(check::refused([&] { model.segment(image, exact(), {}, {stop, {}}); }).cancelled());

  // What is thrown comes out here, unchanged, and results stay as they were.
  std::vector<std::uint8_t> mask(voxels, 9);
  ggpfn::Results            results;
  results.mask = mask;
  int caught = 0;
  try
  {
    model.segment_into(image, results, exact(), {[](const ggpfn::Progress &) -> bool { throw OfTheCaller{42}; }, {}});
  }
  catch (const OfTheCaller & thrown)
  {
    caught = thrown.number;
  }
  CHECK(caught == 42 && mask == std::vector<std::uint8_t>(voxels, 9));

  // A function may call the library, with a function of its own, and is heard again afterwards.
  int inner = 0;
  reports = 0;
  last = 0.0;
  model.segment(image, exact(), {}, {[&](const ggpfn::Progress & now) {
                                       if (inner == 0)
                                       {
                                         const auto count = [&inner](const ggpfn::Progress &) { return ++inner > 0; };
                                         CHECK(model.segment(image, exact(), {}, {count, {}}).mask == found.mask);
                                       }
                                       return on_progress(now);
                                     },
                                     {}});
  CHECK(inner > 3 && reports > 3 && last == 1.0);

  // Threads with functions of their own may share a monitor; each hears its own work, on its own thread.
  const ggpfn::Monitor     monitor;
  std::atomic<int>         astray{0};
  std::array<int, 4>       heard{};
  std::vector<std::thread> threads;
  for (int & own : heard)
  {
    threads.emplace_back([&] {
      const auto mine = std::this_thread::get_id();
      const auto count = [&](const ggpfn::Progress &) {
        astray += mine == std::this_thread::get_id() ? 0 : 1;
        return ++own > 0;
      };
      for (int n = 0; n < 3; ++n)
      {
        CHECK(model.segment(image, exact(), {}, {count, monitor}).mask == found.mask);
      }
    });
  }
  for (std::thread & thread : threads)
  {
    thread.join();
  }
  CHECK(astray == 0 && *std::min_element(heard.begin(), heard.end()) > 9);
  CHECK(monitor.progress().fraction == 1.0 && !monitor.stop_requested());
}

void cancel()
{
  const auto  model = small_model();
  const auto  values = lump<std::int16_t>(size, 13, 11, 6);
  const Image image = Image::of(values, size, spacing);

  ggpfn::CancelToken none;
  CHECK(!none.stop_possible() && !none.stop_requested());
  CHECK(model.segment(image, exact(), {}, {nullptr, none}).mask.size() == voxels);

  const ggpfn::CancelSource source;
  const ggpfn::CancelToken  token = source.get_token();
  CHECK(token.stop_possible() && !token.stop_requested() && source.progress().fraction == 0.0);
  CHECK(source.request_stop() && !source.request_stop() && token.stop_requested());
  CHECK(check::refused([&] { model.segment(image, exact(), {}, {nullptr, token}); }).status() == StatusCode::cancelled);
  source.reset();
  CHECK(!token.stop_requested() && model.segment(image, exact(), {}, {nullptr, token}).mask.size() == voxels);

  // From another thread, at work that would take long; the token outlives its source.
  const ggpfn::Size               large{{160, 160, 60}};
  const std::vector<std::int16_t> many(std::size_t{160} * 160 * 60, 40);
  auto                            temporary = std::make_unique<ggpfn::Monitor>();
  const ggpfn::CancelToken        kept = temporary->get_token();
  const ggpfn::Monitor            copy = *temporary;
  temporary.reset();
  std::thread stopper([&copy] {
    while (copy.progress().fraction == 0.0)
    {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    copy.request_stop();
  });
  CHECK(check::refused([&] { model.segment(Image::of(many, large, spacing), exact(), {}, {nullptr, kept}); }).cancelled());
  stopper.join();

#if defined(__cpp_lib_jthread)
  std::stop_source standard;
  const auto       at_half = [&](const ggpfn::Progress & now) { return now.fraction < 0.5 || standard.request_stop() || true; };
  CHECK(check::refused([&] { model.segment(image, exact(), {}, {at_half, standard.get_token()}); }).cancelled());
  CHECK(check::refused([&] { model.segment(image, exact(), {}, {nullptr, standard.get_token()}); }).cancelled());
  CHECK(!ggpfn::CancelToken(std::stop_token()).stop_possible());
#endif
}

void thresholds()
{
  const auto  values = lump<std::int16_t>(size, 13, 11, 6);
  const Image image = Image::of(values, size, spacing);
  Options     options = exact();
  options.largest_component = true;
  const auto found = small_model().segment(image, options, everything);
  const auto again = ggpfn::threshold(image, found.probability, found.measurements.threshold, true);
  CHECK(again.mask == found.mask && again.measurements.volume_ml == found.measurements.volume_ml);
  CHECK(again.measurements.mean_hu == found.measurements.mean_hu && again.measurements.centroid == found.measurements.centroid);
  CHECK(again.measurements.components == 1 && again.measurements.seconds == 0.0);
  const auto fewer = ggpfn::threshold(image, found.probability, 1.0);
  CHECK(fewer.measurements.voxels < found.measurements.voxels && fewer.measurements.threshold == 1.0);
  CHECK(fails(StatusCode::argument, "threshold", [&] { ggpfn::threshold(image, found.probability, 0.0); }));
  CHECK(fails(StatusCode::argument, "threshold", [&] { ggpfn::threshold(image, found.probability, 1.5); }));
  CHECK(fails(StatusCode::argument, "grid", [&] { ggpfn::threshold(image, {found.probability.data(), 7}, 0.5); }));
}

void fusion()
{
  const std::vector<float>   axial{0.0F, 0.5F, 1.0F, 0.8F};
  const std::array<float, 4> sagittal{{0.0F, 0.25F, 1.0F, 0.0F}};
  const float                coronal[] = {1.0F, 0.25F, 1.0F, 0.1F};

  const auto near = [](const std::vector<float> & a, const std::vector<float> & b) {
    bool all = a.size() == b.size();
    for (std::size_t n = 0; all && n < a.size(); ++n)
    {
      all = std::abs(a[n] - b[n]) < 1e-6F;
    }
    return all;
  };
  const auto equal = ggpfn::fuse({axial, sagittal, coronal});
  CHECK(near(equal.probability, {1.0F / 3, 1.0F / 3, 1.0F, 0.3F}));
  CHECK((equal.mask == std::vector<std::uint8_t>{0, 0, 1, 0}));
  const auto weighted = ggpfn::fuse({axial, sagittal, coronal}, ggpfn::Vector{{2.0, 1.0, 1.0}}, 0.3);
  CHECK(near(weighted.probability, {0.25F, 0.375F, 1.0F, 0.425F}));
  CHECK((weighted.mask == std::vector<std::uint8_t>{0, 1, 1, 1}));
  // A view that is left out takes its weight along.
  CHECK(near(ggpfn::fuse({axial, {}, coronal}, ggpfn::Vector{{3.0, 5.0, 1.0}}).probability, {0.25F, 0.4375F, 1.0F, 0.625F}));

  std::array<std::uint8_t, 4> mask{};
  ggpfn::fuse_into({axial, {}, {}}, {}, mask);
  CHECK((mask == std::array<std::uint8_t, 4>{{0, 1, 1, 1}}));
  CHECK(fails(StatusCode::argument, "length", [&] { ggpfn::fuse_into({axial, {}, {}}, {}, {mask.data(), 3}); }));
  CHECK(fails(StatusCode::argument, "", [] { ggpfn::fuse({}); }));
  CHECK(fails(StatusCode::argument, "threshold", [&] { ggpfn::fuse({axial, {}, {}}, std::nullopt, 0.0); }));
#if defined(__cpp_lib_span)
  const std::span<const float> standard(axial);
  CHECK(near(ggpfn::fuse({standard, {}, {}}).probability, axial));
  const std::span<const float> back{ggpfn::span<const float>(axial)};
  CHECK(back.size() == 4);
#endif
}

void evaluation()
{
  // Three voxels against two of which they have one; a voxel is 1 x 2 x 5 mm, 0.01 mL.
  const std::vector<std::uint8_t> prediction{1, 1, 1, 0, 0, 0, 0, 0};
  const std::vector<float>        truth{0.0F, 0.0F, 7.0F, -1.0F, 0.0F, 0.0F, 0.0F, 0.0F};
  const ggpfn::Size               line{{8, 1, 1}};
  const ggpfn::Vector             mm{{1.0, 2.0, 5.0}};
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-9; };

  const auto found = ggpfn::evaluate(Image::of(prediction, line, mm), Image::of(truth, line, mm));
  CHECK(near(*found.dice, 0.4) && near(*found.jaccard, 0.25) && near(*found.precision, 1.0 / 3) && near(*found.recall, 0.5));
  CHECK(near(found.prediction_ml, 0.03) && near(found.truth_ml, 0.02) && near(*found.volume_error_percent, 50.0));
  // Distances of the one to the other 2, 1, 0 mm, and back 0, 1 mm.
  CHECK(near(*found.mean_surface_mm, 0.8) && found.hausdorff95_mm && *found.hausdorff95_mm <= 2.0);

  const std::vector<std::uint8_t> none(8);
  const auto empty = ggpfn::evaluate(Image::of(none, line, mm), Image::of(truth, line, mm));
  CHECK(empty.dice == 0.0 && !empty.precision && !empty.hausdorff95_mm && *empty.recall == 0.0);
  const auto nothing = ggpfn::evaluate(Image::of(none, line, mm), Image::of(none, line, mm));
  CHECK(!nothing.dice && !nothing.jaccard && !nothing.recall && nothing.truth_ml == 0.0);
  CHECK(fails(StatusCode::argument, "grid", [&] {
    ggpfn::evaluate(Image::of(none, line, mm), Image::of(none, line, {{1.1, 2.0, 5.0}}));
  }));
}

/// A network that trains in seconds.
const char * const tiny = R"(
preset = "nihc"
seed = 3
views = ["axial"]
t = 2
widths = [4, 4, 6, 8]
global_widths = [2, 3, 4, 4, 5]
slices_per_sample = 2
validate_every = 1
threads = 1
[global_size]
axial = [32, 32]
[patch]
axial = [24, 32]
[global]
epochs = 1
batch = 2
[local]
epochs = 1
batch = 2
[whole]
epochs = 2
batch = 2
)";

void add_cases(ggpfn::Training & training)
{
  const ggpfn::Size grid{{40, 36, 12}};
  for (std::size_t n = 0; n < 2; ++n)
  {
    const auto                values = lump<std::int16_t>(grid, 14 + 8 * n, 18, 6);
    std::vector<std::uint8_t> truth;
    for (const std::int16_t value : values)
    {
      truth.push_back(value > 0 ? 255 : 0);
    }
    training.add_case("lump " + std::to_string(n),
                      Image::of(values, grid, {{1.0, 1.0, 2.0}}),
                      Image::of(truth, grid, {{1.0, 1.0, 2.0}}),
                      n == 0 ? ggpfn::Role::train : ggpfn::Role::validate);
  }
}

void training()
{
  ggpfn::Training training(tiny);
  training.set_device(ggpfn::Device::cpu());
  CHECK(says(training.options(), "seed = 3"));
  add_cases(training);

  int  steps = 0;
  bool losses = false;
  bool dice = false;
  bool stages = false;
  const auto on_progress = [&](const ggpfn::Progress & now) {
    ++steps;
    losses = losses || (now.loss && *now.loss > 0.0);
    dice = dice || now.dice;
    stages = stages || (now.stage && *now.stage == ggpfn::Stage::whole && now.epoch && *now.epoch == 2);
    return now.view && *now.view == View::axial;
  };
  const auto result = training.run({on_progress, {}});
  CHECK(steps >= 4 && losses && dice && stages);
  CHECK(result.end == ggpfn::End::done && result.cases == 1 && result.dice[0] && !result.dice[1]);
  CHECK(result.model && result.model.info().views == std::vector<View>{View::axial});

  // Stopped by false, a training has succeeded and says so; what is thrown is thrown here too.
  const auto stopped = training.run({[](const ggpfn::Progress &) { return false; }, {}});
  CHECK(stopped.end == ggpfn::End::cancelled && stopped.model);
  int caught = 0;
  try
  {
    training.run({[](const ggpfn::Progress &) -> bool { throw OfTheCaller{7}; }, {}});
  }
  catch (const OfTheCaller & thrown)
  {
    caught = thrown.number;
  }
  CHECK(caught == 7);

  // A training serves one thread: the second is told so.
  std::string answer;
  training.run({[&](const ggpfn::Progress &) {
                  std::thread([&] { answer = check::refused([&] { training.set_minutes(1.0); }).what(); }).join();
                  return false;
                },
                {}});
  CHECK(says(answer, "another thread"));

  ggpfn::Training again(tiny);
  CHECK(fails(StatusCode::argument, "", [&] { again.set_minutes(-1.0); }));
  again.start_from(result.model);
  add_cases(again);
  CHECK(fails(StatusCode::argument, "cases", [&] { again.start_from(result.model); }));
  again = ggpfn::Training();
  CHECK(fails(StatusCode::file, "/nowhere", [&] { again.add({"/nowhere", "msd", "", "", ggpfn::Role::train}); }));
}

void split_step()
{
  ggpfn::Training training(tiny);
  training.set_device(ggpfn::Device::cpu());
  add_cases(training);
  using ggpfn::Buffer;
  ggpfn::Trainer whole(training, View::axial, ggpfn::Stage::whole);
  ggpfn::Trainer halves(training, View::axial, ggpfn::Stage::whole, 0, 1);
  CHECK(whole.read(Buffer::parameters) == halves.read(Buffer::parameters));
  CHECK(whole.length(Buffer::gradients) == whole.length(Buffer::parameters) && whole.length(Buffer::statistics) > 0);

  const std::vector<float> before = whole.read(Buffer::parameters);
  for (std::uint64_t n = 0; n < 3; ++n)
  {
    const ggpfn::Losses losses = whole.step(1e-3);
    CHECK(losses.batch == n && losses.total > 0.0 && losses.map && losses.global);
    CHECK(halves.gradients().total == losses.total);
    // As an engine does that averages over one process.
    std::vector<float> gradients = halves.read(Buffer::gradients);
    halves.write(Buffer::gradients, std::vector<float>(gradients.size()));
    halves.write(Buffer::gradients, gradients);
    halves.update(1e-3);
  }
  CHECK(whole.read(Buffer::parameters) == halves.read(Buffer::parameters) && whole.read(Buffer::parameters) != before);
  CHECK(whole.model().save() == halves.model().save());
  CHECK(fails(StatusCode::argument, "length", [&] { halves.write(Buffer::parameters, std::vector<float>(3)); }));
  CHECK(fails(StatusCode::argument, "rank", [&] { ggpfn::Trainer(training, View::axial, ggpfn::Stage::whole, 2, 2); }));

  ggpfn::Trainer moved = std::move(whole);
  CHECK(moved.length(Buffer::parameters) == before.size());
  CHECK(fails(StatusCode::argument, "NULL", [&] { whole.update(1e-3); })); // NOLINT: a moved-from one is to fail, not to crash
}

/// A folder with two cases in files that do not say how they lie in the patient.
class Folder
{
public:
  Folder()
  {
    std::filesystem::create_directories(path_);
    const auto values = lump<std::int16_t>({{40, 36, 12}}, 14, 18, 6);
    for (const char * name : {"a", "b", "a_label", "b_label"})
    {
      std::ofstream file(path_ / (std::string(name) + ".nrrd"), std::ios::binary);
      file << "NRRD0004\ntype: short\ndimension: 3\nsizes: 40 36 12\nspacings: 1 1 2\nendian: little\nencoding: raw\n\n";
      for (const std::int16_t value : values)
      {
        // As dense as fat and air: a folder's scans have to be CTs.
        const int image = value > 0 ? value + 100 : 10 * value;
        const int written = name[1] == '_' ? (value > 0 ? 1 : 0) : image;
        file.put(static_cast<char>(written & 0xff)).put(static_cast<char>(written >> 8 & 0xff));
      }
    }
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string name() const { return path_.string(); }

private:
  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("ggpfn-hpp-test-" + std::to_string(std::random_device()()));
};

void folders_and_logging()
{
  const Folder     folder;
  std::atomic<int> messages{0};
  const auto       work = [&](ggpfn::Role role) {
    ggpfn::Training training(tiny);
    training.set_device(ggpfn::Device::cpu());
    double last = 0.0;
    training.add({folder.name(), "pairs", "", "", role}, {[&](const ggpfn::Progress & now) {
                                                            last = std::max(last, now.fraction);
                                                            return now.phase == "preparing";
                                                          },
                                                          {}});
    CHECK(last == 1.0);
    return training.run({[](const ggpfn::Progress &) { return false; }, {}}).cases;
  };
  ggpfn::log_to([&](ggpfn::LogLevel level, const std::string & message) {
    messages += level == ggpfn::LogLevel::warning && says(message, "how it lies in the patient") ? 1 : 0;
  });
  CHECK(work(ggpfn::Role::train) == 2);
  const int heard = messages;
  CHECK(heard > 0);
  // What it throws is lost, and nothing breaks.
  std::atomic<int> thrown{0};
  ggpfn::log_to([&](ggpfn::LogLevel, const std::string &) {
    ++thrown;
    throw OfTheCaller{1};
  });
  work(ggpfn::Role::train);
  CHECK(messages == heard && thrown > 0);
  CHECK(fails(StatusCode::argument, "level", [] {
    ggpfn::log_to([](ggpfn::LogLevel, const std::string &) {}, static_cast<ggpfn::LogLevel>(9));
  }));
  ggpfn::log_to(nullptr);
  const int before = thrown;
  work(ggpfn::Role::train);
  CHECK(thrown == before);
}

} // namespace

int main()
{
  test("versions", versions);
  test("errors", errors);
  test("models", models);
  test("labels", labels);
  test("segmentation", segmentation);
  test("formats", formats);
  test("progress", progress);
  test("cancel", cancel);
  test("thresholds", thresholds);
  test("fusion", fusion);
  test("evaluation", evaluation);
  test("training", training);
  test("split step", split_step);
  test("folders and logging", folders_and_logging);
  return check::end();
}
