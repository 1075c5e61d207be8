"""The panel's widgets tied to a parameter node."""

import vtk


class Connection:
    """Widgets tied to a parameter node's wrapper until `close`.

    Slicer's own connectGui is not used, since that of Slicer 5.8 gives no tag to disconnect by. Its disconnectGui
    leaves an observer on the node as well, which would keep the wrapper alive; so all observers are noted and removed
    here.
    """

    def __init__(self, ui, parameters, changed):
        """ui: holds the widgets. changed: called when a parameter has changed."""
        self.parameters = parameters
        self._observers = []
        names = {widget: widget.property("SlicerParameterName") for widget in vars(ui).values()}
        parameters.AddObserver = self._observe
        try:
            self._tag = parameters.connectParametersToGui({name: widget for widget, name in names.items() if name})
        finally:
            del parameters.AddObserver
        self._observe(vtk.vtkCommand.ModifiedEvent, lambda *_args: changed())

    def _observe(self, *arguments):
        tag = self.parameters.parameterNode.AddObserver(*arguments)
        self._observers.append(tag)
        return tag

    def close(self):
        """Unties the widgets; twice is no fault."""
        if self.parameters is None:
            return
        self.parameters.disconnectGui(self._tag)
        for observer in self._observers:
            self.parameters.parameterNode.RemoveObserver(observer)
        self.parameters = None
