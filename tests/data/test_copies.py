"""`--data` several times: which data set each copy is of, and for which analysis."""

import numpy as np
import pytest
from PIL import Image

from rofit.data.folders import ClassFolders, open_all
from rofit.errors import NothingToDraw, UserError
from rofit.reproduction.plan import Request, copies, dataset_names, plan

TEN = ClassFolders("cifar10-png", "a" * 12, "cifar10 (png)")
HUNDRED = ClassFolders("cifar100", "b" * 12, "cifar100 (class folders)")
MINE = ClassFolders("photos", "c" * 12, "photos (class folders)")


def _silent(sentence: str) -> None:
    raise AssertionError(sentence)


def _request(name, *data) -> Request:
    return Request(name, "cpu", data=data)


@pytest.mark.parametrize("order", [1, -1])
def test_analysis_of_two_data_sets_takes_a_copy_of_both(order):
    request = _request("table1_main", *(TEN, HUNDRED)[::order])
    assert copies(request) == {"cifar10": TEN, "cifar100": HUNDRED}
    specs = plan(request)
    digests = {spec.dataset: spec.dataset_digest for spec in specs}
    assert digests == {TEN.name: TEN.digest, HUNDRED.name: HUNDRED.digest}
    assert set(dataset_names(request, specs)) == {TEN.shown_as, HUNDRED.shown_as}
    assert request.folder == _request("table1_main", HUNDRED, TEN).folder


@pytest.mark.parametrize(
    ("name", "copy"), [("fig1_gradnorm", TEN), ("fig6_cifar100", HUNDRED)]
)
def test_copies_of_other_data_sets_are_left_to_other_analyses(name, copy):
    assert list(copies(_request(name, TEN, HUNDRED)).values()) == [copy]
    assert _request(name, TEN, HUNDRED).folder == _request(name, copy).folder


def test_name_before_the_path_says_what_a_copy_is_of():
    mine = MINE._replace(original="cifar100")
    assert copies(_request("fig6_cifar100", TEN, mine)) == {"cifar100": mine}
    with pytest.raises(NothingToDraw, match="of cifar10, and cifar100 is none"):
        copies(_request("fig1_gradnorm", mine))


def test_single_images_of_ones_own_take_the_place_of_cifar10_alone():
    assert copies(_request("fig1_gradnorm", MINE)) == {"cifar10": MINE}
    for name in ("fig6_cifar100", "table1_main"):
        with pytest.raises(NothingToDraw, match="photos is none of them"):
            copies(_request(name, MINE))


def test_two_copies_of_one_data_set_are_refused():
    same = TEN._replace(name="cifar10")
    with pytest.raises(UserError, match="cifar10 more than once: cifar10-png and"):
        copies(_request("table1_main", TEN, same))


@pytest.fixture
def archives(tmp_path):
    """Folders of class folders called one and two, and another called one."""
    folders = [tmp_path / "a" / "one", tmp_path / "a" / "two", tmp_path / "b" / "one"]
    draws = np.random.default_rng(0)
    for folder in folders:
        for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
            (folder / place).mkdir(parents=True)
            pixels = draws.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / place / "0.png")
    return [str(folder) for folder in folders]


def test_each_path_is_opened_with_the_name_before_it(archives, tmp_path):
    texts = [f"cifar10={archives[0]}", archives[1]]
    root, opened = open_all(texts, cache=tmp_path / "cache", say=_silent)
    assert root == tmp_path / "cache"
    described = [(copy.name, copy.original) for copy in opened]
    assert described == [("one", "cifar10"), ("two", "")]
    assert len({copy.digest for copy in opened}) == 2


def test_path_with_an_equals_sign_is_a_path_where_it_exists(archives, tmp_path):
    odd = tmp_path / "a=b"
    (tmp_path / "a" / "one").rename(odd)
    _, (copy,) = open_all([str(odd)], cache=tmp_path / "cache", say=_silent)
    assert copy.original == ""


@pytest.mark.parametrize("text", ["", "cifar10="])
def test_no_path_is_one_sentence(text, tmp_path):
    with pytest.raises(UserError, match="expects a path, got nothing"):
        open_all([text], cache=tmp_path, say=_silent)


def test_two_data_sets_of_one_name_are_refused(archives, tmp_path):
    with pytest.raises(UserError, match="two data sets called one; rename"):
        open_all([archives[0], archives[2]], cache=tmp_path / "cache", say=_silent)


def test_folder_of_torchvision_stands_alone(archives, tmp_path):
    (tmp_path / "cifar-100-python").mkdir()
    for part in ("train", "test"):
        (tmp_path / "cifar-100-python" / part).touch()
    opened = open_all([str(tmp_path)], cache=tmp_path / "cache", say=_silent)
    assert opened == (tmp_path, ())
    with pytest.raises(UserError, match="there can be only one"):
        open_all([str(tmp_path), archives[0]], cache=tmp_path / "cache", say=_silent)
