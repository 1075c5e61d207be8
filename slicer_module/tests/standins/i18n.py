"""Stands in for slicer.i18n: translation by the context that Slicer makes of a file's package and name.

`translations` has the texts of a language by context, as Slicer's translators have them; at first it is empty.
"""

import inspect
import os
import re
import xml.etree.ElementTree as xml

translations = {}


def speak(path):
    """Takes over the language of a .ts file; None: English again. Texts that were made before stay as they are."""
    translations.clear()
    for context in xml.parse(path).getroot().iter("context") if path else ():
        translations[context.find("name").text] = {
            message.find("source").text: message.find("translation").text for message in context.iter("message")
        }


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
