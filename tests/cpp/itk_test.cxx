// The ITK filter: that its numbers are the library's, that geometry and regions are ITK's, and that it is a good member of a pipeline.
//
//     itk_test                       the tests
//     itk_test leave                 ends the process while another thread updates the filter, and says what became of that
//     itk_test IMAGE MASK            segments a file with the shipped model, on the processor, and writes the mask's bytes

#include "check.hpp"

#include "itkCastImageFilter.h"
#include "itkCommand.h"
#include "itkGGPFNSegmentationImageFilter.h"
#include "itkImageFileReader.h"
#include "itkImageRegionConstIteratorWithIndex.h"
#include "itkRegionOfInterestImageFilter.h"
#include "itkStreamingImageFilter.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

using check::says;
using check::test;

namespace
{

using LabelImage = itk::Image<unsigned char, 3>;
template <typename TPixel>
using Filter = itk::GGPFNSegmentationImageFilter<itk::Image<TPixel, 3>, LabelImage>;
using Short = itk::Image<short, 3>;

const ggpfn::Size size{ { 26, 22, 12 } };

/// A quarter turn about z, then a tilt of 0.3 about x.
itk::Matrix<double, 3, 3>
Oblique()
{
  const double              c = std::cos(0.3);
  const double              s = std::sin(0.3);
  itk::Matrix<double, 3, 3> direction;
  const double              rows[3][3] = { { 0, -1, 0 }, { c, 0, -s }, { s, 0, c } };
  for (unsigned int r = 0; r < 3; ++r)
  {
    for (unsigned int k = 0; k < 3; ++k)
    {
      direction[r][k] = rows[r][k];
    }
  }
  return direction;
}

/// A lump whose first pixel has this index, and lies where it lies for any other index.
template <typename TPixel>
typename itk::Image<TPixel, 3>::Pointer
Lump(itk::IndexValueType first = 0, bool oblique = false)
{
  using ImageType = itk::Image<TPixel, 3>;
  auto                           image = ImageType::New();
  typename ImageType::RegionType region;
  typename ImageType::PointType  origin;
  const double                   spacing[3] = { 0.8, 0.9, 2.5 };
  const double                   place[3] = { -10.0, 20.0, 30.0 };
  const auto                     direction = oblique ? Oblique() : itk::Matrix<double, 3, 3>::GetIdentity();
  for (unsigned int axis = 0; axis < 3; ++axis)
  {
    region.SetIndex(axis, first * (axis + 1));
    region.SetSize(axis, size[axis]);
    origin[axis] = place[axis];
    for (unsigned int k = 0; k < 3; ++k)
    {
      origin[axis] -= direction[axis][k] * spacing[k] * static_cast<double>(first * (k + 1));
    }
  }
  image->SetRegions(region);
  image->SetSpacing(spacing);
  image->SetOrigin(origin);
  image->SetDirection(direction);
  image->Allocate();
  const auto values = check::lump<TPixel>(size, 13, 11, 6, 150);
  std::copy(values.begin(), values.end(), image->GetBufferPointer());
  return image;
}

template <typename TFilter>
void
Set(TFilter & filter)
{
  static const ggpfn::Model model = check::small_model();
  filter.SetModel(model);
  filter.SetDevice(TFilter::DeviceEnum::CPU);
  filter.SetPrecision(TFilter::PrecisionEnum::Float32);
  // About in the middle of what this untrained network says.
  static const double middle = [] {
    ggpfn::Options options;
    options.device = ggpfn::Device::cpu();
    options.precision = ggpfn::Precision::float32;
    const auto values = check::lump<short>(size, 13, 11, 6, 150);
    auto       all = model.segment(ggpfn::Image::of(values, size, { { 0.8, 0.9, 2.5 } }), options, { true, false, false });
    std::nth_element(all.probability.begin(), all.probability.begin() + 3432, all.probability.end());
    return static_cast<double>(all.probability[3432]);
  }();
  filter.SetThreshold(middle);
}

/// What the library says about the same pixels, described by hand.
ggpfn::Segmentation
Expected(bool oblique, const Filter<short> & like)
{
  const auto    values = check::lump<short>(size, 13, 11, 6, 150);
  ggpfn::Image  image = ggpfn::Image::of(values, size, { { 0.8, 0.9, 2.5 } }).set_origin({ { -10.0, 20.0, 30.0 } });
  ggpfn::Matrix direction{};
  for (unsigned int n = 0; n < 9; ++n)
  {
    direction[n] = Oblique()[n / 3][n % 3];
  }
  if (oblique)
  {
    image.set_direction(direction);
  }
  ggpfn::Options options;
  options.device = ggpfn::Device::cpu();
  options.precision = ggpfn::Precision::float32;
  options.threshold = like.GetThreshold();
  return like.GetModel().segment(image, options, { true, false, true });
}

template <typename TImage, typename T>
bool
Same(const TImage * image, const std::vector<T> & values)
{
  return image->GetBufferedRegion().GetNumberOfPixels() == values.size() &&
         std::equal(values.begin(), values.end(), image->GetBufferPointer());
}

template <typename TPixel>
void
PixelType()
{
  auto filter = Filter<TPixel>::New();
  Set(*filter);
  filter->SetInput(Lump<TPixel>());
  filter->Update();
  auto like = Filter<short>::New();
  Set(*like);
  const auto expected = Expected(false, *like);
  CHECK(expected.measurements.voxels > 2000 && Same(filter->GetOutput(), expected.mask));
}

void
PixelTypes()
{
  PixelType<signed short>();
  PixelType<unsigned char>();
  PixelType<unsigned short>();
  PixelType<int>();
  PixelType<unsigned int>();
  PixelType<long>();
  PixelType<unsigned long long>();
  PixelType<float>();
  PixelType<double>();

  // And of labels: a value of the caller's, in integers and floats of any width.
  auto       like = Filter<short>::New();
  Set(*like);
  const auto expected = Expected(false, *like);
  const auto labels = [&](auto zero, double value) {
    using Pixel = decltype(zero);
    auto filter = itk::GGPFNSegmentationImageFilter<Short, itk::Image<Pixel, 3>>::New();
    Set(*filter);
    filter->SetInput(Lump<short>());
    filter->SetLabelValue(static_cast<Pixel>(value));
    filter->Update();
    bool same = true;
    for (std::size_t n = 0; n < expected.mask.size(); ++n)
    {
      same = same && filter->GetOutput()->GetBufferPointer()[n] == static_cast<Pixel>(expected.mask[n] != 0 ? value : 0);
    }
    return same;
  };
  CHECK(labels(static_cast<unsigned char>(0), 200) && labels(static_cast<signed char>(0), -3));
  CHECK(labels(short{}, 4000) && labels(0U, 70000) && labels(float{}, 0.5) && labels(double{}, 1));
}

void
Outputs()
{
  auto filter = Filter<short>::New();
  Set(*filter);
  filter->SetInput(Lump<short>());
  filter->GenerateProbabilityOn();
  filter->GenerateUncertaintyOn();
  filter->Update();
  const auto expected = Expected(false, *filter);
  CHECK(Same(filter->GetOutput(), expected.mask) && Same(filter->GetProbabilityOutput(), expected.probability));
  CHECK(Same(filter->GetUncertaintyOutput(), expected.uncertainty));
  CHECK(filter->GetVolumeInML() == expected.measurements.volume_ml && filter->GetMeanHU() == *expected.measurements.mean_hu);
  CHECK(filter->GetNumberOfPixelsInOrgan() == expected.measurements.voxels);
  CHECK(filter->GetExpectedDice() == *expected.measurements.expected_dice && filter->GetDoubtful());
  CHECK(filter->GetWarnings().size() == expected.measurements.warnings.size() && !filter->GetWarnings().empty());
  CHECK(filter->GetMeasurements().threshold == filter->GetThreshold() && filter->GetNumberOfComponents() > 0);

  // One that is turned off is empty again, and may not be asked for.
  filter->GenerateProbabilityOff();
  filter->Update();
  CHECK(filter->GetProbabilityOutput()->GetBufferedRegion().GetNumberOfPixels() == 0);
  CHECK(Same(filter->GetUncertaintyOutput(), expected.uncertainty));
  std::string text;
  try
  {
    filter->GetProbabilityOutput()->Update();
  }
  catch (const itk::ExceptionObject & error)
  {
    text = error.GetDescription();
  }
  CHECK(says(text, "GenerateProbability"));

  // An output leaves the pipeline with its pixels, and its successor is of its type.
  filter->GenerateProbabilityOn();
  filter->Update();
  itk::Image<float, 3>::Pointer kept = filter->GetProbabilityOutput();
  kept->DisconnectPipeline();
  CHECK(filter->GetProbabilityOutput() != nullptr && filter->GetProbabilityOutput() != kept.GetPointer());
  filter->Modified();
  filter->Update();
  CHECK(Same(kept.GetPointer(), expected.probability) && Same(filter->GetProbabilityOutput(), expected.probability));

  // Downstream of a probability alone.
  auto cast = itk::CastImageFilter<itk::Image<float, 3>, itk::Image<double, 3>>::New();
  auto other = Filter<short>::New();
  Set(*other);
  other->SetInput(Lump<short>());
  other->GenerateProbabilityOn();
  cast->SetInput(other->GetProbabilityOutput());
  cast->Update();
  CHECK(cast->GetOutput()->GetBufferPointer()[77] == static_cast<double>(expected.probability[77]));
}

void
Geometry()
{
  for (const bool oblique : { false, true })
  {
    for (const itk::IndexValueType first : { 0, 5, -7 })
    {
      auto filter = Filter<short>::New();
      Set(*filter);
      const auto image = Lump<short>(first, oblique);
      filter->SetInput(image);
      filter->GenerateProbabilityOn();
      filter->Update();
      const auto expected = Expected(oblique, *filter);
      CHECK(Same(filter->GetOutput(), expected.mask) && Same(filter->GetProbabilityOutput(), expected.probability));
      CHECK(filter->GetOutput()->GetLargestPossibleRegion() == image->GetLargestPossibleRegion());
      CHECK(filter->GetOutput()->GetDirection() == image->GetDirection());
      CHECK(filter->GetOutput()->GetOrigin() == image->GetOrigin());
      CHECK(filter->GetProbabilityOutput()->GetSpacing() == image->GetSpacing());
      for (unsigned int axis = 0; axis < 3; ++axis)
      {
        CHECK(std::abs(filter->GetCentroid()[axis] - (*expected.measurements.centroid)[axis]) < 1e-9);
        CHECK(filter->GetBoundingBox().GetIndex(axis) ==
              first * (axis + 1) + static_cast<itk::IndexValueType>(expected.measurements.box->start[axis]));
        CHECK(filter->GetBoundingBox().GetSize(axis) == expected.measurements.box->size[axis]);
      }
    }
  }

  // A region to look at is in the image's indices.
  auto filter = Filter<short>::New();
  Set(*filter);
  filter->SetInput(Lump<short>(5));
  itk::ImageRegion<3> part({ { 13, 14, 18 } }, { { 12, 10, 6 } });
  filter->SetRegionOfInterest(part);
  filter->Update();
  CHECK(filter->GetNumberOfPixelsInOrgan() > 0 && part.IsInside(filter->GetBoundingBox()));
  filter->SetRegionOfInterest(itk::ImageRegion<3>({ { 0, 0, 0 } }, { { 12, 10, 6 } }));
  std::string text;
  try
  {
    filter->Update();
  }
  catch (const itk::ExceptionObject & error)
  {
    text = error.GetDescription();
  }
  CHECK(says(text, "RegionOfInterest"));
}

/// A source whose buffer is larger than its image: padding is not to be read.
class Padded : public itk::ImageSource<Short>
{
public:
  using Self = Padded;
  using Pointer = itk::SmartPointer<Self>;
  itkNewMacro(Self);

protected:
  void
  GenerateOutputInformation() override
  {
    this->GetOutput()->CopyInformation(m_Whole);
  }
  void
  GenerateData() override
  {
    auto buffered = m_Whole->GetLargestPossibleRegion();
    buffered.PadByRadius(3);
    this->GetOutput()->SetBufferedRegion(buffered);
    this->GetOutput()->Allocate();
    this->GetOutput()->FillBuffer(3000);
    itk::ImageRegionConstIteratorWithIndex<Short> it(m_Whole, m_Whole->GetLargestPossibleRegion());
    for (; !it.IsAtEnd(); ++it)
    {
      this->GetOutput()->SetPixel(it.GetIndex(), it.Get());
    }
  }

private:
  Short::Pointer m_Whole = Lump<short>(5);
};

void
LargerBuffer()
{
  auto source = Padded::New();
  auto filter = Filter<short>::New();
  Set(*filter);
  filter->SetInput(source->GetOutput());
  filter->GenerateProbabilityOn();
  filter->Update();
  CHECK(source->GetOutput()->GetBufferedRegion().GetSize(0) == size[0] + 6);
  const auto expected = Expected(false, *filter);
  CHECK(Same(filter->GetOutput(), expected.mask) && Same(filter->GetProbabilityOutput(), expected.probability));
}

/// Counts how often it is asked for data.
class Source : public itk::CastImageFilter<Short, itk::Image<float, 3>>
{
public:
  using Self = Source;
  using Pointer = itk::SmartPointer<Self>;
  itkNewMacro(Self);
  int runs = 0;

protected:
  void
  GenerateData() override
  {
    ++runs;
    itk::CastImageFilter<Short, itk::Image<float, 3>>::GenerateData();
  }
};

void
Streaming()
{
  auto source = Source::New();
  source->SetInput(Lump<short>(5));
  auto filter = Filter<float>::New();
  Set(*filter);
  filter->SetInput(source->GetOutput());
  int runs = 0;
  filter->AddObserver(itk::StartEvent(), [&runs](const itk::EventObject &) { ++runs; });
  auto pieces = itk::StreamingImageFilter<LabelImage, LabelImage>::New();
  pieces->SetInput(filter->GetOutput());
  pieces->SetNumberOfStreamDivisions(4);
  pieces->Update();
  auto       like = Filter<short>::New();
  Set(*like);
  const auto expected = Expected(false, *like);
  CHECK(Same(pieces->GetOutput(), expected.mask) && runs == 1 && source->runs == 1);

  // A part downstream gets the part, of the whole.
  auto       extract = itk::RegionOfInterestImageFilter<LabelImage, LabelImage>::New();
  const auto part = itk::ImageRegion<3>({ { 10, 15, 20 } }, { { 6, 5, 4 } });
  extract->SetInput(filter->GetOutput());
  extract->SetRegionOfInterest(part);
  extract->Update();
  CHECK(extract->GetOutput()->GetPixel({ { 1, 2, 3 } }) == filter->GetOutput()->GetPixel({ { 11, 17, 23 } }) && runs == 1);

  // Nothing has changed: nothing runs. Something has: it does, with the model that is there.
  filter->Update();
  CHECK(runs == 1);
  filter->LargestComponentOn();
  filter->Update();
  CHECK(runs == 2 && filter->GetNumberOfComponents() == 1);
}

void
ProgressAndAbort()
{
  // Long enough to be stopped in its middle.
  auto image = Short::New();
  image->SetRegions(itk::Size<3>{ { 128, 128, 60 } });
  image->Allocate();
  image->FillBuffer(40);
  auto filter = Filter<short>::New();
  Set(*filter);
  filter->SetInput(image);

  const auto here = std::this_thread::get_id();
  float      last = 0.0F;
  int        events = 0;
  bool       orderly = true;
  int        aborts = 0;
  float      stop_at = 2.0F;
  filter->AddObserver(itk::AbortEvent(), [&](const itk::EventObject &) { ++aborts; });
  filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) {
    ++events;
    orderly = orderly && filter->GetProgress() >= last && here == std::this_thread::get_id();
    last = filter->GetProgress();
    if (last > stop_at)
    {
      filter->AbortGenerateDataOn();
    }
  });
  filter->Update();
  CHECK(events > 3 && orderly && last == 1.0F && aborts == 0);

  const auto aborted = [&] {
    last = 0.0F;
    filter->Modified();
    try
    {
      filter->Update();
    }
    catch (const itk::ProcessAborted &)
    {
      return true;
    }
    return false;
  };
  stop_at = 0.2F;
  CHECK(aborted() && aborts == 1 && filter->GetNumberOfPixelsInOrgan() == 0);
  // Afterwards it works again.
  stop_at = 2.0F;
  last = 0.0F;
  filter->Update();
  CHECK(last == 1.0F && aborts == 1);

  // From another thread.
  std::thread stopper([&filter] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    filter->AbortGenerateDataOn();
  });
  CHECK(aborted());
  stopper.join();

  // What an observer throws comes out, after the work has ended.
  auto throwing = Filter<short>::New();
  Set(*throwing);
  throwing->SetInput(image);
  throwing->AddObserver(itk::ProgressEvent(), [](const itk::EventObject &) { throw std::runtime_error("an observer's"); });
  std::string text;
  try
  {
    throwing->Update();
  }
  catch (const std::runtime_error & error)
  {
    text = error.what();
  }
  CHECK(text == "an observer's");

  // A filter behind it is usable again after ResetPipeline(), as ITK has it.
  auto behind = itk::CastImageFilter<LabelImage, LabelImage>::New();
  behind->SetInput(filter->GetOutput());
  stop_at = 0.2F;
  last = 0.0F;
  filter->Modified();
  bool thrown = false;
  try
  {
    behind->Update();
  }
  catch (const itk::ProcessAborted &)
  {
    thrown = true;
  }
  CHECK(thrown);
  stop_at = 2.0F;
  last = 0.0F;
  behind->ResetPipeline();
  behind->Update();
  CHECK(behind->GetOutput()->GetBufferedRegion() == image->GetLargestPossibleRegion());
}

template <typename TFilter, typename TChange>
std::string
Refusal(TFilter & filter, const TChange & change)
{
  change();
  try
  {
    filter.Update();
  }
  catch (const itk::ExceptionObject & error)
  {
    return error.GetDescription();
  }
  return "nothing was thrown";
}

void
Errors()
{
  auto filter = Filter<short>::New();
  filter->SetInput(Lump<short>());
  filter->SetDevice(Filter<short>::DeviceEnum::CPU);
  CHECK(says(Refusal(*filter, [&] { filter->SetModelFileName("/nowhere/m.safetensors"); }), "/nowhere/m.safetensors"));
  Set(*filter);
  CHECK(says(Refusal(*filter, [&] { filter->SetThreshold(1.5); }), "threshold"));
  filter->SetThreshold(0.0);
  CHECK(says(Refusal(*filter, [&] { filter->SetViews(9); }), "Views"));
  filter->SetViews(0);
  CHECK(says(Refusal(*filter, [&] { filter->SetThreads(-1); }), "threads"));
  filter->SetThreads(0);
  typename Filter<short>::PatchSizeType patch;
  patch.Fill(12);
  CHECK(says(Refusal(*filter, [&] { filter->SetPatchSize(patch); }), "multiple"));
  patch.Fill(0);
  filter->SetPatchSize(patch);
  filter->Update();

  auto  nans = Filter<float>::New();
  auto  image = Lump<float>();
  Set(*nans);
  image->SetPixel({ { 5, 5, 5 } }, std::nanf(""));
  nans->SetInput(image);
  CHECK(says(Refusal(*nans, [] {}), "finite"));
  auto alone = Filter<short>::New();
  CHECK(says(Refusal(*alone, [] {}), "Input"));
}

void
ModelAndPrinting()
{
  // A filter without a model takes the shipped one, once.
  auto filter = Filter<short>::New();
  filter->SetInput(Lump<short>());
  filter->SetDevice(Filter<short>::DeviceEnum::CPU);
  CHECK(!filter->GetModel());
  filter->Update();
  const ggpfn::Model model = filter->GetModel();
  CHECK(model && model.info().spacing);
  filter->SetThreshold(0.5);
  filter->Update();
  CHECK(filter->GetModel() == model && filter->GetMeasurements().threshold == 0.5);
  // Shared with another.
  auto other = Filter<float>::New();
  other->SetModel(model);
  CHECK(other->GetModel() == model);
  std::ostringstream text;
  text << *filter;
  for (const char * part : { "Model: loaded", "Threshold: 0.5", "Device: itk::GGPFNSegmentationImageFilterEnums::Device::CPU",
                             "RegionOfInterest", "GenerateProbability: Off", "LabelValue: 1" })
  {
    CHECK(says(text.str(), part));
  }
}

int
SegmentFile(const char * input, const char * output)
{
  auto filter = Filter<short>::New();
  filter->SetInput(itk::ReadImage<Short>(input));
  filter->SetDevice(Filter<short>::DeviceEnum::CPU);
  filter->Update();
  std::ofstream file(output, std::ios::binary);
  file.write(reinterpret_cast<const char *>(filter->GetOutput()->GetBufferPointer()),
             static_cast<std::streamsize>(filter->GetOutput()->GetBufferedRegion().GetNumberOfPixels()));
  std::cout << filter->GetVolumeInML() << " mL" << std::endl;
  return file.good() ? EXIT_SUCCESS : EXIT_FAILURE;
}

/// Ends the process while another thread updates the filter: Update() says so there, and never returns as if there were a mask.
std::atomic<bool> updated{ false };

int
Leave()
{
  // Registered before the library's own, hence run after it: the other thread gets the time to say what became of it.
  std::atexit([] {
    for (int i = 0; i < 1000 && !updated; ++i)
    {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  static std::atomic<bool> started{ false };
  std::thread([] {
    auto image = Short::New();
    image->SetRegions(itk::Size<3>{ { 128, 128, 60 } });
    image->Allocate();
    image->FillBuffer(40);
    auto filter = Filter<short>::New();
    Set(*filter);
    filter->SetInput(image);
    filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) { started = filter->GetProgress() > 0.1F; });
    const char * became = "returned\n";
    try
    {
      filter->Update();
    }
    catch (const itk::ProcessAborted &)
    {
      became = "aborted\n";
    }
    std::fputs(became, stderr);
    updated = true;
  }).detach();
  while (!started)
  {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return EXIT_SUCCESS;
}

/// A model of two labels: each has its own value, whatever the one of a mask is set to.
void
Labels()
{
  const auto two = check::small_model(R"("labels": ["pancreas", "tumour"], )");
  const auto values = check::lump<short>(size, 13, 11, 6, 150);
  auto       filter = Filter<short>::New();
  Set(*filter);
  filter->SetModel(two);
  filter->SetLabelValue(7);
  filter->SetInput(Lump<short>());
  filter->Update();
  ggpfn::Options options;
  options.device = ggpfn::Device::cpu();
  options.precision = ggpfn::Precision::float32;
  options.threshold = filter->GetThreshold();
  const auto expected = two.segment(ggpfn::Image::of(values, size, { { 0.8, 0.9, 2.5 } }), options);
  const auto * found = filter->GetOutput()->GetBufferPointer();
  CHECK(std::equal(expected.label_map.begin(), expected.label_map.end(), found));
}

} // namespace

int
main(int argc, char * argv[])
{
  if (argc == 2)
  {
    return Leave();
  }
  if (argc == 3)
  {
    return SegmentFile(argv[1], argv[2]);
  }
  test("pixel types", PixelTypes);
  test("outputs", Outputs);
  test("geometry", Geometry);
  test("larger buffer", LargerBuffer);
  test("streaming", Streaming);
  test("progress and abort", ProgressAndAbort);
  test("labels", Labels);
  test("errors", Errors);
  test("model and printing", ModelAndPrinting);
  return check::end();
}
