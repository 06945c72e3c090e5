"""Mixup and CutMix: image by image, windows as torchvision's, shares of a Beta law."""

import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import CutMix as Theirs
from toy_problems import random_images

from rofit.augmentation import AUGMENTATIONS, MIXINGS, find_mixing
from rofit.augmentation.mixing import CutMix, Mixup, beta, window
from rofit.seeding import generator
from rofit.settings import choices
from rofit.settings.spec import RunSpec
from rofit.training.batches import DeviceImages
from rofit.training.plan import EpochPlan

MIXED = pytest.mark.parametrize("name", MIXINGS)
N, SEED, EPOCH = 23, 1, 3
SIZES = [(32, 32), (8, 8), (11, 14)]


def _inputs(name, size=32):
    """Return images by position, as an epoch of that augmentation has them."""
    images = DeviceImages(random_images(N, channels=3, size=size), torch.device("cpu"))
    spec = RunSpec(augment=name, batch_size=5, seed=SEED)
    batches = list(images.batches(spec, EpochPlan(SEED, EPOCH, N), begin=0))
    x = torch.cat([batch.x for batch in batches])
    order = torch.cat([batch.index for batch in batches])
    y = torch.cat([batch.y for batch in batches])
    assert torch.equal(y, images.y[order]), "the given class is the image's own"
    return images, x[order.argsort()]


def test_settings_know_which_augmentations_mix():
    assert tuple(MIXINGS) == choices.MIXED
    assert MIXINGS.keys() < AUGMENTATIONS.keys()
    mixing = {name for name in AUGMENTATIONS if find_mixing(RunSpec(augment=name))}
    assert mixing == MIXINGS.keys()


@MIXED
@pytest.mark.parametrize("size", [32, 8])
def test_image_is_mixed_with_its_partner_pixel_by_pixel(name, size):
    """The partner has its own crop and flip; to the bit."""
    images, mixed = _inputs(name, size)
    _, single = _inputs("crop_flip", size)
    pairs = images.pairs(RunSpec(augment=name, seed=SEED), EPOCH)
    assert sorted(pairs["partner"].tolist()) == list(range(N))
    for i, j in enumerate(pairs["partner"].tolist()):
        share = pairs["share"][i]
        if name == "mixup":
            twin = share * single[i] + (1 - share) * single[j]
        else:
            (top, left), (rows, columns) = pairs["corner"][i], pairs["extent"][i]
            twin = single[i].clone()
            for r in range(top, top + rows):
                for c in range(left, left + columns):
                    twin[:, r, c] = single[j, :, r, c]
            assert share == 1 - float(rows * columns) / size**2
        assert torch.equal(mixed[i], twin)
    assert 0 <= mixed.min() and mixed.max() <= 1


@MIXED
def test_white_images_stay_white(name):
    """No share makes more than 1 of two images of 1."""
    mixing, n = MIXINGS[name], 50_000
    draws = mixing.draw(lambda name: generator(3, name), n, (2, 2))
    x = torch.ones(n, 1, 2, 2)
    assert mixing(x, x, draws).unique().tolist() == [1.0]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_window_and_share_are_torchvisions(size):
    x = torch.rand(2, 3, *size)
    with torch.random.fork_rng(devices=[]):
        for seed in range(200):
            theirs = Theirs(num_classes=2)
            torch.manual_seed(seed)
            share = theirs._dist.sample(()).double()
            column, row = (torch.randint(side, (1,)) for side in size[::-1])
            torch.manual_seed(seed)
            made = getattr(theirs, "make_params", None) or theirs._get_params  # 0.19
            params = made([x])
            centre = torch.cat([row, column])[None]
            corner, extent = window(share, centre, size)
            x1, y1, x2, y2 = params["box"]
            assert corner.tolist() == [[y1, x1]]
            assert extent.tolist() == [[y2 - y1, x2 - x1]]
            left = 1 - extent.prod().item() / (size[0] * size[1])
            assert left == params["lam_adjusted"]


@pytest.mark.parametrize("alpha", [0.2, 1, 1.4])
def test_shares_are_of_the_beta_distribution(alpha):
    """Kolmogorov and Smirnov's test of 20,000 draws from a fixed stream."""
    shares = beta(alpha, 20_000, generator(0, "beta")).numpy()
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert stats.kstest(shares, stats.beta(alpha + 0.1, alpha).cdf).pvalue < 1e-6


def test_mixup_has_its_alpha_and_cutmix_a_window_every_other_time():
    n, size = 20_000, (32, 32)
    stream = lambda name: generator(5, name)  # noqa: E731
    shares = Mixup(1.4).draw(stream, n, size)["share"].numpy()
    assert stats.kstest(shares, stats.beta(1.4, 1.4).cdf).pvalue > 0.01
    draws = CutMix(1, 0.5).draw(stream, n, size)
    # Sides are even numbers of pixels: of a share above 1 - (1/16)^2 none is left.
    pasted = (draws["share"] < 1).double().mean().item()
    assert pasted == pytest.approx(0.5 * (1 - 1 / 256), abs=4 * 0.5 / n**0.5)
    assert (CutMix(1, 0.0).draw(stream, n, size)["share"] == 1).all()
    whole = (draws["corner"] > 0).all(1) & (
        (draws["corner"] + draws["extent"]) < 32
    ).all(1)
    sides = draws["extent"][whole]
    assert (sides[:, 0] == sides[:, 1]).all() and (sides % 2 == 0).all()
