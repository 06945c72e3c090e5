"""Every augmentation: a function of (seed, epoch, image), a batch as image by image."""

import pytest
import torch
from command_line import rofit
from torchvision.transforms import functional as vision
from toy_problems import random_images

from rofit.augmentation import AUGMENTATIONS
from rofit.augmentation.cropshift import CropShift
from rofit.augmentation.erasing import Cutout, RandomErasing
from rofit.seeding import generator
from rofit.settings import choices
from rofit.settings.spec import RunSpec
from rofit.training.batches import DeviceImages
from rofit.training.plan import EpochPlan

NAMES = pytest.mark.parametrize("name", AUGMENTATIONS)
CPU = torch.device("cpu")
N = 23


def _inputs(name, *, batch_size=5, begin=0, epoch=3, seed=1):
    images = DeviceImages(random_images(N, channels=3, size=32), CPU)
    run = RunSpec(augment=name, batch_size=batch_size)
    batches = list(images.batches(run, EpochPlan(seed, epoch, N), begin=begin))
    index = torch.cat([batch.index for batch in batches])
    return index, torch.cat([batch.x for batch in batches])


@NAMES
def test_inputs_do_not_depend_on_the_batch_size(name):
    assert all(map(torch.equal, _inputs(name), _inputs(name, batch_size=8)))


@NAMES
def test_resumed_epoch_has_the_inputs_of_the_unbroken_one(name):
    index, x = _inputs(name)
    tail, x_tail = _inputs(name, begin=2)
    assert torch.equal(tail, index[10:]) and torch.equal(x_tail, x[10:])


@NAMES
def test_inputs_change_with_epoch_and_seed_and_stay_images(name):
    _, x = _inputs(name)
    for other in (_inputs(name, epoch=4), _inputs(name, seed=2)):
        assert not torch.equal(other[1], x)
    assert x.shape == (N, 3, 32, 32) and 0 <= x.min() and x.max() <= 1


@NAMES
def test_nothing_is_drawn_from_the_global_stream(name):
    before = torch.get_rng_state()
    _inputs(name)
    assert torch.equal(torch.get_rng_state(), before)


def _drawn(layer, n, size):
    return layer.draw(lambda name: generator(7, name), n, size)


@pytest.mark.parametrize("size", [(32, 32), (11, 14)], ids=str)
def test_cropshift_equals_crop_pad_and_crop_image_by_image(size):
    height, width = size
    pixels = torch.randint(1, 256, (300, 3, *size), dtype=torch.uint8)
    draws = _drawn(CropShift(10), 300, size)
    assert draws["cut"].sum(dim=1).unique().tolist() == [*range(11)]
    rows = zip(*(draws[k].tolist() for k in ("cut", "first", "offset")), strict=True)
    for image, ours, (cut, first, offset) in zip(
        pixels, CropShift(10)(pixels, draws), rows, strict=True
    ):
        part = vision.crop(image, *first, height - cut[0], width - cut[1])
        padded = vision.pad(part, [cut[1], cut[0]])
        top = [c - o for c, o in zip(cut, offset, strict=True)]
        assert torch.equal(ours, vision.crop(padded, *top, height, width))


def test_cropshift_cuts_rows_and_columns_off_uniformly():
    draws = _drawn(CropShift(10), 60_000, (32, 32))
    strength = draws["cut"].sum(dim=1)
    for k in range(11):
        columns = draws["cut"][strength == k, 1]
        assert len(columns) / 60_000 == pytest.approx(1 / 11, abs=0.006)
        assert columns.double().mean() == pytest.approx(k / 2, abs=0.2)
    for name in ("first", "offset"):
        rows = draws[name][draws["cut"][:, 0] == 4, 0]
        shares = [(rows == value).double().mean().item() for value in range(5)]
        assert shares == pytest.approx([0.2] * 5, abs=0.04)


@pytest.mark.parametrize("area", [(0.02, 0.33), (0.02, 0.5)], ids=str)
def test_erased_rectangles_have_the_area_and_shape_of_torchvisions(area):
    """Distributions are compared: torchvision draws one image at a time."""
    from torchvision.transforms import RandomErasing as Theirs

    n, image = 3000, torch.ones(3, 32, 32)
    ours = _drawn(RandomErasing(1, area), n, (32, 32))["extent"].double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        params = [
            Theirs.get_params(image, scale=area, ratio=(0.3, 3.3), value=[0.0])
            for _ in range(n)
        ]
    theirs = torch.tensor([[h, w] for _, _, h, w, _ in params]).double()
    for measure in (lambda e: e.prod(dim=1), lambda e: (e[:, 0] / e[:, 1]).log()):
        one, other = measure(ours), measure(theirs)
        error = ((one.var() + other.var()) / n) ** 0.5
        assert abs(one.mean() - other.mean()) < 4 * error
        for q in (0.1, 0.5, 0.9):
            assert abs(one.quantile(q) - other.quantile(q)) < 0.12 * other.std()


@pytest.mark.parametrize(
    ("layer", "share"),
    [(RandomErasing(0.5), 0.5), (RandomErasing(1), 1), (Cutout(3), 1)],
)
def test_black_rectangles_lie_inside_of_the_image(layer, share):
    n, size = 2000, (9, 12)
    draws = _drawn(layer, n, size)
    pixels = torch.ones(n, 2, *size, dtype=torch.uint8)
    painted = layer(pixels, draws)
    erased = (draws["extent"].prod(dim=1) > 0).double().mean()
    assert erased == pytest.approx(share, abs=0.05 if share < 1 else 0)
    for ours, (top, left), (rows, columns) in zip(
        painted, draws["corner"].tolist(), draws["extent"].tolist(), strict=True
    ):
        assert 0 <= top <= size[0] - rows and 0 <= left <= size[1] - columns
        twin = torch.ones(2, *size, dtype=torch.uint8)
        twin[:, top : top + rows, left : left + columns] = 0
        assert torch.equal(ours, twin)
    assert draws["corner"][:, 0].max() > draws["corner"][:, 0].min() == 0


def test_settings_know_the_names():
    assert tuple(AUGMENTATIONS) == choices.AUGMENTATIONS


@pytest.mark.parametrize(("side", "most"), [(8, 2), (10, 3), (11, 10), (2, 0)])
def test_small_images_have_fewer_rows_cut_off(side, most):
    draws = _drawn(CropShift(10), 300, (side, side))
    assert draws["cut"].sum(dim=1).unique().tolist() == [*range(most + 1)]
    pixels = torch.ones(300, 1, side, side, dtype=torch.uint8)
    assert CropShift(10)(pixels, draws).flatten(1).any(dim=1).all()


def test_unknown_augmentation_is_refused_with_the_names(tmp_path):
    answer = rofit(tmp_path, "train", "--scale", "smoke", "--set", "augment=idbh")
    assert answer.code == 2 and "idbh_weak" in answer.err
