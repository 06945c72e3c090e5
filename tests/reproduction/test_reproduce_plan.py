"""Which runs a request means: scale, then data, then overrides, then seeds."""

from types import SimpleNamespace

import pytest

from rofit.data.folders import ClassFolders
from rofit.errors import UserError
from rofit.reproduction import catalog
from rofit.reproduction.plan import Request, describe_data, plan, varied_fields
from rofit.settings.scales import SCALES
from rofit.settings.spec import RunSpec

FIG1 = "fig1_gradnorm"
MINE = ClassFolders("mine", "0123456789ab", "mine (class folders)")
BASE = RunSpec(
    method="sgls", epsilon=4 / 255, drops=(0.5,), method_params=(("start", 0.2),)
)


@pytest.fixture
def planned(monkeypatch):
    """A function from an analysis' specs and a request to the planned runs."""

    def run(
        specs: list[RunSpec], scale: str = "smoke", **options: object
    ) -> list[RunSpec]:
        fake = SimpleNamespace(runs=lambda: specs)
        monkeypatch.setattr(catalog, "load_analysis", lambda name: fake)
        return plan(Request("fig0_fake", scale, **options))

    return run


def test_scale_is_applied_to_every_run_and_leaves_the_rest(planned):
    (spec,) = planned([BASE])
    assert spec == SCALES["smoke"].apply(BASE)


def test_paper_scale_is_the_analysis_itself_over_its_seeds(planned):
    assert planned([BASE], "paper") == [BASE.replace(seed=seed) for seed in range(3)]


def test_override_has_the_last_word_over_scale_and_data(planned):
    overrides = {"epochs": "3", "epsilon": "2/255", "dataset": "svhn", "start": "0.3"}
    (spec,) = planned([BASE], settings=overrides, data=(MINE,))
    assert (spec.epochs, spec.epsilon, spec.dataset) == (3, 2 / 255, "svhn")
    assert spec.method_params == (("start", 0.3),)
    assert spec.train_size == SCALES["smoke"].changes["train_size"]


def test_data_take_the_place_of_the_scales(planned):
    (spec,) = planned([BASE], data=(MINE,))
    assert (spec.dataset, spec.dataset_digest) == MINE[:2]
    sized = spec.replace(dataset="digits", dataset_digest="")
    assert sized == SCALES["smoke"].apply(BASE)


@pytest.mark.parametrize("scale", SCALES)
def test_seeds_are_the_scales_unless_told(planned, scale):
    assert [s.seed for s in planned([BASE], scale)] == [*range(SCALES[scale].seeds)]
    assert [s.seed for s in planned([BASE], scale, seeds=2)] == [0, 1]


def test_every_run_has_all_seeds(planned):
    specs = planned([BASE, BASE.replace(method="sglr")], seeds=2)
    runs = [(spec.method, spec.seed) for spec in specs]
    assert runs == [("sgls", 0), ("sgls", 1), ("sglr", 0), ("sglr", 1)]


def test_what_the_analysis_varies_is_not_scaled(planned):
    specs = [BASE.replace(epochs=epochs, width=w) for epochs, w in ((9, 1), (7, 2))]
    sized = planned(specs)
    assert [(spec.epochs, spec.width) for spec in sized] == [(9, 1), (7, 2)]
    assert {spec.batch_size for spec in sized} == {64}


def test_varied_fields_are_those_in_which_the_specs_differ():
    a = RunSpec(method_params=(("start", 0.1),))
    assert varied_fields([a]) == set()
    assert varied_fields([a, a.replace(lr=0.2), a.replace(lr=0.3)]) == {"lr"}
    b = a.replace(method_params=(("start", 0.2),), drops=(0.5,))
    assert varied_fields([a, b]) == {"method_params", "start", "drops"}


def test_override_of_what_the_analysis_varies_is_refused():
    with pytest.raises(UserError, match=f"{FIG1} varies method itself; leave it out"):
        plan(Request(FIG1, "smoke", {"method": "sgls"}))


def test_override_of_the_seed_points_to_the_flag():
    with pytest.raises(UserError, match="varies seed itself; use --seeds"):
        plan(Request(FIG1, "smoke", {"seed": "3"}))


def test_override_of_a_varied_method_parameter_is_refused(planned):
    specs = [BASE.replace(method_params=(("start", s),)) for s in (0.1, 0.2)]
    with pytest.raises(UserError, match="varies start itself"):
        planned(specs, settings={"start": "0.3"})


def test_data_of_no_name_cannot_replace_one_of_the_data_sets_that_are_compared(planned):
    specs = [BASE, BASE.replace(dataset="svhn")]
    with pytest.raises(UserError, match="of .*svhn, and mine is none of them"):
        planned(specs, data=(MINE,))


@pytest.mark.parametrize("name", ["svhn", "svhn-png"])
def test_copy_of_a_data_set_replaces_that_one_of_those_that_are_compared(planned, name):
    specs = [BASE, BASE.replace(dataset="svhn")]
    runs = planned(specs, "paper", data=(ClassFolders(name, "0123456789ab", "a copy"),))
    digests = {spec.dataset: spec.dataset_digest for spec in runs}
    assert digests == {BASE.dataset: "", name: "0123456789ab"}


def test_data_never_take_the_place_of_another_single_data_set(planned):
    with pytest.raises(UserError, match="of cifar100, and cifar10-jpeg is none"):
        data = ClassFolders("cifar10-jpeg", "0123456789ab", "cifar10 (jpeg)")
        planned([RunSpec(dataset="cifar100")], data=(data,))


def test_folder_names_the_scale_and_all_that_departs_from_it():
    overrides = {"epsilon": "4/255", "drops": "0.5,0.9"}
    request = Request(FIG1, "demo", overrides, seeds=2, data=(MINE,))
    assert Request(FIG1, "demo").folder == "demo"
    assert request.folder == "demo+mine-012345+drops=0.5,0.9+epsilon=4_255+seeds=2"
    swapped = Request(FIG1, "demo", dict(reversed(overrides.items())), 2, (MINE,))
    assert swapped.folder == request.folder


def test_folder_never_leaves_the_folder_of_results():
    request = Request(
        FIG1, "demo", {"model": "../../x"}, data=(ClassFolders("..", "", ""),)
    )
    assert "/" not in request.folder


def test_data_are_told_with_size_noise_and_threat():
    spec = RunSpec(dataset="svhn", epsilon=4 / 255)
    assert describe_data(Request(FIG1, "paper"), [spec]) == "svhn, linf 4/255"
    small = spec.replace(train_size=400, label_noise=0.4)
    mine = small.replace(dataset="mine")
    assert describe_data(Request(FIG1, "demo", data=(MINE,)), [mine]) == (
        "mine (class folders), 400 training images, 40% of training labels redrawn, "
        "linf 4/255"
    )
    clean = spec.replace(epsilon=0.0)
    assert describe_data(Request(FIG1, "paper"), [small, clean, small]) == (
        "svhn, 400 training images, 0% / 40% of training labels redrawn, "
        "linf 4/255 / no attack"
    )
