"""Tables of numbers: in the panel, in the scene, in a file."""

import csv

import slicer
import vtk
from slicer.i18n import tr as _

from .files import whole
from .parameters import view_names
from .scene_output import lie_beside

NONE = "-"

# Names of the columns of a table of measurements.
HEADER = (_("Measurement"), _("Value"))


def measurement_rows(found, agreement=None):
    """[(name, value)] in words for a person. found: ggpfn.Measurements, whose threshold is None for a segment that was
    edited by hand; agreement: Dice by pair of views."""
    rows = [
        (_("Volume (mL)"), _number(found.volume_ml, 1)),
        (_("Mean (HU)"), _number(found.mean_hu, 0)),
        (_("Standard deviation (HU)"), _number(found.std_hu, 0)),
        (_("Bounding box (mm)"), _triple(found.box_mm, 0)),
        (_("Centre R, A, S (mm)"), _triple(found.centroid, 0)),
        (_("Connected components"), str(found.components)),
        (_("Voxels"), str(found.voxels)),
        (_("Threshold"), _("edited by hand") if found.threshold is None else _number(found.threshold, 2)),
    ]
    rows += [
        (_("Agreement {views} (Dice)").format(views=view_names(views.split(", "))), _number(value, 2))
        for views, value in (agreement or {}).items()
    ]
    if found.device:
        rows.append((_("Computed on"), f"{found.device}, {found.precision}"))
    return rows


def comparison_rows(found):
    """[(name, value)] of a ggpfn.Comparison."""
    return [
        (_("Dice"), _number(found.dice, 3)),
        (_("Jaccard"), _number(found.jaccard, 3)),
        (_("Precision"), _number(found.precision, 3)),
        (_("Recall"), _number(found.recall, 3)),
        (_("Volume (mL)"), _number(found.prediction_ml, 1)),
        (_("Volume of the truth (mL)"), _number(found.truth_ml, 1)),
        (_("Difference of volumes (%)"), _number(found.volume_error_percent, 1)),
        (_("95 % surface distance (mm)"), _number(found.hausdorff95_mm, 2)),
        (_("Mean surface distance (mm)"), _number(found.mean_surface_mm, 2)),
    ]


def summary(found):
    """A result in a line."""
    if not found.voxels and found.threshold is None:
        return _("The segment is empty.")
    if not found.voxels:
        return _("No pancreas was found at a threshold of {threshold:.2f}; try a lower one.").format(
            threshold=found.threshold
        )
    return _("{volume:.1f} mL, {hu:.0f} HU on average").format(volume=found.volume_ml, hu=found.mean_hu)


def quality_sentence(quality, threshold=None):
    """How far a result can be trusted, from a ggpfn.Quality: what the panel shows under Apply.

    threshold: the one that it was found at, if that is no longer the one that is shown.
    """
    text = _("Expected Dice {dice:.2f}").format(dice=quality.expected_dice)
    if threshold is not None:
        text = _("{text} at the threshold of {threshold:.2f}").format(text=text, threshold=threshold)
    if quality.doubtful:
        text = "\u26a0 " + _("Doubtful, look before you use it. {text}").format(text=text)
    return "\n".join([text, *(warning.text for warning in quality.warnings)])


def outdated(rows):
    """Rows of a table with one more, which says that the mask they are of was edited since; twice is as once."""
    last = (_("Of the mask before it was edited by hand"), "")
    return [*(row for row in rows if row != last), last]


def show_table(rows, header, name, node=None, beside=None):
    """Puts rows of text into a table node, and returns it.

    header: names of the columns. node: the node to use; None: a new one. beside: the node whose place in the subject
    hierarchy it gets.
    """
    if node is None:
        name = slicer.mrmlScene.GenerateUniqueName(name)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    table = vtk.vtkTable()
    for number, title in enumerate(header):
        column = vtk.vtkStringArray()
        column.SetName(title)
        for row in rows:
            column.InsertNextValue(str(row[number]))
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    if beside is not None:
        lie_beside(node, beside)
    return node


def write_csv(path, rows, header):
    """A table as a file that spreadsheets read."""
    with whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _number(value, digits):
    return NONE if value is None else f"{value:.{digits}f}"


def _triple(values, digits):
    return NONE if values is None else " x ".join(_number(value, digits) for value in values)
