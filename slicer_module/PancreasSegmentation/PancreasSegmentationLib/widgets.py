"""Small things for widgets that all parts of the panel share."""

import qt

from .measurements import HEADER

# In pixels: a row of a table, and the lines around it.
ROW, FRAME = 24, 4


def make_timer(milliseconds, call, once=False):
    timer = qt.QTimer()
    timer.setSingleShot(once)
    timer.setInterval(milliseconds)
    timer.timeout.connect(lambda *_args: call())
    return timer


def fill_table(view, rows, header=None):
    """Puts rows of text into a QTableWidget, which becomes as high as they are."""
    header = header or HEADER
    view.setColumnCount(len(header))
    view.setHorizontalHeaderLabels(list(header))
    view.setRowCount(len(rows))
    view.horizontalHeader().setFixedHeight(ROW)
    for number, row in enumerate(rows):
        view.setRowHeight(number, ROW)
        for column, text in enumerate(row):
            view.setItem(number, column, qt.QTableWidgetItem(str(text)))
    # Off and on: a header that stretches its last column already does so at the next resize alone.
    view.horizontalHeader().setStretchLastSection(False)
    view.resizeColumnsToContents()
    view.horizontalHeader().setStretchLastSection(True)
    height = ROW * (len(rows) + 1) + FRAME
    view.setMinimumHeight(height)
    view.setMaximumHeight(height)


def choose_file(title, kinds):
    """The path of a file that the user picks; empty if none."""
    return _path(qt.QFileDialog.getOpenFileName(None, title, "", kinds))


def choose_new_file(title, kinds):
    """The path of a file to write that the user picks; empty if none."""
    return _path(qt.QFileDialog.getSaveFileName(None, title, "", kinds))


def choose_folder(title):
    """The path of a folder that the user picks; empty if none."""
    return _path(qt.QFileDialog.getExistingDirectory(None, title))


def _path(answer):
    # Slicer's Qt gives the path alone; other bindings of Qt add the filter.
    return answer[0] if isinstance(answer, tuple) else answer
