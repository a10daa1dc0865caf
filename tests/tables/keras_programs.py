"""The programs of examples/keras as programs of Keras, and which of them have run: python keras_programs.py

Whether one runs with Keras depends on its text and on Keras alone. So those that have run are noted in
`keras_programs.json`, with the versions, and run again only when one of these has changed.
"""

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from pathlib import Path

from forked_programs import forking

from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples" / "keras").glob("*.py"))
NOTED = Path(__file__).with_suffix(".json")
CHANGES = (  # what makes a program of Keras of one of thalweg
    ("import thalweg as keras", "import keras"),
    ("from thalweg import ", "from keras import "),
    (".safetensors", ".keras"),
)


def in_keras(program):
    """The program's text for Keras."""
    text = program.read_text(encoding="utf-8")
    for ours, theirs in CHANGES:
        text = text.replace(ours, theirs)
    return text


def note(program):
    """What its running with Keras depends on."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("keras", "jax")]
    return ", ".join([hashlib.sha256(in_keras(program).encode()).hexdigest()[:16], *versions])


def noted():
    """The notes of programs that have run, by their names."""
    return json.loads(NOTED.read_text(encoding="utf-8"))


def with_keras():
    """Runs programs of Keras (`forking`)."""
    return forking(["sklearn.datasets", "keras"], PYTHONPATH=str(ROOT), KERAS_BACKEND="jax")


def run_in(folder, program, run):
    """What the program prints with Keras, in a copy of the examples."""
    shutil.copytree(ROOT / "examples", folder / "examples", dirs_exist_ok=True)
    copy = folder / "examples" / "keras" / program.name
    copy.write_text(in_keras(program), encoding="utf-8")
    return run(copy)


def looks_up_text(program):
    """Whether Keras needs TensorFlow for it."""
    return any(name in in_keras(program) for name in ("StringLookup", "FeatureSpace"))


def main():
    """Runs those whose note isn't up to date, and notes them."""
    before, programs = noted(), [program for program in PROGRAMS if not looks_up_text(program)]
    with with_keras() as run, tempfile.TemporaryDirectory() as folder:
        for program in programs:
            if before.get(program.stem) != note(program):
                print(program.stem, run_in(Path(folder), program, run), sep=": ", end="", flush=True)
    notes = {program.stem: note(program) for program in programs}
    NOTED.write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
