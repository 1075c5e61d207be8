"""Images: an array of somebody else's and where its voxels lie in the patient.

Arrays are indexed [k, j, i] as slicer.util.arrayFromVolume and SimpleITK's GetArrayFromImage give them; everything else
(size, spacing, direction, regions) is said along i, j, k. Voxels are Hounsfield units, or, in a mask, not 0 inside.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

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

    def __init__(
        self, array: Any, spacing: Any = (1, 1, 1), origin: Any = (0, 0, 0), direction: Any = None, frame: str = "LPS"
    ) -> None:
        self.array = _usable(array)
        self.spacing = _numbers(spacing, (3,), "spacing", "three numbers, in mm along i, j and k,")
        self.origin = _numbers(origin, (3,), "origin", "three numbers, in mm,")
        direction = np.eye(3) if direction is None else direction
        self.direction = _numbers(direction, (3, 3), "direction", "3 x 3 numbers, or 9 row after row,")
        if frame not in FRAMES:
            raise ImageError(f'The frame is {frame!r}; "LPS" or "RAS" was expected.')
        self.frame = frame

    @classmethod
    def from_ijk_to_ras(cls, array: Any, matrix: Any) -> Image:
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
    def from_sitk(cls, image: Any) -> Image:
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
    def from_nibabel(cls, image: Any) -> Image:
        """An image of nibabel's: its array[i, j, k], transposed as a view, and its affine.

        What nibabel leaves to its caller is done as the program does it: lengths in metres or micrometres become
        millimetres, a series of one volume is that volume, and where the header says nothing of how the image lies, +i,
        +j, +k are right, front and up.
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

    @classmethod
    def from_itk(cls, image: Any) -> Image:
        """A view of an image of ITK's own Python package, which is kept alive."""
        import itk

        dimensions, components = image.GetImageDimension(), image.GetNumberOfComponentsPerPixel()
        if dimensions != 3 or components != 1:
            raise ImageError(
                f"The ITK image has {dimensions} dimensions and {components} numbers per voxel; 3 dimensions and one "
                "number were expected. Extract one volume of it."
            )
        direction = itk.array_from_matrix(image.GetDirection())
        # The region may begin elsewhere than at index 0, whose place the origin is.
        first = image.TransformIndexToPhysicalPoint(image.GetBufferedRegion().GetIndex())
        view = itk.array_view_from_image(image)
        array = np.asarray(_Owned(np.asarray(view), (view, image)))
        return cls(array, tuple(image.GetSpacing()), tuple(first), direction, "LPS")

    @classmethod
    def from_xarray(cls, image: Any) -> Image:
        """A view of an xarray DataArray with dimensions x, y and z, whose coordinates are in mm, in any order.

        As itk.xarray_from_image makes them: coordinates are along the axes of the image, LPS without a direction, and
        attrs["direction"], if it is there, has its rows and columns in the order z, y, x.
        """
        names = [str(name) for name in image.dims]
        if sorted(names) != ["x", "y", "z"]:
            raise ImageError(f"The DataArray has the dimensions {', '.join(names)}; x, y and z were expected.")
        image = image.transpose("z", "y", "x")
        origin, steps = [], []
        for name in "xyz":
            if name not in image.coords:
                raise ImageError(
                    f"The DataArray has no coordinates along {name}; they say, in mm, where its voxels lie."
                )
            places = np.asarray(image.coords[name].values, float)
            step = (places[-1] - places[0]) / (len(places) - 1) if len(places) > 1 else math.nan
            if len(places) == 1:
                raise ImageError(f"The DataArray has one voxel along {name}, and so no distance between two.")
            if not step or not np.allclose(np.diff(places), step, rtol=1e-3, atol=0):
                raise ImageError(f"The DataArray's coordinates along {name} are not evenly spaced.")
            origin.append(places[0])
            steps.append(step)
        direction = np.flip(np.asarray(image.attrs["direction"], float)) if "direction" in image.attrs else np.eye(3)
        # ITK's origin is not turned by the direction; coordinates that fall are axes that point the other way.
        return cls(image.values, np.abs(steps), origin, direction * np.sign(steps), "LPS")

    @classmethod
    def from_ras_tensor(cls, tensor: Any, affine: Any) -> Image:
        """A tensor [i, j, k] or [1, i, j, k] with its affine to RAS in mm, as MONAI and TorchIO hold images."""
        array = as_array(tensor)
        if array.ndim == 4 and array.shape[0] == 1:
            array = array[0]
        if array.ndim != 3:
            raise ImageError(
                f"The tensor has the shape {_by(array.shape)}; three dimensions, or four with one channel, were "
                "expected."
            )
        return cls.from_ijk_to_ras(array.T, as_array(affine))

    @classmethod
    def read(cls, path: Any, series: Optional[str] = None) -> Image:
        """The image of a NIfTI, NRRD or MetaImage file, or of a folder with DICOM files, read by the program ggpfn.

        series: the SeriesInstanceUID to take, where a folder has several. Raises ImageError for what is no CT that can
        be segmented, with a sentence that says why; missing slices and tilted gantries are refused.
        """
        from .child import read_image

        return read_image(path, series)

    @classmethod
    def of(
        cls, image: Any, spacing: Any = None, origin: Any = None, direction: Any = None, frame: Optional[str] = None
    ) -> Image:
        """The Image of anything that holds one: what `segment` calls on what it is given.

        image: an Image, a path, an image of SimpleITK, ITK, nibabel, xarray, MONAI or TorchIO, which know where they
            lie; or an array [k, j, i], of numpy, PyTorch or another package with DLPack, with its spacing, and with
            origin, direction and frame as Image takes them.
        """
        geometry = {"spacing": spacing, "origin": origin, "direction": direction, "frame": frame}
        given = {name: value for name, value in geometry.items() if value is not None}
        found = cls._placed(image)
        if found is not None:
            if given:
                raise ImageError(
                    f"The {_kind(image)} says itself where it lies; {', '.join(given)} cannot be given beside it."
                )
            return found
        if not (hasattr(image, "__array__") or hasattr(image, "__array_interface__") or hasattr(image, "__dlpack__")):
            raise ImageError(
                f"The image is a {type(image).__name__}; a ggpfn.Image, a path, an array with spacing, or an image of "
                "SimpleITK, ITK, nibabel, xarray, MONAI or TorchIO was expected."
            )
        if spacing is None:
            raise ImageError(
                f"The image is a {type(image).__name__}, which has no spacing: give spacing=(x, y, z) in mm along "
                "i, j, k, or a ggpfn.Image. A guess would give a wrong volume."
            )
        return cls(image, **given)

    @classmethod
    def _placed(cls, image: Any) -> Optional[Image]:
        """The Image of what says itself where it lies; None for others. No package is imported to find out."""
        if isinstance(image, cls):
            return image
        if isinstance(image, (str, bytes, os.PathLike)):
            return cls.read(image)
        module = type(image).__module__.partition(".")[0]
        if module == "SimpleITK":
            return cls.from_sitk(image)
        if hasattr(image, "GetLargestPossibleRegion"):
            return cls.from_itk(image)
        if hasattr(image, "dataobj") and hasattr(image, "affine"):
            return cls.from_nibabel(image)
        if module == "xarray":
            return cls.from_xarray(image)
        if module == "torchio":
            return cls.from_ras_tensor(image.data, image.affine)
        if hasattr(image, "affine") and hasattr(image, "meta"):  # MONAI's MetaTensor
            return cls.from_ras_tensor(image.as_tensor() if hasattr(image, "as_tensor") else image, image.affine)
        return None

    @property
    def grid(self) -> Grid:
        """Where its voxels lie, without them: a Grid."""
        return Grid(self.size, tuple(self.spacing), tuple(self.origin), self.direction.copy(), self.frame)

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of voxels along i, j and k."""
        i, j, k = self.array.shape[::-1]
        return int(i), int(j), int(k)

    def __repr__(self) -> str:
        spacing = _by(f"{n:g}" for n in self.spacing)
        return f"<ggpfn.Image {_by(self.size)} {self.array.dtype}, {spacing} mm, {self.frame}>"

    def struct(self, voxels: bool = True) -> Any:
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


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels lie: what a result needs to be an image of another package again."""

    size: tuple[int, int, int]  # voxels along i, j and k
    spacing: tuple[float, ...]  # mm along i, j and k
    origin: tuple[float, ...]  # centre of voxel (0, 0, 0), in mm
    direction: np.ndarray[Any, Any]  # 3 x 3; its columns are the unit vectors of i, j and k
    frame: str  # "LPS" or "RAS"

    def affine(self, frame: str) -> np.ndarray[Any, Any]:
        """4 x 4: (i, j, k, 1) to mm in a frame, "LPS" or "RAS"."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        if frame != self.frame:
            matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix
        return matrix

    def to_sitk(self, array: Any) -> Any:
        """A SimpleITK image of an array [k, j, i] on this grid."""
        import SimpleITK

        image: Any = SimpleITK.GetImageFromArray(array)
        image.SetSpacing([float(n) for n in self.spacing])
        image.SetOrigin(self.affine("LPS")[:3, 3].tolist())
        image.SetDirection(self._lps_direction().ravel().tolist())
        return image

    def to_itk(self, array: Any) -> Any:
        """An image of ITK's Python package of an array [k, j, i] on this grid."""
        import itk

        image = itk.image_from_array(np.ascontiguousarray(array))
        image.SetSpacing([float(n) for n in self.spacing])
        image.SetOrigin(self.affine("LPS")[:3, 3].tolist())
        image.SetDirection(itk.matrix_from_array(self._lps_direction()))
        return image

    def to_nibabel(self, array: Any) -> Any:
        """A nibabel Nifti1Image of an array [k, j, i] on this grid."""
        import nibabel

        make: Any = vars(nibabel)["Nifti1Image"]  # not one of the names that it exports to type checkers
        image = make(array.T, self.affine("RAS"))
        image.header.set_xyzt_units("mm")
        return image

    def _lps_direction(self) -> np.ndarray[Any, Any]:
        direction: np.ndarray[Any, Any] = self.affine("LPS")[:3, :3] / np.asarray(self.spacing)
        return direction


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

    def __init__(self, array: Any, owner: Any) -> None:
        self.__array_interface__ = array.__array_interface__
        self._kept = (array, owner)


def _usable(array: Any) -> np.ndarray[Any, Any]:
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
    return np.asarray(array)


def as_array(array: Any) -> np.ndarray[Any, Any]:
    """The numpy array of an object, without a copy where that is possible; DLPack will do, as of PyTorch, CuPy and JAX.

    Raises ImageError for memory that numpy cannot reach.
    """
    by_numpy = hasattr(array, "__array__") or hasattr(array, "__array_interface__") or not hasattr(array, "__dlpack__")
    if hasattr(array, "detach"):  # a torch tensor that gradients are followed through
        array = array.detach()
    try:
        return np.asarray(array) if by_numpy else np.from_dlpack(array)
    except (BufferError, RuntimeError, AttributeError, TypeError) as error:
        if by_numpy and not hasattr(array, "__dlpack__"):
            raise
        raise ImageError(
            f"The {type(array).__name__} cannot be read by numpy ({error}); bring it to the processor's memory first."
        ) from error


def _reach(array: Any) -> int:
    """Bytes from the lowest to the highest voxel of an array."""
    return int(sum((n - 1) * abs(stride) for n, stride in zip(array.shape, array.strides)) + array.itemsize)


def _numbers(values: Any, shape: tuple[int, ...], name: str, expected: str) -> np.ndarray[Any, Any]:
    try:
        found = np.array(values, dtype=float)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.size != math.prod(shape) or not np.isfinite(found).all():
        raise ImageError(f"The {name} is {values!r}; {expected} was expected.".replace("\n", ""))
    return found.reshape(shape)


def _by(numbers: Iterable[Any]) -> str:
    return " x ".join(str(n) for n in numbers)


def _ras_affine(image: Any) -> np.ndarray[Any, Any]:
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


def _kind(image: Any) -> str:
    return "path" if isinstance(image, (str, bytes, os.PathLike)) else type(image).__name__


def check(image: Any, name: str = "image") -> Image:
    """Refuses what is not an Image; a bare array has no spacing, and a guess would give a wrong volume."""
    if not isinstance(image, Image):
        raise Error(
            f"The {name} is a {type(image).__name__}; a ggpfn.Image was expected. Make one with Image(array, spacing), "
            "Image.from_sitk, Image.from_nibabel or Image.from_ijk_to_ras."
        )
    return image
