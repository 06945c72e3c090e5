"""Parts that do not go together are refused with the reason, in code and by command."""

import pytest
import torch
from command_line import rofit
from toy_problems import conv_net

from rofit.attacks.pgd import PGD
from rofit.errors import UserError
from rofit.methods import Context, find_kind, make_params
from rofit.methods.resolve import described, resolve
from rofit.settings.spec import RunSpec
from rofit.settings.threat import ThreatModel

TRAIN = ("train", "--scale", "smoke", "--quiet")


def _spec(base, labels="", weights=(), **params):
    donors = {"labels_from": labels, "weights_from": weights}
    return RunSpec(method=base, method_params=params, **donors)


def _built(spec):
    kind, y = find_kind(spec), torch.arange(3)
    given = Context(PGD(ThreatModel("linf", 0.1), 5, 0.05), y, 3, conv_net())
    return kind.build(make_params(kind, dict(spec.method_params)), given)


def _is_one_sentence(answer, sentence):
    assert answer.err.startswith("rofit: ") and answer.err.count("\n") == 1
    assert "Traceback" not in answer.out + answer.err
    assert sentence in answer.err and answer.code == 2


REFUSED = {
    ("sglr", "sgls", ()): "sglr assigns labels of its own, which those of sgls would "
    "replace; begin from another method, or leave sgls out",
    ("te", "adr", ()): "te assigns labels of its own",
    ("kd", "label_smoothing", ()): "kd assigns labels of its own",
    ("pgd_at", "trades", ()): "labels can be taken from adr, label_smoothing, sglr, "
    "sgls, which are label rules and nothing else; trades is not",
    ("pgd_at", "trades_sgls", ()): "nothing else; trades_sgls is not",
    ("pgd_at", "te", ()): "nothing else; te is not",
    ("pgd_at", "awp", ()): "nothing else; awp is not",
    ("pgd_at", "pgd_at", ()): "nothing else; pgd_at is not",
    ("trades", "sgrl", ()): "unknown method 'sgrl'; did you mean sgls or sglr",
    ("pgd_at", "", ("sglr",)): "weight rules can be taken from awp, mlcat_wp, swa, "
    "weight_ema, which are that and nothing else; sglr is not",
    ("pgd_at", "", ("trades_awp",)): "nothing else; trades_awp is not",
    ("pgd_at", "", ("adr_ema",)): "nothing else; adr_ema is not",
    ("pgd_at", "", ("fast_at",)): "nothing else; fast_at is not",
    ("pgd_at", "", ("awq",)): "unknown method 'awq'; did you mean awp",
    ("awp", "", ("mlcat_wp",)): "awp and mlcat_wp both bring a perturbation of the "
    "weights; give one",
    ("pgd_at", "", ("mlcat_wp", "awp")): "awp and mlcat_wp both bring a perturbation",
    ("adr_awp", "", ("awp",)): "adr_awp and awp both bring a perturbation",
    ("pgd_at", "", ("awp", "awp")): "awp and awp both bring a perturbation",
    ("swa", "", ("weight_ema",)): "swa and weight_ema both bring an average of the "
    "weights, and one network is evaluated; give one",
    ("pgd_at", "", ("swa", "awp", "weight_ema")): "swa and weight_ema both bring",
    ("kd_swa", "", ("swa",)): "kd_swa and swa both bring an average",
}


@pytest.mark.parametrize("combination", REFUSED, ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}")
def test_parts_that_do_not_go_together_are_refused_with_the_reason(combination):
    for ask in (find_kind, resolve, described):
        with pytest.raises(UserError, match=REFUSED[combination]):
            ask(_spec(*combination))


@pytest.mark.parametrize("how", ["flags", "settings"])
@pytest.mark.parametrize("combination", REFUSED, ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}")
def test_command_refuses_them_in_one_line_and_makes_nothing(tmp_path, combination, how):
    base, labels, weights = combination
    words = ["--method", base]
    if how == "flags":
        words += ["--labels", labels] if labels else []
        words += ["--weights", ",".join(weights)] if weights else []
    else:
        words += ["--set", f"labels_from={labels}"]
        words += ["--set", f"weights_from={','.join(weights)}"]
    _is_one_sentence(rofit(tmp_path, *TRAIN, *words), REFUSED[combination])
    assert list(tmp_path.iterdir()) == []


CLIMBS = "attack_labels chooses the labels of an attack on cross entropy.*leave it out"


@pytest.mark.parametrize(
    ("base", "labels", "choice"),
    [("trades", "sglr", "assigned"), ("trades", "adr", "given")],
)
def test_labels_of_an_attack_that_climbs_on_none_cannot_be_chosen(base, labels, choice):
    with pytest.raises(UserError, match=CLIMBS):
        _built(_spec(base, labels, attack_labels=choice))
    assert _built(_spec(base, labels)).inner == _built(_spec(base)).inner


def test_labels_of_no_attack_cannot_be_chosen():
    with pytest.raises(UserError, match="attack_labels"):
        _built(_spec("standard", "sglr", attack_labels="assigned"))


def test_command_refuses_the_choice_too_and_keeps_no_run(tmp_path):
    words = ("--method", "trades", "--labels", "sglr")
    answer = rofit(tmp_path, *TRAIN, *words, "--set", "attack_labels=assigned")
    _is_one_sentence(answer, "method has no such attack: leave it out")
    assert not list(tmp_path.glob("runs/*/spec.json"))


def test_spaces_in_weights_are_read_as_in_a_setting(tmp_path):
    options = ("--dry-run", "--json", "--method", "pgd_at")
    setting = rofit(tmp_path, *TRAIN, *options, "--set", "weights_from=awp, swa")
    flag = rofit(tmp_path, *TRAIN, *options, "--weights", "awp, swa")
    assert setting.code == 0 and flag.out == setting.out


@pytest.mark.parametrize("name", ["ema_decay", "adr_decay"])
def test_average_that_runs_away_from_the_weights_is_refused(name):
    with pytest.raises(UserError, match=f"{name} must be at least 0 and at most 1"):
        resolve(_spec("adr_ema", **{name: 1.5}))
