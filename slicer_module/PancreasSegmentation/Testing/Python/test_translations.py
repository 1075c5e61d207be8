"""Translations: every text of the sources is in every language, and nothing else is.

Texts are found as Slicer's script update_translations.py and Qt's lupdate find them: by the file's context.
"""

import ast
import unittest
import xml.etree.ElementTree as xml

from pancreas_testing import IN_SLICER, MODULE

TRANSLATIONS = MODULE.parent / "Translations"
LANGUAGES = ("de", "es", "fr", "zh-Hans")

if not IN_SLICER:
    from standins import i18n


def texts_of_sources():
    """{(context, text)} of the Python files and the .ui file."""
    found = set()
    for path in [MODULE / "PancreasSegmentation.py", *MODULE.glob("PancreasSegmentationLib/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id == "_":
                    found.add((i18n.getContext(str(path)), node.args[0].value))
                elif node.func.id == "translate":
                    found.add(tuple(argument.value for argument in node.args))
    root = xml.parse(MODULE / "Resources" / "UI" / "PancreasSegmentation.ui").getroot()
    kept = {id(text) for name in root.iter("stringlist") if name.get("notr") == "true" for text in name}
    for text in root.iter("string"):
        if text.text and text.get("notr") != "true" and id(text) not in kept:
            found.add((root.find("class").text, text.text))
    return found


@unittest.skipIf(IN_SLICER, "not applicable: for the source folder of the extension")
class Translations(unittest.TestCase):
    def messages(self, language):
        """[(context, text, translation element)] of a .ts file."""
        root = xml.parse(TRANSLATIONS / f"PancreasSegmentation_{language}.ts").getroot()
        self.assertEqual(root.get("language"), language.replace("-", "_"))
        return [
            (context.find("name").text, message.find("source").text, message.find("translation"))
            for context in root.iter("context")
            for message in context.iter("message")
        ]

    def test_the_languages_are_there(self):
        self.assertEqual(sorted(path.stem.split("_")[1] for path in TRANSLATIONS.glob("*.ts")), list(LANGUAGES))

    def test_every_text_has_a_translation_and_none_is_left_over(self):
        sources = texts_of_sources()
        self.assertGreater(len(sources), 300)
        for language in LANGUAGES:
            with self.subTest(language):
                found = [(context, text) for context, text, _translation in self.messages(language)]
                self.assertEqual(len(found), len(set(found)))
                self.assertEqual(set(found) - sources, set(), "left over")
                self.assertEqual(sources - set(found), set(), "missing")

    def test_translations_are_whole(self):
        for language in LANGUAGES:
            for _context, text, translation in self.messages(language):
                with self.subTest(language, text=text):
                    self.assertIsNone(translation.get("type"))
                    self.assertTrue((translation.text or "").strip())
                    # Slicer takes no translation whose placeholders are others.
                    self.assertEqual(i18n.placeholders(translation.text), i18n.placeholders(text))
                    self.assertEqual(translation.text.count("\n"), text.count("\n"))
                    self.assertEqual(text.startswith(", "), translation.text[0] in ",\uff0c")

    def test_words_that_are_shown_together_can_be_told_apart(self):
        """A list whose entries have one text, or a table with two rows of one name, is of no use."""
        for language in LANGUAGES:
            words = {(context, text): found.text for context, text, found in self.messages(language)}
            for context in ("measurements", "parameters", "batch"):
                context = f"PancreasSegmentationLib.{context}"
                own = [text for where, text in words if where == context]
                # Long texts are sentences.
                short = [text for text in own if len(text) < 30 and "{" not in text]
                self.assertEqual(len({words[context, text] for text in short}), len(short), language)


if __name__ == "__main__":
    unittest.main()
