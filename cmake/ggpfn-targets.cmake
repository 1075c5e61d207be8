# The target ggpfn::ggpfn: the library in a tree made by `cargo xtask install`. The package includes this, and so does the CMakeLists.txt
# of the source tree, so that both give the same.
#
# Wanted: _ggpfn_prefix, the tree; _ggpfn_include, the headers; _ggpfn_version and _ggpfn_abi, which are in files' names; _ggpfn_needed,
# libraries of libtorch; _ggpfn_global, GLOBAL or nothing.
#
# Windows and macOS are written from their manuals and untested.

if(NOT TARGET ggpfn::ggpfn)
  add_library(ggpfn::ggpfn SHARED IMPORTED ${_ggpfn_global})
  # A property, not target_include_directories: in the source tree the headers may lie behind a folder that is yet to be made.
  set_target_properties(ggpfn::ggpfn PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_ggpfn_include}")
  if(WIN32)
    set_target_properties(ggpfn::ggpfn PROPERTIES
      IMPORTED_LOCATION "${_ggpfn_prefix}/bin/ggpfn.dll"
      IMPORTED_IMPLIB "${_ggpfn_prefix}/lib/ggpfn.lib")
  elseif(APPLE)
    set_target_properties(ggpfn::ggpfn PROPERTIES
      IMPORTED_LOCATION "${_ggpfn_prefix}/lib/libggpfn.${_ggpfn_abi}.dylib"
      IMPORTED_SONAME "@rpath/libggpfn.${_ggpfn_abi}.dylib")
  else()
    set_target_properties(ggpfn::ggpfn PROPERTIES
      IMPORTED_LOCATION "${_ggpfn_prefix}/lib/libggpfn.so.${_ggpfn_version}"
      IMPORTED_SONAME "libggpfn.so.${_ggpfn_abi}")
  endif()

  # A linker wants to see what the library needs. GNU ld follows the library's run path by itself, but not where it links for another
  # system's root, as conda's does; CMake turns these into -rpath-link, and links nothing to them.
  foreach(_ggpfn_file IN LISTS _ggpfn_needed)
    if(NOT IS_ABSOLUTE "${_ggpfn_file}")
      set(_ggpfn_file "${_ggpfn_prefix}/lib/${_ggpfn_file}")
    endif()
    get_filename_component(_ggpfn_name "${_ggpfn_file}" NAME)
    string(MAKE_C_IDENTIFIER "${_ggpfn_name}" _ggpfn_target)
    if(EXISTS "${_ggpfn_file}")
      add_library(ggpfn::${_ggpfn_target} SHARED IMPORTED ${_ggpfn_global})
      set_target_properties(ggpfn::${_ggpfn_target} PROPERTIES IMPORTED_LOCATION "${_ggpfn_file}")
      set_property(TARGET ggpfn::ggpfn APPEND PROPERTY IMPORTED_LINK_DEPENDENT_LIBRARIES ggpfn::${_ggpfn_target})
    endif()
  endforeach()
  unset(_ggpfn_file)
  unset(_ggpfn_target)
  unset(_ggpfn_name)
endif()
