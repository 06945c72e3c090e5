"""What rofit relies on inside of pyautoattack: it is there, or one sentence says not.

The first test fails where the installed version is not one that rofit was made for: it
names what is missing. Nothing else that fails then tells more.
"""

import ast
import re
from pathlib import Path

import pytest
from evaluated_digits import make_case
from torch import nn

from rofit.errors import UserError
from rofit.evaluation import autoattack, internals
from rofit.evaluation.internals import lacks
from rofit.evaluation.stages import make_stages

pyautoattack = pytest.importorskip("pyautoattack")

CALLS, ATTRIBUTES = internals._CALLS, internals._ATTRIBUTES
MEMBERS = [(attack, name) for attack, names in ATTRIBUTES.items() for name in names]
MEMBERS += [(attack, name) for attack, names in CALLS.items() for name in names]


def test_installed_pyautoattack_has_what_rofit_relies_on():
    kit = pyautoattack.AutoAttack(nn.Identity(), norm="L2", eps=0.5, version="standard")
    lacking = lacks(kit)
    assert not lacking, (
        f"rofit relies on {', '.join(lacking)} of pyautoattack, which version "
        f"{pyautoattack.__version__} has not: change rofit/evaluation/autoattack.py, "
        f"or keep to {internals.TESTED}"
    )


def test_every_name_that_the_adapter_uses_of_the_library_is_listed():
    tree = ast.parse(Path(autoattack.__file__).read_text())
    used = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner = ast.unparse(node.value)
        if owner == "attack" or re.fullmatch(r"self\.kit\.\w+", owner):
            used.add(node.attr)
    assert used == {name for _, name in MEMBERS}
    attacks = re.findall(r"self\.kit\.(\w+)", ast.unparse(tree))
    assert set(attacks) == CALLS.keys() == ATTRIBUTES.keys()


@pytest.fixture
def changed(monkeypatch):
    """A function that gives every AutoAttack object to come to a change of it."""

    def change(by):
        class Later(pyautoattack.AutoAttack):
            def __init__(self, *args, **named):
                super().__init__(*args, **named)
                by(self)

        monkeypatch.setattr(pyautoattack, "AutoAttack", Later)
        monkeypatch.setattr(pyautoattack, "__version__", "0.9.1")

    return change


def _refused(member):
    """Assert that the stages are refused in one sentence that names the member."""
    sentence = (
        "square needs pyautoattack >=0.2,<0.3: version 0.9.1 has no "
        f"{member} that rofit relies on; pip install 'pyautoattack>=0.2,<0.3'"
    )
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        make_stages(make_case("square", number=9), nn.Identity(), n_classes=10)


@pytest.mark.parametrize(("attack", "name"), MEMBERS, ids=".".join)
def test_release_without_a_member_is_refused_by_its_name(changed, attack, name):
    def without(kit):
        if name in CALLS[attack]:
            setattr(getattr(kit, attack), name, None)
        else:
            delattr(getattr(kit, attack), name)

    changed(without)
    arguments = CALLS[attack].get(name)
    shown = f"({', '.join(arguments)})" if arguments else ""
    _refused(f"{attack}.{name}{shown}")


def _renamed(x, y, x_start=None):
    """The keyword by which rofit gives the start has another name."""


def _asks_for_more(x, y, streams, x_init=None):
    """There is an argument more, which rofit does not give."""


@pytest.mark.parametrize("other", [_renamed, _asks_for_more])
def test_release_with_other_arguments_is_refused(changed, other):
    changed(lambda kit: setattr(kit.apgd, "attack_single_run", other))
    _refused("apgd.attack_single_run(x, y, x_init=)")


def test_release_that_is_made_otherwise_is_refused(monkeypatch):
    def other(model, radius):
        raise AssertionError("it was made all the same")

    monkeypatch.setattr(pyautoattack, "__version__", "0.9.1")
    for made_by in (other, None):
        monkeypatch.setattr(pyautoattack, "AutoAttack", made_by)
        _refused("AutoAttack(model, norm=, eps=, version=)")


def test_arguments_that_rofit_does_not_give_may_come_and_go(changed):
    def more(x, y, *, budget=None, x_init=None):
        """An option."""

    changed(lambda kit: setattr(kit.apgd, "attack_single_run", more))
    assert make_stages(make_case("square", number=9), nn.Identity(), n_classes=10)
