"""Methods in files outside of the package, which ROFIT_METHODS names."""

import os
import sys
from dataclasses import fields

import pytest

from rofit.errors import UserError
from rofit.methods import _NOT_METHODS, METHODS
from rofit.methods.own import own_methods
from rofit.settings.method_files import VARIABLE, method_files
from rofit.settings.spec import RunSpec
from rofit.store.environment import method_code

TAKEN = {*METHODS, *_NOT_METHODS}
METHOD = '''
"""Training without a purpose."""
from dataclasses import dataclass
from rofit.settings.knobs import Knobs, knob
BRINGS = frozenset({"objective"})
@dataclass(frozen=True)
class Params(Knobs):
    """One."""
    strength: float = knob(2.0, "how much")
def build(params, context):
    """Return nothing."""
'''


@pytest.fixture
def named(tmp_path, monkeypatch):
    """A function that writes files, name -> text, and names them in the variable."""

    def write(**texts):
        files = {name: tmp_path / f"{name}.py" for name in texts}
        for name, text in texts.items():
            files[name].write_text(text)
        monkeypatch.setenv(VARIABLE, os.pathsep.join(map(str, files.values())))
        return files

    yield write
    for name in [n for n in sys.modules if n.startswith("rofit.methods.our_")]:
        del sys.modules[name]


def test_files_of_the_variable_are_methods_by_their_names(named):
    files = named(our_one=METHOD, our_two=METHOD.replace("2.0", "3.0"))
    methods = own_methods(TAKEN)
    assert method_files() == files and list(methods) == ["our_one", "our_two"]
    defaults = [fields(module.Params)[0].default for module in methods.values()]
    assert defaults == [2.0, 3.0]


def test_without_the_variable_there_are_none(monkeypatch):
    for value in ("", os.pathsep):
        monkeypatch.setenv(VARIABLE, value)
        assert own_methods(TAKEN) == {}
    monkeypatch.delenv(VARIABLE)
    assert own_methods(TAKEN) == {}


def test_a_change_of_the_file_is_a_change_of_the_method_s_code(named):
    spec = RunSpec(method="our_one", labels_from="sgls")
    named(our_one=METHOD)
    before = method_code(spec)
    named(our_one="# a comment\n" + METHOD)
    assert method_code(spec) == before and set(before) == {"our_one", "sgls"}
    named(our_one=METHOD.replace("2.0", "3.0"))
    after = method_code(spec)
    assert after["our_one"] != before["our_one"] and after["sgls"] == before["sgls"]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("sgls", METHOD, "rofit has a module sgls already; rename"),
        ("inner", METHOD, "rofit has a module inner already; rename"),
        ("our_one", "def build(:", r"our_one.py cannot be imported \(SyntaxError"),
        ("our_one", "1 / 0", r"cannot be imported \(ZeroDivisionError"),
        ("our_one", "BRINGS = 1", "lacks Params, build"),
    ],
)
def test_a_file_that_is_no_method_is_refused_in_one_sentence(
    named, name, text, sentence
):
    named(**{name: text})
    with pytest.raises(UserError, match=sentence):
        own_methods(TAKEN)


def test_what_is_no_file_of_python_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    for folder in (tmp_path, tmp_path / "a"):
        (folder / "same.py").write_text("")
    same = os.pathsep.join(f"{p}/same.py" for p in (tmp_path, tmp_path / "a"))
    cases = {
        str(tmp_path): "expects files of Python",
        "two-words.py": "expects files of Python",
        same: "two files of a method same",
    }
    for value, sentence in cases.items():
        monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(UserError, match=sentence):
            method_files()


def test_a_file_that_is_not_there_is_refused_where_methods_are_needed(monkeypatch):
    monkeypatch.setenv(VARIABLE, "nowhere.py")
    with pytest.raises(UserError, match="nowhere.py, and no file is there"):
        own_methods(TAKEN)
    assert method_code(RunSpec(method="nowhere")) == {}  # what only reads goes on
