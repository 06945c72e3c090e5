"""AutoAttack as a whole: its order, its settings, and that it leaves no trace."""

import random
from functools import cache

import numpy as np
import pytest
import torch
from evaluated_digits import (
    Doubled,
    digit_images,
    left,
    make_case,
    pick,
    trained,
    verdicts,
)
from torch import nn

from rofit.evaluation.stages import make_stages
from rofit.evaluation.verdicts import accuracy_after, run_stages, unattacked
from rofit.settings.threat import NORMS

pyautoattack = pytest.importorskip("pyautoattack")

ORDER = ("apgd-ce", "apgd-t", "fab-t", "square")
FEW, N = 4, 12  # classes and images: seconds
WIDE = {"linf": 0.1, "l2": 0.5}
QUERIES = 100  # of Square, which would make 5000


def _quick_case(kind, norm, **options):
    number = QUERIES if kind in ("square", "autoattack") else 0
    return make_case(kind, norm, number=number, epsilon=WIDE[norm], n=N, **options)


def _net():
    return Doubled(trained(), FEW)


@cache
def _table(kind, norm, chunk=64):
    images = digit_images(N, n_classes=FEW)
    return verdicts(_quick_case(kind, norm), _net(), images, chunk=chunk, n_classes=FEW)


def _stages(kind, n_classes):
    return make_stages(make_case(kind), nn.Identity(), n_classes=n_classes)


@pytest.mark.parametrize("norm", NORMS)
def test_the_cascade_is_the_four_attacks_in_their_order(norm):
    """An image is fooled by the first that fools it alone, and not tried again."""
    alone = [_table(kind, norm)["fooled_by"] for kind in ORDER]
    first = alone[0]
    for fooled_by in alone[1:]:
        first = first.where(first != "", fooled_by)
    whole = _table("autoattack", norm)
    assert (whole["fooled_by"] == first).all()
    names = [
        s.name
        for s in make_stages(_quick_case("autoattack", norm), _net(), n_classes=FEW)
    ]
    fooled = whole[whole["fooled_by"] != ""]
    assert (fooled["stages"] == fooled["fooled_by"].map(names.index) + 1).all()
    assert (whole["stages"][left(whole)] == len(names)).all()
    assert 0 < left(whole).sum() < N - 1


def test_each_stage_gets_the_images_that_are_left_in_any_chunks():
    net, images, case = (
        _net(),
        digit_images(N, n_classes=FEW),
        _quick_case("autoattack", "linf"),
    )
    stages, tried = make_stages(case, net, n_classes=FEW), []

    def watched(stage):
        def find(x, y, index):
            tried.extend((stage.name, i) for i in index)
            return stage.find(x, y, index)

        return stage._replace(find=find)

    table = unattacked(images)
    watching, never = [watched(stage) for stage in stages], lambda *_: False
    run_stages(watching, net, case.threat, images, table, chunk=5, after=never)
    for number, stage in enumerate(stages):
        got = [i for name, i in tried if name == stage.name]
        assert got == table["index"][table["stages"] > number].tolist()
    assert list(accuracy_after(table, stages)) == ["clean", *ORDER]
    assert table.set_index("index").equals(_table("autoattack", "linf"))


def test_verdicts_depend_neither_on_the_chunk_nor_on_neighbours():
    whole, case = _table("autoattack", "l2"), _quick_case("autoattack", "l2")
    some = pick(digit_images(N, n_classes=FEW), [7, 1, 0, 8])
    alone = verdicts(case, _net(), some, chunk=1, n_classes=FEW)
    assert whole.loc[alone.index].equals(alone)
    assert left(alone).any() and not left(alone).all()


@pytest.mark.parametrize(("n_classes", "targets"), [(4, 3), (7, 6), (10, 9), (100, 9)])
def test_targets_are_nine_or_all_other_classes(n_classes, targets):
    ranks = range(1, targets + 1)
    expected = {
        "apgd-ce": ["apgd-ce"],
        "apgd-t": [f"apgd-t {k}" for k in ranks],
        "fab-t": [f"fab-t {k}" for k in ranks],
        "square": ["square"],
    }
    for kind, names in expected.items():
        stages = _stages(kind, n_classes)
        assert [stage.name for stage in stages] == ["clean", *names]
        assert {stage.group for stage in stages[1:]} == {kind}
    together = [stage.name for stage in _stages("autoattack", n_classes)]
    assert together == ["clean", *sum(expected.values(), [])]


def test_square_is_defined_for_two_classes():
    net = Doubled(trained(), 2)
    images = digit_images(N, n_classes=2)
    case = make_case("square", number=50, epsilon=0.3)
    kept = left(verdicts(case, net, images, n_classes=2))
    assert 0 < kept.sum() < (net(images.x).argmax(1) == images.y).sum()


def _plain(attack):
    plain = (int, float, str, bool, type(None))
    return {
        key: value for key, value in vars(attack).items() if isinstance(value, plain)
    }


@pytest.mark.parametrize("norm", NORMS)
def test_settings_are_the_librarys_standard_version(norm, monkeypatch):
    kits, library = [], pyautoattack.AutoAttack

    class Kept(library):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            kits.append(self)

    monkeypatch.setattr(pyautoattack, "AutoAttack", Kept)
    for number in (0, 200):
        make_stages(make_case("autoattack", norm, number=number), _net(), n_classes=10)
    named = {"linf": "Linf", "l2": "L2"}[norm]
    epsilon = make_case("pgd", norm).epsilon
    standard = library(_net(), norm=named, eps=epsilon, version="standard")
    for name in ("apgd", "apgd_targeted", "fab", "square"):
        settings = _plain(getattr(standard, name))
        assert settings["n_restarts"] == 1 and settings["eps"] == epsilon
        assert _plain(getattr(kits[0], name)) == settings
        changes = {"n_queries": 200} if name == "square" else {}
        assert _plain(getattr(kits[1], name)) == settings | changes
    assert kits[0].attacks_to_run == list(ORDER)
    # as the paper says, should the library change its mind
    assert kits[0].apgd.n_iter == kits[0].apgd_targeted.n_iter == 100
    assert kits[0].fab.n_iter == 100 and kits[0].square.n_queries == 5000
    assert kits[0].apgd_targeted.n_target_classes == kits[0].fab.n_target_classes == 9


@pytest.mark.parametrize("kind", ORDER)
def test_no_stream_no_mode_and_no_gradient_is_touched(kind):
    net, images = _net(), digit_images(5, n_classes=FEW)
    net.net.normalise.train()  # each module's own mode
    for number, parameter in enumerate(net.parameters()):
        parameter.grad = torch.full_like(parameter, 7.0) if number % 2 else None
    modes = [module.training for module in net.modules()]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    images_before = images.x.clone()
    streams = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    try:
        verdicts(_quick_case(kind, "linf"), net, images, n_classes=FEW)
        assert torch.equal(torch.get_rng_state(), streams[0])
        assert (np.random.get_state()[1] == streams[1]).all()
        assert random.getstate() == streams[2]
        assert [module.training for module in net.modules()] == modes
        assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
        for number, parameter in enumerate(net.parameters()):
            grad = parameter.grad
            assert (grad == 7).all() if number % 2 else grad is None
            assert not parameter.requires_grad
    finally:
        for parameter in net.parameters():
            parameter.grad = None
        net.net.eval()
    assert torch.equal(images.x, images_before) and torch.is_grad_enabled()


class Constant(nn.Module):
    """A network whose gradient is zero everywhere: the library warns of that."""

    def forward(self, x):
        return (
            torch.eye(FEW)[torch.zeros(len(x), dtype=int)]
            + 0 * x.sum((1, 2, 3))[:, None]
        )


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_is_said_and_a_constant_network_is_never_fooled(norm, caplog, capfd):
    images = digit_images(20, n_classes=1)
    table = verdicts(_quick_case("autoattack", norm), Constant(), images, n_classes=FEW)
    assert left(table).all()
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_fab_finds_the_others_where_one_image_is_wrong_already():
    net, images = _net(), digit_images(N, n_classes=FEW)
    case = _quick_case("fab-t", "linf")
    stage = make_stages(case, net, n_classes=FEW)[1]
    alone = stage.find(images.x, images.y, images.index)
    other = images.y.clone()
    other[3] = (other[3] + 1) % FEW
    beside = stage.find(images.x, other, images.index)
    assert torch.equal(beside[3], images.x[3])
    kept = [i for i in range(N) if i != 3]
    assert torch.equal(beside[kept], alone[kept])
    assert not torch.equal(alone, images.x)
