//! A DICOM CT series from a folder.
