"""What other packages say about the measures of `ggpfn evaluate`.

    python evaluation_packages.py masks PREDICTION TRUTH    surfaces by surface-distance, components by SciPy
    python evaluation_packages.py probability MAP TRUTH     precision, recall and calibration by scikit-learn
    python evaluation_packages.py tests < differences.json  signed-rank tests by SciPy

Each prints JSON. Where a package is absent it prints its name and ends with 77.
"""

import json
import sys

MISSING = 77

try:
    import numpy as np
    import SimpleITK as sitk
    import surface_distance
    from scipy import ndimage, stats
    from sklearn.metrics import average_precision_score, precision_recall_curve
except ImportError as error:
    print(error.name)
    sys.exit(MISSING)


def read(path):
    image = sitk.ReadImage(path)
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]


def untouched(mask, other):
    """How many connected components a mask has, and how many of them the other mask does not touch."""
    labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
    return count, count - len(set(labels[mask & other]))


def masks(prediction, truth):
    (prediction, _), (truth, spacing) = read(prediction), read(truth)
    prediction, truth = prediction > 0, truth > 0
    surfaces = surface_distance.compute_surface_distances(truth, prediction, spacing)
    result = {f"nsd_{mm}mm": surface_distance.compute_surface_dice_at_tolerance(surfaces, mm) for mm in (1, 2, 5)}
    result["hausdorff95_area_mm"] = surface_distance.compute_robust_hausdorff(surfaces, 95)
    result["truth_components"], result["missed_components"] = untouched(truth, prediction)
    result["prediction_components"], result["false_components"] = untouched(prediction, truth)
    return result


def probability(path, truth):
    (p, _), (truth, _) = read(path), read(truth)
    p, truth = p.ravel().astype(float), truth.ravel() > 0
    precision, recall, thresholds = precision_recall_curve(truth, p)
    dice = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = np.argmax(dice[:-1])
    result = {
        "average_precision": average_precision_score(truth, p),
        "best": {
            "threshold": thresholds[best],
            "dice": dice[best],
            "precision": precision[best],
            "recall": recall[best],
        },
        "curve": [],
        "reliability": [],
    }
    for step in range(101):
        # The first of scikit-learn's thresholds that is not below this one takes the same voxels.
        at = np.searchsorted(thresholds, step / 100)
        if at < len(thresholds):
            result["curve"].append([step, precision[at], recall[at]])
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = []
    for number in range(10):
        chosen = bins == number
        if chosen.any():
            mean, frequency = p[chosen].mean(), truth[chosen].mean()
            result["reliability"].append([number, int(chosen.sum()), mean, frequency])
            gaps.append(chosen.sum() * abs(mean - frequency))
    result["calibration_error"] = sum(gaps) / len(p)
    return result


def tests():
    answers = []
    for differences in json.load(sys.stdin):
        found = stats.wilcoxon(differences, correction=True)
        answers.append([found.statistic, found.pvalue])
    return answers


command, *arguments = sys.argv[1:]
print(json.dumps({"masks": masks, "probability": probability, "tests": tests}[command](*arguments)))
