"""Stands in for slicer.i18n: translation by the context that Slicer makes of a file's package and name.

`translations` has the texts of a language by context, as Slicer's translators have them; at first it is empty.
"""

import inspect
import os
import re

translations = {}


def translate(context, text):
    return translations.get(context, {}).get(text) or text


def getContext(sourceFile):
    folder, name = os.path.split(os.path.splitext(sourceFile)[0])
    package = os.path.isfile(os.path.join(folder, "__init__.py"))
    return f"{os.path.basename(folder)}.{name}" if package else name


def tr(text):
    translated = translate(getContext(inspect.currentframe().f_back.f_code.co_filename), text)
    return translated if placeholders(translated) == placeholders(text) else text


def placeholders(text):
    """Slicer takes no translation that lacks one of these or has another."""
    return set(re.findall(r"(?<!\{)\{([^{}]+)\}(?!\})", text))
