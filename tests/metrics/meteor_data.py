"""A pycocoevalcap with a few words in it, and the words that the tests know it has."""

import gzip
import zipfile

FUNCTION_WORDS = ["a", "the", "of", "in", "on", "'"]
ABBREVIATIONS = ["# a comment", "", "Mr", "vs", "pp #NUMERIC_ONLY#"]
SYNSETS = {
    "sofa": "1",
    "couch": "1 2",
    "road": "3",
    "street": "3 4",
    "child": "5",
    "kid": "5",
    "buggy": "6",
    "pram": "6",
    "glass": "7",
    "glas": "8",
    "pane": "8",
    "lie": "9",
    "rest": "9",
    "plan": "10",
    "plane": "11",
    "scheme": "10",
    "airplane": "11",
}
EXCEPTIONS = {"child": "children", "lie": "lay lain"}
PARAPHRASES = [
    ("before", "in front of"),
    ("big", "large"),
    ("big dog", "large animal"),
    ("large", "big"),
    ("the dog", "a dog"),
]


def write_package(folder):
    """Writes the package, so that a folder on the path of modules has it."""
    meteor = folder / "pycocoevalcap" / "meteor"
    (meteor / "data").mkdir(parents=True)
    (folder / "pycocoevalcap" / "__init__.py").touch()
    with zipfile.ZipFile(meteor / "meteor-1.5.jar", "w") as archive:
        for name, lines in {
            "function/english.words": FUNCTION_WORDS,
            "nonbreaking/english.prefixes": ABBREVIATIONS,
            "synonym/english.synsets": [text for pair in SYNSETS.items() for text in pair],
            "synonym/english.exceptions": [text for pair in EXCEPTIONS.items() for text in pair],
        }.items():
            archive.writestr(name, "".join(f"{line}\n" for line in lines))
    with gzip.open(meteor / "data" / "paraphrase-en.gz", "wt", encoding="utf-8") as table:
        for phrase, paraphrase in PARAPHRASES:
            table.write(f"0.5\n{phrase}\n{paraphrase}\n")
    return meteor
