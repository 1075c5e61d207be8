"""Showing a result in the views of the application: layers, the slices through the pancreas, the 3D view.

Outside of the application, in tests and scripts, there are no views, and nothing happens.
"""

import slicer
import vtk


def application():
    """Slicer's application object, or None outside of the application."""
    app = getattr(slicer, "app", None)
    return app if app is not None and hasattr(app, "layoutManager") else None


def show_result(volume, centroid=None):
    """Puts the volume under the slices, and moves them through the pancreas.

    centroid: in RAS, mm, in the volume's own frame.
    """
    if application() is None or application().layoutManager() is None:
        return
    slicer.util.setSliceViewerLayers(background=volume)
    if centroid is not None:
        slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *in_world(volume, centroid))


def show_surface():
    """Centres the 3D view on what is in it."""
    if application() is not None and application().layoutManager() is not None:
        slicer.util.resetThreeDViews()


def in_world(node, point):
    """A point of a node's own frame in the world, RAS in mm: through the node's parent transforms."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    return list(transform.TransformPoint(point))


def place_roi(roi):
    """Lets the user draw a region of interest anew, from one corner to the other, by two clicks in the slices; returns
    whether that has begun."""
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    if selection is None or interaction is None:
        return False
    roi.RemoveAllControlPoints()
    selection.SetReferenceActivePlaceNodeClassName(roi.GetClassName())
    selection.SetActivePlaceNodeID(roi.GetID())
    interaction.SetPlaceModePersistence(0)
    interaction.SetCurrentInteractionMode(interaction.Place)
    return True


def show_chart(chart):
    """Shows a plot chart beside the slices."""
    plots = getattr(slicer.modules, "plots", None)
    if application() is not None and plots is not None:
        plots.logic().ShowChartInLayout(chart)


def show_table_node(table):
    """Shows a table node in the layout that has one."""
    app = application()
    if app is None or app.layoutManager() is None:
        return
    app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
    selection = app.applicationLogic().GetSelectionNode()
    selection.SetReferenceActiveTableID(table.GetID())
    app.applicationLogic().PropagateTableSelection()


def edit(segmentation, volume):
    """Goes to the Segment Editor with a segmentation, and its CT as the source volume."""
    if application() is None or segmentation is None:
        return
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(segmentation)
    if volume is not None:
        editor.setSourceVolumeNode(volume)


def has_quantitative_reporting():
    """Whether there is the extension Quantitative Reporting, which brings segmentations into Slicer's database."""
    return "DICOMSegmentationPlugin" in getattr(slicer.modules, "dicomPlugins", {})


def export_dicom(segmentation):
    """Opens Slicer's dialog that exports to DICOM, with a segmentation chosen."""
    # The dialog wants the DICOM module to have been made.
    slicer.modules.dicom.widgetRepresentation()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    dialog = slicer.qSlicerDICOMExportDialog(None)
    dialog.setMRMLScene(slicer.mrmlScene)
    dialog.execDialog(hierarchy.GetItemByDataNode(segmentation))
