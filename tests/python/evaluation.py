"""Overlap and surface distances by SimpleITK, for comparison with ggpfn's own.

    python evaluation.py PREDICTION TRUTH    prints the measures of two masks of 0 and 1 on one grid as JSON
"""

import json
import sys

import numpy as np
import SimpleITK as sitk


def surface(mask):
    """Voxels with a face on the outside: what an erosion by a cross of one voxel takes away. The mask has a margin."""
    return mask - sitk.BinaryErode(mask, (1, 1, 1), sitk.sitkCross, 0.0, 1.0, False)


def directed(a, b):
    """Distances from the surface voxels of a to the nearest of b."""
    to_b = sitk.SignedMaurerDistanceMap(b, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    # Inside of a thick surface the map is negative; such voxels are on the surface.
    return np.maximum(sitk.GetArrayFromImage(to_b)[sitk.GetArrayFromImage(a) > 0].astype(float), 0)


prediction, truth = (sitk.Cast(sitk.ReadImage(path), sitk.sitkUInt8) for path in sys.argv[1:])
overlap = sitk.LabelOverlapMeasuresImageFilter()
overlap.Execute(prediction, truth)
millilitres = [np.prod(m.GetSpacing()) * sitk.GetArrayViewFromImage(m).sum() / 1000 for m in (prediction, truth)]

either = sitk.LabelShapeStatisticsImageFilter()
either.Execute(sitk.Or(prediction, truth))
box = either.GetBoundingBox(1)
cropped = [sitk.ConstantPad(sitk.RegionOfInterest(m, box[3:], box[:3]), [1] * 3, [1] * 3) for m in (prediction, truth)]
a, b = map(surface, cropped)
distances = np.concatenate([directed(a, b), directed(b, a)])
print(
    json.dumps(
        {
            "dice": overlap.GetDiceCoefficient(),
            "jaccard": overlap.GetJaccardCoefficient(),
            "precision": 1 - overlap.GetFalseDiscoveryRate(),
            "recall": 1 - overlap.GetFalseNegativeError(),
            "prediction_ml": millilitres[0],
            "truth_ml": millilitres[1],
            "volume_error_ml": millilitres[0] - millilitres[1],
            "volume_error_percent": 100 * (millilitres[0] / millilitres[1] - 1),
            "hausdorff95_mm": np.percentile(distances, 95),
            "mean_surface_mm": distances.mean(),
        }
    )
)
