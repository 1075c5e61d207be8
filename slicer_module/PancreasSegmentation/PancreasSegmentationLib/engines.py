"""The engine that does the work, opened at first use, and the models that it has loaded.

Opening takes a second, since libtorch is large; so it happens on the thread of the first task. What failed is tried
again at the next task: a user can name the library's folder and press Apply again.
"""

import os
import threading

import ggpfn
from ggpfn import _process
from slicer.i18n import tr as _

from .parameters import view_names

KINDS = ("auto", "in process", "child process")

# The mean Dice on real CTs that the card of the shipped model tells.
REACHED = "0.51"


class Engines:
    """One engine at a time, shared by all tasks. Methods may be called on any thread."""

    def __init__(self, kind="auto", library=None, program=None):
        self._lock = threading.RLock()
        self._settings = (kind, library or None, program or None)
        self._engine = None
        self._models = {}

    def configure(self, kind="auto", library=None, program=None):
        """Other settings, for tasks that begin from now on. library, program: file or folder; empty: searched."""
        with self._lock:
            settings = (kind, library or None, program or None)
            if settings != self._settings:
                self._settings = settings
                self.drop()

    def engine(self):
        """The engine. Raises ggpfn.LibraryMissing or ggpfn.WrongLibrary."""
        with self._lock:
            if self._engine is None:
                self._engine = ggpfn.open_engine(*self._settings)
            return self._engine

    @property
    def opened(self):
        """The engine if there is one already, else None; never waits for one that is being opened."""
        return self._engine

    def program(self):
        """The file of the program ggpfn, for what it alone can do. Raises ggpfn.LibraryMissing."""
        _kind, library, program = self._settings
        return _process.find(program, library)

    def model(self, path=None):
        """The model of a file, or the shipped one (None); a file that has changed is loaded again."""
        engine = self.engine()
        key = None
        if path is not None:
            path = os.path.abspath(path)
            # A missing file is the engine's to complain about, in its own words.
            stat = os.stat(path) if os.path.isfile(path) else None
            key = (path, stat and stat.st_mtime_ns, stat and stat.st_size)
        with self._lock:
            if key not in self._models:
                model = engine.load_model(path)
                # One model of one's own and the shipped one: others would only hold memory.
                self._models = {k: m for k, m in self._models.items() if k is None}
                self._models[key] = model
            return self._models[key]

    def drop(self, error=None):
        """Closes the engine, so that the next task opens a new one; with `error`, only if that says that it is dead."""
        if error is not None and not isinstance(error, ggpfn.ChildDied):
            return
        with self._lock:
            engine, self._engine, self._models = self._engine, None, {}
        if engine is not None:
            engine.close()


def device_sentence(runtime, engine=None):
    """Where work would be done, and why not on a GPU.

    runtime: ggpfn.Runtime, asked for with its GPUs. engine: to say how it is reached.
    """
    if runtime.gpus:
        names = ", ".join(runtime.gpu_names) or str(runtime.gpus)
        text = _("A GPU can be used: {names}.").format(names=names)
    elif runtime.problems:
        text = _("No GPU is used: {reason}").format(reason=runtime.problems.strip())
    elif not runtime.gpu_driver:
        text = _("No GPU is used: there is no NVIDIA driver on this computer.")
    else:
        text = _("No GPU is used: the libtorch that ggpfn runs on sees none that it can work with.")
    if engine is not None:
        where = {
            "in process": _("It runs in this process."),
            "child process": _("It runs in a separate process, the program ggpfn. {reason}"),
        }[engine.kind]
        text += " " + where.format(reason=engine.reason)
    return text + " " + _("libtorch {version}.").format(version=runtime.loaded)


def card_text(model):
    """A model's card: what it is, in lines for the panel."""
    info = model.info
    spacing = _("each scan's own")
    if info.spacing:
        spacing = " x ".join(f"{edge:g}" for edge in info.spacing) + " mm"
    lines = [
        _("Views: {views}, {parameters:,} parameters each").format(
            views=view_names(info.views), parameters=info.parameters
        ),
        _("{slices} slices for one, {fusion}, {guidance}").format(
            slices=2 * info.t + 1,
            fusion=_("fused progressively") if info.progressive else _("fused at once"),
            guidance=_("global guidance") if info.global_guidance else _("no global guidance"),
        ),
        _("Spacing: {spacing}; window {low:g} to {high:g} HU; threshold {threshold:g}").format(
            spacing=spacing, low=info.window[0], high=info.window[1], threshold=info.threshold
        ),
        _provenance(model.configuration),
        _("SHA-256: {hash}").format(hash=info.sha256[:16]),
    ]
    return "\n".join(line for line in lines if line)


def about_text(model, shipped):
    """What a model is fit for, in a line. shipped: whether it is the one that comes with ggpfn."""
    text = _("For research only, not for clinical use.")
    if shipped:
        # A test compares the figure with the model's card.
        reached = _(
            "Trained on synthetic CTs and parts of real ones; on real CTs its predecessor reached a mean Dice of "
            "{dice} (0.00 to 0.83)."
        )
        return f"{text} {reached.format(dice=REACHED)}"
    return " ".join(part for part in (text, _provenance(model.configuration)) if part)


def _provenance(configuration):
    """A line on what a model was trained on; empty if its file does not say."""
    training = configuration.get("training") if isinstance(configuration, dict) else None
    if not isinstance(training, dict):
        return ""
    if not training.get("trained", True):
        return _("Untrained")
    # A model that was combined of others has the training of each.
    trainings = training.get("combined") or [training]
    views = [view for one in trainings for view in (one.get("views") or {}).values()]
    dice = [view["dice"] for view in views if isinstance(view.get("dice"), (int, float))]
    versions = sorted({one["ggpfn"] for one in trainings if one.get("ggpfn")})
    cases = sorted({one["cases"] for one in trainings if one.get("cases")})
    parts = [_("Trained by ggpfn {version}").format(version=", ".join(versions) or "?")]
    if cases:
        several = _("{low} to {high} cases") if len(cases) > 1 else _("{low} cases")
        parts.append(several.format(low=cases[0], high=cases[-1]))
    if dice:
        parts.append(_("validation Dice {low:.2f} to {high:.2f}").format(low=min(dice), high=max(dice)))
    return ", ".join(parts)
