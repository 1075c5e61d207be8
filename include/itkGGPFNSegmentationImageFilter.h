/*=========================================================================
 *
 *  An ITK filter over libggpfn, by way of ggpfn.hpp. C++17, ITK 5.
 *
 *=========================================================================*/
#ifndef itkGGPFNSegmentationImageFilter_h
#define itkGGPFNSegmentationImageFilter_h

#include "itkFixedArray.h"
#include "itkImage.h"
#include "itkImageToImageFilter.h"

#include "ggpfn.hpp"

#include <cstdint>
#include <ostream>
#include <string>
#include <type_traits>

namespace itk
{
/** \class GGPFNSegmentationImageFilterEnums
 * \brief The enum classes of GGPFNSegmentationImageFilter.
 * \ingroup GGPFN
 */
class GGPFNSegmentationImageFilterEnums
{
public:
  /** \class Device
   * \ingroup GGPFN
   * Where the network runs. Automatic is the first usable GPU, otherwise the processor. */
  enum class Device : int32_t
  {
    Automatic = GGPFN_DEVICE_AUTO,
    CPU = GGPFN_DEVICE_CPU,
    CUDA = GGPFN_DEVICE_CUDA
  };

  /** \class Precision
   * \ingroup GGPFN
   * The number format of the network. Automatic is bfloat16 where the device is fast at it, otherwise float32. */
  enum class Precision : int32_t
  {
    Automatic = GGPFN_PRECISION_AUTO,
    Float32 = GGPFN_PRECISION_FLOAT32,
    BFloat16 = GGPFN_PRECISION_BFLOAT16
  };
};

inline std::ostream &
operator<<(std::ostream & out, const GGPFNSegmentationImageFilterEnums::Device value)
{
  switch (value)
  {
    case GGPFNSegmentationImageFilterEnums::Device::Automatic:
      return out << "itk::GGPFNSegmentationImageFilterEnums::Device::Automatic";
    case GGPFNSegmentationImageFilterEnums::Device::CPU:
      return out << "itk::GGPFNSegmentationImageFilterEnums::Device::CPU";
    case GGPFNSegmentationImageFilterEnums::Device::CUDA:
      return out << "itk::GGPFNSegmentationImageFilterEnums::Device::CUDA";
  }
  return out << "INVALID VALUE FOR itk::GGPFNSegmentationImageFilterEnums::Device";
}

inline std::ostream &
operator<<(std::ostream & out, const GGPFNSegmentationImageFilterEnums::Precision value)
{
  switch (value)
  {
    case GGPFNSegmentationImageFilterEnums::Precision::Automatic:
      return out << "itk::GGPFNSegmentationImageFilterEnums::Precision::Automatic";
    case GGPFNSegmentationImageFilterEnums::Precision::Float32:
      return out << "itk::GGPFNSegmentationImageFilterEnums::Precision::Float32";
    case GGPFNSegmentationImageFilterEnums::Precision::BFloat16:
      return out << "itk::GGPFNSegmentationImageFilterEnums::Precision::BFloat16";
  }
  return out << "INVALID VALUE FOR itk::GGPFNSegmentationImageFilterEnums::Precision";
}

/** \class GGPFNSegmentationImageFilter
 * \brief Finds the pancreas in a CT with the Globally Guided Progressive Fusion Network.
 *
 * The input is a 3D image of Hounsfield units, of any scalar pixel type and any oblique direction; its pixels are handed to the network
 * where they lie. Outputs, on the input's grid:
 *
 * - 0: the labels, LabelValue in the pancreas and 0 outside; of a model with several labels each has its own value;
 * - 1: the probability, if GenerateProbability is on;
 * - 2: the uncertainty, which is the standard deviation of the views' probabilities, if GenerateUncertainty is on.
 *
 * An output that was not turned on may not be updated. The organ is found in whole images: all of the input is requested, and all of
 * the outputs are made, whatever part of them is asked for.
 *
 * The model is the one given by SetModel(), else the one read from ModelFileName, else the one that is part of the library. It is loaded
 * once and kept between updates; many filters, also in many threads, may share one through SetModel().
 *
 * Options whose value is 0 (or all 0, or an empty region) are left to the model and the library. Values are checked by the library when
 * the filter is updated; an exception then has its sentence.
 *
 * Progress events come from the thread that updates the filter, also while the fraction stands still, so that an observer can keep a
 * window alive. AbortGenerateData, set by an observer or from another thread, stops the work within one of the network's layers and
 * Update() throws ProcessAborted; so it does where the process ends in the middle of the work. It returns where there is a mask, and
 * only there. As after any exception in ITK, call ResetPipeline() on the filter whose Update() was called before it is used again:
 * filters behind this one still take themselves for being updated.
 *
 * \ingroup GGPFN
 */
template <typename TInputImage, typename TOutputImage = Image<unsigned char, 3>>
class ITK_TEMPLATE_EXPORT GGPFNSegmentationImageFilter : public ImageToImageFilter<TInputImage, TOutputImage>
{
public:
  ITK_DISALLOW_COPY_AND_MOVE(GGPFNSegmentationImageFilter);

  /** Standard class type aliases. */
  using Self = GGPFNSegmentationImageFilter;
  using Superclass = ImageToImageFilter<TInputImage, TOutputImage>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;

  /** Method for creation through the object factory. */
  itkNewMacro(Self);

  /** Run-time type information (and related methods). */
  itkTypeMacro(GGPFNSegmentationImageFilter, ImageToImageFilter);

  /** Image types. */
  using InputImageType = TInputImage;
  using InputImagePixelType = typename InputImageType::PixelType;
  using OutputImageType = TOutputImage;
  using OutputImagePixelType = typename OutputImageType::PixelType;
  using ProbabilityImageType = Image<float, 3>;

  using RegionType = typename InputImageType::RegionType;
  using PointType = typename InputImageType::PointType;
  using WeightsType = FixedArray<double, 3>;
  using PatchSizeType = FixedArray<int, 2>;
  using ModelType = ggpfn::Model;
  using MeasurementsType = ggpfn::Measurements;
  using DataObjectPointerArraySizeType = ProcessObject::DataObjectPointerArraySizeType;

  using DeviceEnum = GGPFNSegmentationImageFilterEnums::Device;
  using PrecisionEnum = GGPFNSegmentationImageFilterEnums::Precision;

  /** Bits of Views. */
  static constexpr int AxialView = 1 << GGPFN_AXIAL;
  static constexpr int SagittalView = 1 << GGPFN_SAGITTAL;
  static constexpr int CoronalView = 1 << GGPFN_CORONAL;

  /** Image dimension constants. */
  static constexpr unsigned int InputImageDimension = TInputImage::ImageDimension;
  static constexpr unsigned int OutputImageDimension = TOutputImage::ImageDimension;

  static_assert(InputImageDimension == 3 && OutputImageDimension == 3, "a CT is a 3D image");
  static_assert(std::is_arithmetic<InputImagePixelType>::value, "pixels of the input are Hounsfield units, one number each");
  static_assert(std::is_same<InputImagePixelType, typename InputImageType::InternalPixelType>::value,
                "an adaptor's pixels do not lie in memory; put a CastImageFilter in between");

  /** Set/Get the model file (.safetensors), as UTF-8. Empty: the model that is part of the library. */
  itkSetStringMacro(ModelFileName);
  itkGetStringMacro(ModelFileName);

  /** Set a model that is loaded already, to share it. It is taken before ModelFileName; one without a model takes it back. */
  virtual void
  SetModel(const ModelType & model);

  /** Get the model of SetModel(), else the one that was loaded by the last update, if any. */
  virtual ModelType
  GetModel() const;

  /** Set/Get the value of pixels in the pancreas. 1 by default. */
  itkSetMacro(LabelValue, OutputImagePixelType);
  itkGetConstMacro(LabelValue, OutputImagePixelType);

  /** Set/Get whether output 1, the probability, is made. Off by default. */
  itkSetMacro(GenerateProbability, bool);
  itkGetConstMacro(GenerateProbability, bool);
  itkBooleanMacro(GenerateProbability);

  /** Set/Get whether output 2, the uncertainty, is made. Off by default. */
  itkSetMacro(GenerateUncertainty, bool);
  itkGetConstMacro(GenerateUncertainty, bool);
  itkBooleanMacro(GenerateUncertainty);

  /** Set/Get the views to compute, a sum of AxialView, SagittalView, CoronalView. 0: all that the model has. */
  itkSetMacro(Views, int);
  itkGetConstMacro(Views, int);

  /** Set/Get the weights of the axial, sagittal and coronal view in the fusion. All 0: the model's. */
  itkSetMacro(ViewWeights, WeightsType);
  itkGetConstReferenceMacro(ViewWeights, WeightsType);

  /** Set/Get the threshold: probabilities from here on are pancreas, up to 1. 0: the model's. */
  itkSetMacro(Threshold, double);
  itkGetConstMacro(Threshold, double);

  /** Set/Get where the network runs. */
  itkSetEnumMacro(Device, DeviceEnum);
  itkGetEnumMacro(Device, DeviceEnum);

  /** Set/Get the GPU's number, with DeviceEnum::CUDA. */
  itkSetMacro(DeviceIndex, int);
  itkGetConstMacro(DeviceIndex, int);

  /** Set/Get the number format. */
  itkSetEnumMacro(Precision, PrecisionEnum);
  itkGetEnumMacro(Precision, PrecisionEnum);

  /** Set/Get the processor threads. 0: as many as there are processors. ITK's work units are not used. */
  itkSetMacro(Threads, int);
  itkGetConstMacro(Threads, int);

  /** Set/Get the number of slices that enter the network at a time. 0: chosen by their size. */
  itkSetMacro(Block, int);
  itkGetConstMacro(Block, int);

  /** Set/Get the rows and columns of the patches that slices are cut into, multiples of 8. 0: whole slices. */
  itkSetMacro(PatchSize, PatchSizeType);
  itkGetConstReferenceMacro(PatchSize, PatchSizeType);

  /** Set/Get the pixels by which patches overlap. 0: 64. */
  itkSetMacro(Overlap, int);
  itkGetConstMacro(Overlap, int);

  /** Set/Get whether the largest connected part alone is kept. Off by default. */
  itkSetMacro(LargestComponent, bool);
  itkGetConstMacro(LargestComponent, bool);
  itkBooleanMacro(LargestComponent);

  /** Set/Get the region to look at, in the input's indices. Without pixels: the whole image. */
  itkSetMacro(RegionOfInterest, RegionType);
  itkGetConstReferenceMacro(RegionOfInterest, RegionType);

  /** Get the outputs 1 and 2. */
  ProbabilityImageType *
  GetProbabilityOutput();
  const ProbabilityImageType *
  GetProbabilityOutput() const;
  ProbabilityImageType *
  GetUncertaintyOutput();
  const ProbabilityImageType *
  GetUncertaintyOutput() const;

  /** Get what the last update found out about the organ; its bounding box counts from the first pixel of the largest possible region. */
  itkGetConstReferenceMacro(Measurements, MeasurementsType);

  /** Get the Dice to expect of the last update's result against a manual segmentation, 0 to 1; NaN before an update. */
  double
  GetExpectedDice() const;

  /** Get whether a person should look at the last update's result before it is used. */
  bool
  GetDoubtful() const
  {
    return m_Measurements.doubtful;
  }

  /** Get what is odd about the input and the last update's result. */
  const std::vector<ggpfn::Warning> &
  GetWarnings() const
  {
    return m_Measurements.warnings;
  }

  /** Get the organ's volume in mL. */
  double
  GetVolumeInML() const
  {
    return m_Measurements.volume_ml;
  }

  /** Get the number of pixels in the organ. */
  SizeValueType
  GetNumberOfPixelsInOrgan() const
  {
    return static_cast<SizeValueType>(m_Measurements.voxels);
  }

  /** Get the number of connected parts. */
  SizeValueType
  GetNumberOfComponents() const
  {
    return static_cast<SizeValueType>(m_Measurements.components);
  }

  /** Get the organ's bounding box in the input's indices; without pixels if nothing was found. */
  RegionType
  GetBoundingBox() const;

  /** Get the organ's centroid in physical space; not numbers if nothing was found. */
  PointType
  GetCentroid() const;

  /** Get mean and standard deviation of the Hounsfield units in the organ; not a number if nothing was found. */
  double
  GetMeanHU() const;
  double
  GetStandardDeviationHU() const;

  /** Make one of the outputs: all are images, of two types. */
  ProcessObject::DataObjectPointer
  MakeOutput(DataObjectPointerArraySizeType index) override;
  ProcessObject::DataObjectPointer
  MakeOutput(const ProcessObject::DataObjectIdentifierType & name) override;

protected:
  GGPFNSegmentationImageFilter();
  ~GGPFNSegmentationImageFilter() override = default;

  /** The organ is found in whole images. */
  void
  GenerateInputRequestedRegion() override;

  /** All outputs are made whole. An output that was not turned on is refused. */
  void
  EnlargeOutputRequestedRegion(DataObject * output) override;

  void
  GenerateData() override;

  void
  PrintSelf(std::ostream & os, Indent indent) const override;

private:
  /** The model to use, loaded if it has to be. */
  ModelType
  UsedModel();

  /** The region's pixels, where they lie. */
  static ggpfn::Image
  Describe(const InputImageType & image, const RegionType & region);

  /** The options, for an image whose pixels begin at the region's index. */
  ggpfn::Options
  UsedOptions(const RegionType & region) const;

  /** Gives an output a buffer and returns it; one that is not wanted loses its buffer. */
  static ggpfn::Output<float>
  Prepare(ProbabilityImageType & image, bool wanted, const RegionType & region);

  /** Runs the network on another thread, while this one tells observers how far it is. */
  MeasurementsType
  Run(const ModelType & model, const ggpfn::Image & image, const ggpfn::Results & results, const ggpfn::Options & options);

  std::string          m_ModelFileName;
  ModelType            m_GivenModel;
  ModelType            m_LoadedModel;
  std::string          m_LoadedFrom;
  OutputImagePixelType m_LabelValue;
  bool                 m_GenerateProbability{ false };
  bool                 m_GenerateUncertainty{ false };
  int                  m_Views{ 0 };
  WeightsType          m_ViewWeights;
  double               m_Threshold{ 0.0 };
  DeviceEnum           m_Device{ DeviceEnum::Automatic };
  int                  m_DeviceIndex{ 0 };
  PrecisionEnum        m_Precision{ PrecisionEnum::Automatic };
  int                  m_Threads{ 0 };
  int                  m_Block{ 0 };
  PatchSizeType        m_PatchSize;
  int                  m_Overlap{ 0 };
  bool                 m_LargestComponent{ false };
  RegionType           m_RegionOfInterest;
  MeasurementsType     m_Measurements;
};
} // end namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#  include "itkGGPFNSegmentationImageFilter.hxx"
#endif

#endif
