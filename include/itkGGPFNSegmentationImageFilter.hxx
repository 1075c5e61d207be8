/*=========================================================================
 *
 *  An ITK filter over libggpfn: how it works. What it does stands in the .h.
 *
 *=========================================================================*/
#ifndef itkGGPFNSegmentationImageFilter_hxx
#define itkGGPFNSegmentationImageFilter_hxx

#include "itkGGPFNSegmentationImageFilter.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <limits>
#include <thread>
#include <vector>

namespace itk
{

template <typename TInputImage, typename TOutputImage>
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GGPFNSegmentationImageFilter()
  : m_LabelValue(NumericTraits<OutputImagePixelType>::OneValue())
{
  m_ViewWeights.Fill(0.0);
  m_PatchSize.Fill(0);
  this->SetNumberOfRequiredInputs(1);
  // The outputs 1 and 2 are there from the beginning, so that pipelines can be built before the first update.
  this->SetNumberOfRequiredOutputs(3);
  this->SetNthOutput(1, this->MakeOutput(1));
  this->SetNthOutput(2, this->MakeOutput(2));
}

template <typename TInputImage, typename TOutputImage>
ProcessObject::DataObjectPointer
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::MakeOutput(DataObjectPointerArraySizeType index)
{
  if (index == 1 || index == 2)
  {
    return ProbabilityImageType::New().GetPointer();
  }
  return Superclass::MakeOutput(index);
}

template <typename TInputImage, typename TOutputImage>
ProcessObject::DataObjectPointer
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::MakeOutput(const ProcessObject::DataObjectIdentifierType & name)
{
  // Asked by this name when an output leaves the pipeline and needs a successor.
  if (this->IsIndexedOutputName(name))
  {
    return this->MakeOutput(this->MakeIndexFromOutputName(name));
  }
  return Superclass::MakeOutput(name);
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetProbabilityOutput() -> ProbabilityImageType *
{
  return dynamic_cast<ProbabilityImageType *>(this->ProcessObject::GetOutput(1));
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetProbabilityOutput() const -> const ProbabilityImageType *
{
  return dynamic_cast<const ProbabilityImageType *>(this->ProcessObject::GetOutput(1));
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetUncertaintyOutput() -> ProbabilityImageType *
{
  return dynamic_cast<ProbabilityImageType *>(this->ProcessObject::GetOutput(2));
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetUncertaintyOutput() const -> const ProbabilityImageType *
{
  return dynamic_cast<const ProbabilityImageType *>(this->ProcessObject::GetOutput(2));
}

template <typename TInputImage, typename TOutputImage>
void
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::SetModel(const ModelType & model)
{
  if (m_GivenModel != model)
  {
    m_GivenModel = model;
    this->Modified();
  }
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetModel() const -> ModelType
{
  return m_GivenModel ? m_GivenModel : m_LoadedModel;
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::UsedModel() -> ModelType
{
  if (m_GivenModel)
  {
    return m_GivenModel;
  }
  if (!m_LoadedModel || m_LoadedFrom != m_ModelFileName)
  {
    m_LoadedModel = m_ModelFileName.empty() ? ModelType::shipped() : ModelType::load(m_ModelFileName);
    m_LoadedFrom = m_ModelFileName;
  }
  return m_LoadedModel;
}

template <typename TInputImage, typename TOutputImage>
ggpfn::Options
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::UsedOptions(const RegionType & region) const
{
  ggpfn::Options options;
  if (m_Views < 0 || m_Views > (AxialView | SagittalView | CoronalView))
  {
    itkExceptionMacro("Views is " << m_Views << "; a sum of AxialView, SagittalView and CoronalView was expected");
  }
  for (const ggpfn::View view : { ggpfn::View::axial, ggpfn::View::sagittal, ggpfn::View::coronal })
  {
    if ((m_Views & (1 << static_cast<int>(view))) != 0)
    {
      options.views.push_back(view);
    }
  }
  const auto given = [](int value) { return value == 0 ? std::optional<int>() : std::optional<int>(value); };
  options.device = { static_cast<int32_t>(m_Device), m_DeviceIndex };
  options.precision = static_cast<ggpfn::Precision>(m_Precision);
  options.threads = given(m_Threads);
  options.block = given(m_Block);
  options.overlap = given(m_Overlap);
  options.largest_component = m_LargestComponent;
  if (m_PatchSize[0] != 0 || m_PatchSize[1] != 0)
  {
    options.patch = { { m_PatchSize[0], m_PatchSize[1] } };
  }
  if (m_ViewWeights[0] != 0.0 || m_ViewWeights[1] != 0.0 || m_ViewWeights[2] != 0.0)
  {
    options.view_weights = { { m_ViewWeights[0], m_ViewWeights[1], m_ViewWeights[2] } };
  }
  if (m_Threshold != 0.0)
  {
    options.threshold = m_Threshold;
  }
  if (m_RegionOfInterest.GetNumberOfPixels() > 0)
  {
    if (!region.IsInside(m_RegionOfInterest))
    {
      itkExceptionMacro("RegionOfInterest is not within the image: " << m_RegionOfInterest << " is not in " << region);
    }
    options.region.emplace();
    for (unsigned int axis = 0; axis < 3; ++axis)
    {
      options.region->start[axis] = static_cast<std::size_t>(m_RegionOfInterest.GetIndex(axis) - region.GetIndex(axis));
      options.region->size[axis] = m_RegionOfInterest.GetSize(axis);
    }
  }
  return options;
}

template <typename TInputImage, typename TOutputImage>
ggpfn::Image
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::Describe(const InputImageType & image, const RegionType & region)
{
  // The buffer may hold more than the region.
  const InputImagePixelType * first = image.GetBufferPointer() + image.ComputeOffset(region.GetIndex());
  const auto *                table = image.GetOffsetTable();
  PointType                   corner;
  image.TransformIndexToPhysicalPoint(region.GetIndex(), corner);

  ggpfn::Size    size{};
  ggpfn::Vector  spacing{};
  ggpfn::Vector  origin{};
  ggpfn::Matrix  direction{};
  ggpfn::Strides strides{};
  std::size_t    bytes = sizeof(InputImagePixelType);
  for (unsigned int axis = 0; axis < 3; ++axis)
  {
    const std::size_t stride = static_cast<std::size_t>(table[axis]) * sizeof(InputImagePixelType);
    size[axis] = region.GetSize(axis);
    bytes += (size[axis] - 1) * stride;
    strides[axis] = static_cast<std::int64_t>(stride);
    spacing[axis] = image.GetSpacing()[axis];
    origin[axis] = corner[axis];
    for (unsigned int column = 0; column < 3; ++column)
    {
      direction[3 * axis + column] = image.GetDirection()[axis][column];
    }
  }
  return ggpfn::Image::of(first, size, spacing)
    .set_origin(origin)
    .set_direction(direction)
    .set_strides(strides, bytes);
}

template <typename TInputImage, typename TOutputImage>
ggpfn::Output<float>
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::Prepare(ProbabilityImageType & image,
                                                                 bool                   wanted,
                                                                 const RegionType &     region)
{
  if (!wanted)
  {
    // What an earlier update left belongs to another result.
    image.Initialize();
    return {};
  }
  image.SetBufferedRegion(region);
  image.Allocate(true);
  return ggpfn::span<float>(image.GetBufferPointer(), region.GetNumberOfPixels());
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::Run(const ModelType &      model,
                                                             const ggpfn::Image &   image,
                                                             const ggpfn::Results & results,
                                                             const ggpfn::Options & options) -> MeasurementsType
{
  const ggpfn::Monitor                monitor;
  std::packaged_task<MeasurementsType()> task(
    [&]() { return model.segment_into(image, results, options, { nullptr, monitor.get_token() }); });
  std::future<MeasurementsType> outcome = task.get_future();

  // Whatever leaves this function, also what an observer throws: the work ends first, since it uses what is on this stack.
  struct Worker
  {
    const ggpfn::Monitor & monitor;
    std::thread            thread;
    ~Worker()
    {
      monitor.request_stop();
      thread.join();
    }
  } worker{ monitor, std::thread(std::move(task)) };

  // Often enough that an observer can keep a window alive.
  while (outcome.wait_for(std::chrono::milliseconds(25)) != std::future_status::ready)
  {
    this->UpdateProgress(static_cast<float>(monitor.progress().fraction));
    if (this->GetAbortGenerateData())
    {
      monitor.request_stop();
    }
  }
  return outcome.get();
}

template <typename TInputImage, typename TOutputImage>
void
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GenerateData()
{
  m_Measurements = MeasurementsType();
  const InputImageType * input = this->GetInput();
  OutputImageType *      output = this->GetOutput();
  const RegionType       region = input->GetLargestPossibleRegion();
  if (region.GetNumberOfPixels() == 0 || !input->GetBufferedRegion().IsInside(region))
  {
    itkExceptionMacro("the whole image was requested, and the input has only " << input->GetBufferedRegion() << " of "
                                                                               << region);
  }
  output->SetBufferedRegion(region);
  output->Allocate(true);
  const SizeValueType   pixels = region.GetNumberOfPixels();
  OutputImagePixelType * labels = output->GetBufferPointer();

  ggpfn::Results results;
  results.probability = Prepare(*this->GetProbabilityOutput(), m_GenerateProbability, region);
  results.uncertainty = Prepare(*this->GetUncertaintyOutput(), m_GenerateUncertainty, region);
  bool                      several = false;
  std::vector<std::uint8_t> mask;

  try
  {
    // The labels of a model with several keep their own values.
    several = this->UsedModel().info().labels.size() > 1;
    ggpfn::Output<std::uint8_t> & wanted = several ? results.label_map : results.mask;
    if (std::is_integral<OutputImagePixelType>::value && sizeof(OutputImagePixelType) == 1)
    {
      wanted = ggpfn::span<std::uint8_t>(reinterpret_cast<std::uint8_t *>(labels), pixels);
    }
    else
    {
      mask.resize(pixels);
      wanted = mask;
    }
    m_Measurements = this->Run(this->UsedModel(), Describe(*input, region), results, this->UsedOptions(region));
  }
  catch (const ggpfn::Error & error)
  {
    if (error.cancelled())
    {
      // Cancelled by whoever set AbortGenerateData, or by the library since the process ends: either way there is no mask.
      throw ProcessAborted(__FILE__, __LINE__);
    }
    itkExceptionMacro(<< error.what());
  }
  if (this->GetAbortGenerateData())
  {
    m_Measurements = MeasurementsType();
    throw ProcessAborted(__FILE__, __LINE__);
  }

  const OutputImagePixelType outside = NumericTraits<OutputImagePixelType>::ZeroValue();
  if (several)
  {
    std::transform(
      mask.begin(), mask.end(), labels, [](std::uint8_t v) { return static_cast<OutputImagePixelType>(v); });
  }
  else if (!mask.empty())
  {
    std::transform(mask.begin(), mask.end(), labels, [&](std::uint8_t v) { return v != 0 ? m_LabelValue : outside; });
  }
  else if (m_LabelValue != NumericTraits<OutputImagePixelType>::OneValue())
  {
    std::replace(labels, labels + pixels, NumericTraits<OutputImagePixelType>::OneValue(), m_LabelValue);
  }
}

template <typename TInputImage, typename TOutputImage>
void
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GenerateInputRequestedRegion()
{
  Superclass::GenerateInputRequestedRegion();
  auto * input = const_cast<InputImageType *>(this->GetInput());
  if (input != nullptr)
  {
    input->SetRequestedRegionToLargestPossibleRegion();
  }
}

template <typename TInputImage, typename TOutputImage>
void
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::EnlargeOutputRequestedRegion(DataObject * output)
{
  Superclass::EnlargeOutputRequestedRegion(output);
  if (output == this->ProcessObject::GetOutput(1) && !m_GenerateProbability)
  {
    itkExceptionMacro("the probability is asked for; turn GenerateProbability on");
  }
  if (output == this->ProcessObject::GetOutput(2) && !m_GenerateUncertainty)
  {
    itkExceptionMacro("the uncertainty is asked for; turn GenerateUncertainty on");
  }
  output->SetRequestedRegionToLargestPossibleRegion();
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetBoundingBox() const -> RegionType
{
  RegionType box;
  if (m_Measurements.box && this->GetInput() != nullptr)
  {
    const auto & first = this->GetInput()->GetLargestPossibleRegion().GetIndex();
    for (unsigned int axis = 0; axis < 3; ++axis)
    {
      box.SetIndex(axis, first[axis] + static_cast<IndexValueType>(m_Measurements.box->start[axis]));
      box.SetSize(axis, m_Measurements.box->size[axis]);
    }
  }
  return box;
}

template <typename TInputImage, typename TOutputImage>
auto
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetCentroid() const -> PointType
{
  PointType point;
  point.Fill(std::numeric_limits<double>::quiet_NaN());
  for (unsigned int axis = 0; axis < 3 && m_Measurements.centroid; ++axis)
  {
    point[axis] = (*m_Measurements.centroid)[axis];
  }
  return point;
}

template <typename TInputImage, typename TOutputImage>
double
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetExpectedDice() const
{
  return m_Measurements.expected_dice.value_or(std::numeric_limits<double>::quiet_NaN());
}

template <typename TInputImage, typename TOutputImage>
double
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetMeanHU() const
{
  return m_Measurements.mean_hu.value_or(std::numeric_limits<double>::quiet_NaN());
}

template <typename TInputImage, typename TOutputImage>
double
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::GetStandardDeviationHU() const
{
  return m_Measurements.std_hu.value_or(std::numeric_limits<double>::quiet_NaN());
}

template <typename TInputImage, typename TOutputImage>
void
GGPFNSegmentationImageFilter<TInputImage, TOutputImage>::PrintSelf(std::ostream & os, Indent indent) const
{
  Superclass::PrintSelf(os, indent);

  os << indent << "ModelFileName: " << m_ModelFileName << std::endl;
  os << indent << "Model: " << (m_GivenModel ? "given" : m_LoadedModel ? "loaded" : "none yet") << std::endl;
  os << indent << "LabelValue: " << static_cast<typename NumericTraits<OutputImagePixelType>::PrintType>(m_LabelValue)
     << std::endl;
  os << indent << "GenerateProbability: " << (m_GenerateProbability ? "On" : "Off") << std::endl;
  os << indent << "GenerateUncertainty: " << (m_GenerateUncertainty ? "On" : "Off") << std::endl;
  os << indent << "Views: " << m_Views << std::endl;
  os << indent << "ViewWeights: " << m_ViewWeights << std::endl;
  os << indent << "Threshold: " << m_Threshold << std::endl;
  os << indent << "Device: " << m_Device << std::endl;
  os << indent << "DeviceIndex: " << m_DeviceIndex << std::endl;
  os << indent << "Precision: " << m_Precision << std::endl;
  os << indent << "Threads: " << m_Threads << std::endl;
  os << indent << "Block: " << m_Block << std::endl;
  os << indent << "PatchSize: " << m_PatchSize << std::endl;
  os << indent << "Overlap: " << m_Overlap << std::endl;
  os << indent << "LargestComponent: " << (m_LargestComponent ? "On" : "Off") << std::endl;
  os << indent << "RegionOfInterest: " << m_RegionOfInterest << std::endl;
  os << indent << "VolumeInML: " << m_Measurements.volume_ml << std::endl;
  os << indent << "ExpectedDice: " << this->GetExpectedDice() << std::endl;
  os << indent << "Doubtful: " << (m_Measurements.doubtful ? "On" : "Off") << std::endl;
}
} // end namespace itk

#endif
