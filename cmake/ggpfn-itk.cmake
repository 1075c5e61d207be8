# The target ggpfn::itk: the ITK filter, which is a header, the library, and ITK.
#
# An ITK that the project has found before is taken as it is, with all the modules that it was found with. Otherwise the one module that
# the filter needs is looked for; a project that reads or writes images finds ITK itself, since its readers have to be registered.
#
# Wanted: ggpfn::ggpfn, _ggpfn_include and _ggpfn_global as in ggpfn-targets.cmake. Sets ggpfn_ITK_FOUND, and _ggpfn_fault if it is not.

set(ggpfn_ITK_FOUND FALSE)
if(TARGET ggpfn::itk)
  set(ggpfn_ITK_FOUND TRUE)
elseif(NOT EXISTS "${_ggpfn_include}/itkGGPFNSegmentationImageFilter.h")
  set(_ggpfn_fault "the filter's header is not in ${_ggpfn_include}")
else()
  if(NOT ITK_FOUND)
    find_package(ITK 5 QUIET COMPONENTS ITKCommon)
    if(NOT ITK_FOUND)
      # QUIET is for version 5 alone: of ITK 6 the package takes no request for 5.
      find_package(ITK QUIET COMPONENTS ITKCommon)
    endif()
  endif()
  if(NOT ITK_FOUND)
    set(_ggpfn_fault "ITK was not found; set ITK_DIR to the folder of its ITKConfig.cmake")
  else()
    add_library(ggpfn::itk INTERFACE IMPORTED ${_ggpfn_global})
    set_property(TARGET ggpfn::itk PROPERTY INTERFACE_LINK_LIBRARIES ggpfn::ggpfn ${ITK_LIBRARIES})
    # ITK 5 has its headers' folders in a variable, not in its targets.
    set_property(TARGET ggpfn::itk PROPERTY INTERFACE_INCLUDE_DIRECTORIES ${ITK_INCLUDE_DIRS})
    set_property(TARGET ggpfn::itk PROPERTY INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${ITK_INCLUDE_DIRS})
    set_property(TARGET ggpfn::itk PROPERTY INTERFACE_COMPILE_FEATURES cxx_std_17)
    set(ggpfn_ITK_FOUND TRUE)
  endif()
endif()
