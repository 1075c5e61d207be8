"""Reads a DICOM folder with SimpleITK and writes it as text and raw float32, for comparison.

    python dicom.py FOLDER RAW

prints size, spacing, origin and direction (row-major), one line each; RAW receives the voxels, i fastest.
"""

import sys

import numpy
import SimpleITK

folder, raw = sys.argv[1:]
reader = SimpleITK.ImageSeriesReader()
series = reader.GetGDCMSeriesIDs(folder)
assert len(series) == 1, series
reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder, series[0]))
image = reader.Execute()
SimpleITK.GetArrayFromImage(image).astype(numpy.float32).tofile(raw)
for values in (image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()):
    print(*values)
