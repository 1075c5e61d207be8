# An ITK remote module around libggpfn. Untested: it needs ITK's source tree or an ITK that was installed with its module macros. The tested
# way is find_package(ggpfn COMPONENTS ITK).
itk_module(GGPFN
  DEPENDS
    ITKCommon
  TEST_DEPENDS
    ITKTestKernel
    ITKIONIFTI
    ITKIONRRD
  EXCLUDE_FROM_DEFAULT
  DESCRIPTION
    "Pancreas segmentation in CT by the Globally Guided Progressive Fusion Network, through libggpfn"
)
