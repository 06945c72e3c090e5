"""The baselines do what public scripts do."""

from copy import deepcopy
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from toy_problems import conv_net
from training_helpers import CPU, same

from rofit.attacks.pgd import PGD
from rofit.bench.plain import EPSILON, STEP_SIZE, ImageFiles, Plain
from rofit.bench.problem import digits_32
from rofit.data.digits import load_digits
from rofit.losses import cross_entropy
from rofit.settings.threat import ThreatModel


@pytest.fixture(scope="module")
def data():
    return digits_32()


@pytest.fixture(autouse=True)
def _seeded():
    """The baselines draw from torch's global generator, as scripts do."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def images(data):
    return ImageFiles(data.train.pixels[:64], data.train.labels[:64])


@pytest.fixture
def plain(images):
    """A function from eval_mode to a baseline on a float64 net of toy size."""

    def build(eval_mode, steps=3):
        net = conv_net(channels=3, size=32, n_classes=10)
        how = {"batch_size": 8, "steps": steps, "device": CPU, "eval_mode": eval_mode}
        made = Plain(net, images, workers=0, **how)
        made.held = made.held[0].double(), made.held[1]
        return made

    return build


def attacked(plain, steps, seed=1):
    """Return the perturbation of the baseline's attack on its held batch."""
    torch.manual_seed(seed)
    attack = plain.attack_eval if plain.eval_mode else plain.attack
    return attack(*plain.held, steps)


def drawn_start(x, seed=1):
    torch.manual_seed(seed)
    return torch.empty_like(x).uniform_(-EPSILON, EPSILON)


def buffers(net):
    return {name: buffer.clone() for name, buffer in net.named_buffers()}


def test_eval_attack_is_our_pgd_from_the_same_start(plain):
    base = plain(eval_mode=True)
    x, y = base.held
    delta = attacked(base, 10)
    ours = PGD(ThreatModel("linf", EPSILON), 10, STEP_SIZE)
    x_adv = ours(base.model, x, cross_entropy, y, drawn_start(x))
    assert torch.allclose(x + delta, x_adv, rtol=0, atol=1e-12)
    assert (delta.abs() > EPSILON / 2).double().mean() > 0.1


def test_train_attack_is_a_slow_twin_on_the_batches_own_statistics(plain):
    base = plain(eval_mode=False)
    net, (x, y) = deepcopy(base.model), base.held
    delta = drawn_start(x)
    delta = torch.minimum(torch.maximum(delta, -x), 1 - x)
    for _ in range(5):
        delta.requires_grad_(True)
        F.cross_entropy(net(x + delta), y).backward()
        moved = delta.detach() + STEP_SIZE * delta.grad.sign()
        moved = moved.clamp(-EPSILON, EPSILON)
        delta = (x + moved).clamp(0, 1) - x
    assert torch.allclose(attacked(base, 5), delta, rtol=0, atol=1e-12)
    moved = buffers(base.model)
    for name, value in net.named_buffers():
        assert torch.allclose(moved[name], value), name


@pytest.mark.parametrize("steps", [0, 1, 4])
@pytest.mark.parametrize("eval_mode", [True, False])
def test_perturbation_stays_in_the_ball_and_the_image_in_its_range(
    plain, eval_mode, steps
):
    base = plain(eval_mode)
    x, _ = base.held
    assert (x == 0).any(), "the range must matter"
    delta = attacked(base, steps)
    assert not delta.requires_grad
    assert delta.abs().max() <= EPSILON
    assert (x + delta).min() >= 0 and (x + delta).max() <= 1 + 1e-12
    assert not torch.equal(delta, attacked(base, steps, seed=2))


def test_train_attack_leaves_gradients_and_moves_running_statistics(plain):
    base = plain(eval_mode=False)
    before = buffers(base.model)
    attacked(base, 2)
    assert all((p.grad != 0).any() for p in base.model.parameters())
    after = buffers(base.model)
    assert all(not torch.equal(after[name], before[name]) for name in before)
    assert base.model.training


def test_eval_attack_leaves_no_gradients_and_no_statistics(plain):
    base = plain(eval_mode=True)
    before = buffers(base.model)
    attacked(base, 2)
    assert all(p.grad is None for p in base.model.parameters())
    same(buffers(base.model), before)
    assert base.model.training


@pytest.mark.parametrize("eval_mode", [True, False])
def test_step_is_one_of_sgd_on_the_attacked_batch(plain, eval_mode):
    """Nothing of the gradients that the attack has left; two steps, for momentum."""
    base, twin = plain(eval_mode), plain(eval_mode)
    base.batches = iter([base.held] * 2)
    x, y = twin.held = base.held
    moments = [torch.zeros_like(p) for p in twin.model.parameters()]
    for seed in (1, 2):
        torch.manual_seed(seed)
        base.step()
        x_adv = (x + attacked(twin, base.steps, seed)).clamp(0, 1)
        if not eval_mode:
            twin.model(x_adv)  # its statistics move once more
        weights = list(twin.model.parameters())
        loss = F.cross_entropy(twin.model(x_adv), y)
        for p, g, m in zip(
            weights, torch.autograd.grad(loss, weights), moments, strict=True
        ):
            m.mul_(0.9).add_(g + 5e-4 * p.detach())
            p.data -= 0.1 * m
        if not eval_mode:
            twin.model(x)
    for name, value in base.model.state_dict().items():
        assert torch.allclose(value, twin.model.state_dict()[name]), name


def test_images_are_crops_of_the_padded_image_or_its_mirror(images, data):
    crops = set()
    for i in list(range(6)) * 4:
        x, label = images[i]
        assert x.shape == (3, 32, 32) and x.dtype == torch.float32
        assert x.min() >= 0 and x.max() <= 1
        assert type(label) is int and label == data.train.labels[i]
        padded = F.pad(torch.from_numpy(data.train.pixels[i]) / 255, (4, 4, 4, 4))
        matches = [
            (row, column, mirrored)
            for row, column, mirrored in product(range(9), range(9), (False, True))
            if torch.equal(
                x.flip(-1) if mirrored else x,
                padded[:, row : row + 32, column : column + 32],
            )
        ]
        assert matches
        crops |= set(matches)
    rows, columns, mirrored = (
        set(coordinate) for coordinate in zip(*crops, strict=True)
    )
    assert len(rows) > 5 and len(columns) > 5 and mirrored == {False, True}
    assert len(images) == 64


def test_worker_is_no_fork_and_loads_the_images(images):
    """As on a GPU, where a fork of a process that has used CUDA cannot go on."""
    net = conv_net(channels=3, size=32, n_classes=10)
    how = {"batch_size": 8, "steps": 1, "device": CPU, "eval_mode": True}
    base = Plain(net, images, workers=1, **how)
    assert base.loader.multiprocessing_context.get_start_method() == "spawn"
    x, y = next(base.batches)
    assert x.shape == (8, 3, 32, 32) and x.min() >= 0 and x.max() <= 1
    assert set(y.tolist()) <= set(images.labels.tolist())


def test_digits_32_are_the_digits_enlarged(data):
    small = load_digits()
    assert data.classes == small.classes
    for split in ("train", "test"):
        large, little = getattr(data, split), getattr(small, split)
        assert large.pixels.shape == (len(little), 3, 32, 32)
        pooled = F.avg_pool2d(torch.from_numpy(large.pixels).double(), 4)
        grey = torch.from_numpy(little.pixels).double()
        assert torch.equal(pooled, grey.expand(-1, 3, -1, -1))
        blocks = large.pixels.reshape(-1, 3, 8, 4, 8, 4)
        assert (blocks == blocks[:, :, :, :1, :, :1]).all()
        assert (large.labels == little.labels).all()
