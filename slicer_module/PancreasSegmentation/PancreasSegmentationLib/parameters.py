"""What the user can set. It lives in a parameter node of the scene, so that it is saved and loaded with the scene.

Names of the fields are the `SlicerParameterName` properties in the .ui file. Lists of nodes are node references of the
same parameter node (`batch_volumes`, `training_pairs`), which the scene keeps right when it is loaded.
"""

from enum import Enum
from typing import Annotated

from slicer import (
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSequenceNode,
    vtkMRMLTableNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

VIEWS = ("axial", "sagittal", "coronal")
VIEW_NAMES = {"axial": _("axial"), "sagittal": _("sagittal"), "coronal": _("coronal")}

# References of the parameter node: the volumes of a batch; the pairs of a training, numbered, since the scene drops the
# reference to a node that is deleted and closes the gap.
BATCH_VOLUMES = "batchVolume"
TRAINING_VOLUME, TRAINING_SEGMENTATION, TRAINING_COUNT = "trainingVolume", "trainingSegmentation", "trainingPairs"

# Below this the threshold slider does not go, and so probabilities below need not be kept.
SMALLEST_THRESHOLD = 0.01


class Region(Enum):
    """Where to look."""

    WHOLE = "whole"
    BODY = "body"
    ROI = "roi"

    def label(self):
        return {
            "whole": _("Whole volume"),
            "body": _("Crop to the body"),
            "roi": _("Region of interest"),
        }[self.value]


class ModelSource(Enum):
    """Where the model comes from."""

    SHIPPED = "shipped"
    FILE = "file"

    def label(self):
        return {"shipped": _("Shipped with ggpfn"), "file": _("A file of my own")}[self.value]


class Device(Enum):
    """Where to compute; values are the engine's names."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "cuda"

    def label(self):
        return {"auto": _("Automatic"), "cpu": _("Processor (CPU)"), "cuda": _("Graphics card (GPU)")}[self.value]


class Precision(Enum):
    """Number format; values are the engine's names."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    def label(self):
        return {
            "auto": _("Automatic"),
            "float32": _("32 bits, exact"),
            "bfloat16": _("16 bits, fast"),
        }[self.value]


class BatchSource(Enum):
    """What a batch goes through."""

    VOLUMES = "volumes"
    SEQUENCE = "sequence"
    FOLDER = "folder"

    def label(self):
        return {
            "volumes": _("Volumes of the scene"),
            "sequence": _("A sequence"),
            "folder": _("Files in a folder"),
        }[self.value]


@parameterNodeWrapper
class PancreasSegmentationParameterNode:
    """See the labels in the .ui file for what each one means."""

    inputVolume: vtkMRMLScalarVolumeNode
    region: Region = Region.WHOLE
    roi: vtkMRMLMarkupsROINode

    modelSource: ModelSource = ModelSource.SHIPPED
    modelFile: str = ""
    threshold: Annotated[float, WithinRange(SMALLEST_THRESHOLD, 1.0)] = 0.3
    largestComponent: bool = False

    useAxial: bool = True
    useSagittal: bool = True
    useCoronal: bool = True
    ownWeights: bool = False
    axialWeight: Annotated[float, WithinRange(0.0, 10.0)] = 1.0
    sagittalWeight: Annotated[float, WithinRange(0.0, 10.0)] = 1.0
    coronalWeight: Annotated[float, WithinRange(0.0, 10.0)] = 1.0
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    smallPatches: bool = False
    wantAgreement: bool = True
    wantProbability: bool = False
    wantUncertainty: bool = False
    show3D: bool = True

    outputSegmentation: vtkMRMLSegmentationNode
    probabilityVolume: vtkMRMLScalarVolumeNode
    uncertaintyVolume: vtkMRMLScalarVolumeNode
    measurementsTable: vtkMRMLTableNode

    batchSource: BatchSource = BatchSource.VOLUMES
    batchSequence: vtkMRMLSequenceNode
    batchFolder: str = ""
    batchOutputFolder: str = ""
    batchTable: vtkMRMLTableNode

    trainingEpochs: Annotated[int, WithinRange(1, 1000)] = 10
    trainingMinutes: Annotated[int, WithinRange(0, 100000)] = 0
    trainingFile: str = ""
    validateLast: bool = True

    comparedSegmentation: vtkMRMLSegmentationNode
    trueSegmentation: vtkMRMLSegmentationNode
    comparisonTable: vtkMRMLTableNode


def view_names(views):
    """Names of views in a row, for a person."""
    return ", ".join(VIEW_NAMES.get(view, view) for view in views)


def batch_volumes(parameters):
    """The volume nodes of a batch."""
    node = parameters.parameterNode
    count = node.GetNumberOfNodeReferences(BATCH_VOLUMES)
    volumes = [node.GetNthNodeReference(BATCH_VOLUMES, number) for number in range(count)]
    return [volume for volume in volumes if volume is not None]


def set_batch_volumes(parameters, volumes):
    node = parameters.parameterNode
    modified = node.StartModify()
    node.RemoveNodeReferenceIDs(BATCH_VOLUMES)
    for volume in volumes:
        node.AddNodeReferenceID(BATCH_VOLUMES, volume.GetID())
    node.EndModify(modified)


def training_pairs(parameters):
    """[(volume node, segmentation node)] to learn from; a pair that has lost one of its nodes is left out."""
    node = parameters.parameterNode
    pairs = [
        (node.GetNodeReference(f"{TRAINING_VOLUME}{number}"), node.GetNodeReference(f"{TRAINING_SEGMENTATION}{number}"))
        for number in range(int(node.GetParameter(TRAINING_COUNT) or 0))
    ]
    return [pair for pair in pairs if None not in pair]


def set_training_pairs(parameters, pairs):
    node = parameters.parameterNode
    modified = node.StartModify()
    for number in range(max(len(pairs), int(node.GetParameter(TRAINING_COUNT) or 0))):
        volume, segmentation = pairs[number] if number < len(pairs) else (None, None)
        node.SetNodeReferenceID(f"{TRAINING_VOLUME}{number}", volume and volume.GetID())
        node.SetNodeReferenceID(f"{TRAINING_SEGMENTATION}{number}", segmentation and segmentation.GetID())
    node.SetParameter(TRAINING_COUNT, str(len(pairs)))
    node.EndModify(modified)


def chosen_views(parameters):
    """The names of the views that are ticked."""
    ticked = (parameters.useAxial, parameters.useSagittal, parameters.useCoronal)
    return tuple(view for view, use in zip(VIEWS, ticked) if use)


def model_path(parameters):
    """The model file, or None for the model that is shipped."""
    return parameters.modelFile.strip() if parameters.modelSource == ModelSource.FILE else None


def engine_options(parameters, model_views):
    """Keywords for the engine's `segment`, except the region.

    model_views: the views that the model has; a view that is ticked and that it lacks is left out.
    """
    views = tuple(view for view in chosen_views(parameters) if view in model_views)
    weights = None
    if parameters.ownWeights:
        numbers = (parameters.axialWeight, parameters.sagittalWeight, parameters.coronalWeight)
        weights = {view: weight for view, weight in zip(VIEWS, numbers) if view in views}
    return {
        "views": views,
        "view_weights": weights,
        "threshold": parameters.threshold,
        "largest_component": parameters.largestComponent,
        "device": parameters.device.value,
        "precision": parameters.precision.value,
        "patch": (256, 256) if parameters.smallPatches else None,
        "probability": True,
        "view_probabilities": parameters.wantAgreement and len(views) > 1,
        "uncertainty": parameters.wantUncertainty and len(views) > 1,
    }
