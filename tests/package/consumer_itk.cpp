// The ITK filter by the target of CMake: does its header compile, and does it link with the project's ITK?

#include <itkGGPFNSegmentationImageFilter.h>
#include <itkImage.h>

#include <iostream>

int main()
{
    using Image = itk::Image<short, 3>;
    using Mask = itk::Image<unsigned char, 3>;
    auto filter = itk::GGPFNSegmentationImageFilter<Image, Mask>::New();
    std::cout << filter->GetNameOfClass() << "\n";
}
