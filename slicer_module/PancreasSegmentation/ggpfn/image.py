"""Images: an array of somebody else's and where its voxels lie in the patient.

Arrays are indexed [k, j, i] as slicer.util.arrayFromVolume and SimpleITK's GetArrayFromImage give them; everything else
(size, spacing, direction, regions) is said along i, j, k. Voxels are Hounsfield units, or, in a mask, not 0 inside.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass

import numpy as np

from . import _abi
from .errors import Error, ImageError

FRAMES = {"LPS": _abi.GGPFN_LPS, "RAS": _abi.GGPFN_RAS}

_DTYPES = {
    np.dtype(name): getattr(_abi, "GGPFN_" + name.upper())
    for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
}


class Image:
    """A 3D image: a view of an array, not a copy.

    array: numpy array [k, j, i] of 8 to 64-bit integers, float32 or float64, with any strides, negative ones too. bool
    is
        looked at as uint8; float16 and arrays in the other byte order are converted by one copy.
    spacing: distance between neighbouring voxels along i, j, k, in mm.
    origin: centre of voxel (0, 0, 0), in mm.
    direction: 3 x 3; its columns are the unit vectors of i, j and k.
    frame: of origin and direction: "LPS" (ITK, DICOM) or "RAS" (3D Slicer, NIfTI). Results are in the same frame.

    Raises ImageError, with a sentence, for what is no such image. The array must not change while work is under way.
    """

    def __init__(self, array, spacing=(1, 1, 1), origin=(0, 0, 0), direction=None, frame="LPS"):
        self.array = _usable(array)
        self.spacing = _numbers(spacing, (3,), "spacing", "three numbers, in mm along i, j and k,")
        self.origin = _numbers(origin, (3,), "origin", "three numbers, in mm,")
        direction = np.eye(3) if direction is None else direction
        self.direction = _numbers(direction, (3, 3), "direction", "3 x 3 numbers, or 9 row after row,")
        if frame not in FRAMES:
            raise ImageError(f'The frame is {frame!r}; "LPS" or "RAS" was expected.')
        self.frame = frame

    @classmethod
    def from_ijk_to_ras(cls, array, matrix):
        """An image whose voxel (i, j, k) lies at matrix @ (i, j, k, 1) in RAS, in mm: 3D Slicer, NIfTI.

        matrix: 4 x 4 numbers, or a vtkMatrix4x4. The lengths of its columns are the spacing.
        """
        if hasattr(matrix, "GetElement"):
            matrix = [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]
        matrix = _numbers(matrix, (4, 4), "matrix", "4 x 4 numbers, IJK to RAS,")
        spacing = np.sqrt((matrix[:3, :3] ** 2).sum(axis=0))
        if not spacing.all():
            raise ImageError("The matrix from IJK to RAS has a column of zeros; give the volume a spacing first.")
        return cls(array, spacing, matrix[:3, 3], matrix[:3, :3] / spacing, "RAS")

    @classmethod
    def from_sitk(cls, image):
        """A view of a SimpleITK image, which is kept alive. The image must not be changed while this one is in use."""
        import SimpleITK

        dimensions, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
        if dimensions != 3 or components != 1:
            raise ImageError(
                f"The SimpleITK image has {dimensions} dimensions and {components} numbers per voxel; 3 dimensions and "
                "one number were expected. Extract one volume of it."
            )
        view = SimpleITK.GetArrayViewFromImage(image)
        array = np.asarray(_Owned(view, image))
        return cls(array, image.GetSpacing(), image.GetOrigin(), image.GetDirection(), "LPS")

    @classmethod
    def from_nibabel(cls, image):
        """An image of nibabel's: its array[i, j, k], transposed as a view, and its affine.

        What nibabel leaves to its caller is done as the program does it: lengths in metres or micrometres become millimetres, a series of
        one volume is that volume, and where the header says nothing of how the image lies, +i, +j, +k are right, front and up.
        """
        array = np.asanyarray(image.dataobj)
        if array.ndim > 3 and all(n == 1 for n in array.shape[3:]):
            array = array.reshape(array.shape[:3])
        if array.ndim != 3:
            raise ImageError(
                f"The image has {array.ndim} dimensions, {_by(array.shape)}; 3 were expected. Take one volume of it, "
                "image.slicer[..., 0] for example."
            )
        return cls.from_ijk_to_ras(array.T, _ras_affine(image))

    @property
    def size(self):
        """Number of voxels along i, j and k."""
        return tuple(int(n) for n in self.array.shape[::-1])

    def __repr__(self):
        spacing = _by(f"{n:g}" for n in self.spacing)
        return f"<ggpfn.Image {_by(self.size)} {self.array.dtype}, {spacing} mm, {self.frame}>"

    def struct(self, voxels=True):
        """The library's struct for this image, valid while the image lives; with `voxels` False, of its grid alone."""
        array = self.array
        strides = array.strides[::-1]
        return _abi.ggpfn_image(
            struct_size=ctypes.sizeof(_abi.ggpfn_image),
            # With negative strides, too, this is the address of element [0, 0, 0].
            data=array.__array_interface__["data"][0] if voxels else None,
            data_bytes=_reach(array),
            dtype=_DTYPES[array.dtype],
            frame=FRAMES[self.frame],
            size=self.size,
            strides=strides,
            spacing=tuple(self.spacing),
            origin=tuple(self.origin),
            direction=tuple(self.direction.ravel()),
        )


@dataclass
class Case:
    """A case to learn from: an image and the mask of its pancreas on the same grid.

    name: what messages call it. image: Image of Hounsfield units. mask: Image, not 0 inside. role: "train", or
    "validate" for a case that chooses the best weights.
    """

    name: str
    image: Image
    mask: Image
    role: str = "train"


class _Owned:
    """An array that keeps what owns its memory alive, for numpy.asarray."""

    def __init__(self, array, owner):
        self.__array_interface__ = array.__array_interface__
        self._kept = (array, owner)


def _usable(array):
    """The array as the library can read it, without a copy wherever that is possible."""
    if isinstance(array, np.ma.MaskedArray):
        raise ImageError(
            "The array is masked, and the library knows no missing voxels; fill them first, with array.filled(-1024) "
            "for example."
        )
    array = as_array(array)
    if array.ndim != 3:
        raise ImageError(f"The array has {array.ndim} dimensions, {_by(array.shape)}; 3 were expected, [k, j, i].")
    if array.size == 0:
        raise ImageError(f"The array is empty, {_by(array.shape)}; it has no voxels to look at.")
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    elif array.dtype.kind == "f" and array.dtype.itemsize == 2:
        array = array.astype(np.float32)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype not in _DTYPES:
        raise ImageError(
            f"The array's voxels are {array.dtype}; int8 to int64, uint8 to uint64, float32 or float64 were expected "
            "(float16 and bool are converted)."
        )
    # A broadcast number has no strides at all, which for the library would mean a dense array.
    if array.size > 1 and not any(array.strides):
        array = np.ascontiguousarray(array)
    return array


def as_array(array):
    """The numpy array of an object, without a copy where that is possible; DLPack will do, as of PyTorch, CuPy and JAX.

    Raises ImageError for memory that numpy cannot reach.
    """
    if hasattr(array, "__array__") or hasattr(array, "__array_interface__") or not hasattr(array, "__dlpack__"):
        return np.asarray(array)
    try:
        return np.from_dlpack(array)
    except (BufferError, RuntimeError, AttributeError) as error:
        raise ImageError(
            f"The {type(array).__name__} cannot be read by numpy ({error}); bring it to the processor's memory first."
        ) from error


def _reach(array):
    """Bytes from the lowest to the highest voxel of an array."""
    return sum((n - 1) * abs(stride) for n, stride in zip(array.shape, array.strides)) + array.itemsize


def _numbers(values, shape, name, expected):
    try:
        found = np.array(values, dtype=float)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.size != math.prod(shape) or not np.isfinite(found).all():
        raise ImageError(f"The {name} is {values!r}; {expected} was expected.".replace("\n", ""))
    return found.reshape(shape)


def _by(numbers):
    return " x ".join(str(n) for n in numbers)


def _ras_affine(image):
    """A nibabel image's affine in mm, as the program reads it from the same file."""
    affine, header = np.array(image.affine, float), image.header
    try:
        codes, units = (int(header["qform_code"]), int(header["sform_code"])), int(header["xyzt_units"]) & 7
    except (KeyError, ValueError, TypeError, IndexError):
        return affine  # another format than NIfTI, which has millimetres
    if max(codes) <= 0 and np.allclose(affine, header.get_base_affine()):
        affine = np.diag([*map(float, header["pixdim"][1:4]), 1.0])
    affine[:3] *= {1: 1e3, 3: 1e-3}.get(units, 1.0)
    return affine



def check(image, name="image"):
    """Refuses what is not an Image; a bare array has no spacing, and a guess would give a wrong volume."""
    if not isinstance(image, Image):
        raise Error(
            f"The {name} is a {type(image).__name__}; a ggpfn.Image was expected. Make one with Image(array, spacing), "
            "Image.from_sitk, Image.from_nibabel or Image.from_ijk_to_ras."
        )
    return image
