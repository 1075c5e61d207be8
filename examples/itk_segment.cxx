// Reads a CT, a file of any format that ITK knows or a folder with a DICOM series, finds the pancreas, and writes the labels.
//
//     cmake -S . -B build -DCMAKE_PREFIX_PATH=/where/ggpfn/is && cmake --build build    (the CMakeLists.txt beside this file)
//     build/itk_segment ct.nii.gz labels.nii.gz [model.safetensors]

#include "itkCommand.h"
#include "itkGDCMImageIO.h"
#include "itkGDCMSeriesFileNames.h"
#include "itkGGPFNSegmentationImageFilter.h"
#include "itkImageFileReader.h"
#include "itkImageFileWriter.h"
#include "itkImageSeriesReader.h"

#include "itksys/SystemTools.hxx"

#include <cstdlib>
#include <iostream>

using CTType = itk::Image<short, 3>;
using LabelType = itk::Image<unsigned char, 3>;

static CTType::Pointer
Read(const std::string & path)
{
  if (!itksys::SystemTools::FileIsDirectory(path))
  {
    return itk::ReadImage<CTType>(path);
  }
  auto names = itk::GDCMSeriesFileNames::New();
  names->SetDirectory(path);
  auto reader = itk::ImageSeriesReader<CTType>::New();
  reader->SetImageIO(itk::GDCMImageIO::New());
  reader->SetFileNames(names->GetInputFileNames());
  reader->Update();
  return reader->GetOutput();
}

int
main(int argc, char * argv[])
{
  if (argc < 3)
  {
    std::cerr << "usage: itk_segment CT LABELS [MODEL]" << std::endl;
    return EXIT_FAILURE;
  }
  try
  {
    auto filter = itk::GGPFNSegmentationImageFilter<CTType, LabelType>::New();
    filter->SetInput(Read(argv[1]));
    filter->SetModelFileName(argc > 3 ? argv[3] : "");
    filter->LargestComponentOff();
    filter->AddObserver(itk::ProgressEvent(), [&filter](const itk::EventObject &) {
      std::cerr << '\r' << static_cast<int>(100 * filter->GetProgress()) << " % " << std::flush;
      // filter->AbortGenerateDataOn() would stop it here.
    });
    filter->Update();
    std::cerr << std::endl;
    std::cout << filter->GetVolumeInML() << " mL around " << filter->GetCentroid() << std::endl;
    itk::WriteImage(filter->GetOutput(), argv[2], true);
  }
  catch (const itk::ExceptionObject & error)
  {
    std::cerr << error << std::endl;
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
