"""The list of damages is up to date and spread over the house; what runs it tells noticed damages from others."""

import ast
from pathlib import Path

import damages
import pytest
from damages import PACKAGE, ROOT, Damage

from thalweg.words import translations

LIST = damages.damages()
ROOMS = [path.name for path in (ROOT / PACKAGE).iterdir() if any(path.glob("*.py"))]
SPARED = {"preprocessing"}  # Keras's name for a function of data; it computes nothing itself


@pytest.mark.parametrize("damage", LIST, ids=lambda damage: damage.shown)
def test_a_damage_can_be_made_and_is_one(damage):
    text = (ROOT / PACKAGE / damage.file).read_text(encoding="utf-8")
    kinds = {".py": lambda text: ast.dump(ast.parse(text)), ".po": translations.read, ".js": str}
    read = kinds[Path(damage.file).suffix]
    assert read(damage.made(text)) != read(text)
    for test in damage.tests:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8") if name else (ROOT / path).exists()


def test_there_are_damages_in_every_room():
    assert len({(damage.file, damage.old) for damage in LIST}) == len(LIST) >= 60
    assert {damage.file.partition("/")[0] for damage in LIST if "/" in damage.file} == {*ROOMS} - SPARED


def test_a_damage_that_nothing_notices_is_told(tmp_path, capsys):
    for name, text in {
        "thalweg/__init__.py": "",
        "thalweg/sums.py": "def add(x, y):\n    return x + y\n\ndef half(x):\n    return x / 2\n",
        "tests/test_sums.py": "from thalweg.sums import add\n\ndef test_add():\n    assert add(1, 2) == 3\n",
        "runs/large.bin": "is left out",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    tests = ("tests/test_sums.py",)
    sign, factor = Damage("sums.py", "x + y", "x - y", tests), Damage("sums.py", "x / 2", "x / 3", tests)
    assert damages.unnoticed(tmp_path, [sign, factor]) == [factor]
    said = capsys.readouterr().out
    assert "sums.py: x / 2 → x / 3" in said.partition("UNSEEN")[2]
    assert "1 of 2 damages are noticed" in said
    assert "x + y" in (tmp_path / "thalweg" / "sums.py").read_text(encoding="utf-8")  # only a copy was damaged

    with pytest.raises(ValueError, match="has 'x' 4 times"):
        Damage("sums.py", "x", "y", tests).made((tmp_path / "thalweg" / "sums.py").read_text(encoding="utf-8"))
    with pytest.raises(RuntimeError, match=r"pytest ended with 4 on tests/none\.py"):
        damages.is_noticed(damages.copied(tmp_path, tmp_path / "place"), sign._replace(tests=("tests/none.py",)))
    (tmp_path / "tests" / "test_sums.py").write_text("def test_fails():\n    assert False\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="fail without any damage"):
        damages.unnoticed(tmp_path, [sign])
