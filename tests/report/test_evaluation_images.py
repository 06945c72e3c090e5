"""Verdicts image by image, and the worst images, held to what was kept and a twin."""

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated_runs import how, load
from PIL import Image

from rofit.evaluation.cases import read_cases
from rofit.losses import margin
from rofit.report.evaluations import evaluation_reports
from rofit.report.images import COLUMNS, VERDICT_COLOURS, verdict_map
from rofit.report.worst import SHOWN, TRIED, worst_images
from rofit.running.evaluator import evaluate_cases
from rofit.store.evaluations import evaluations, read_verdicts
from rofit.store.runs import RunFolder


def _pixels(uri):
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.fixture(scope="module")
def run(digits_run, tmp_path_factory):
    """A trained run with its clean and PGD-20 evaluations of 64 images."""
    path = tmp_path_factory.mktemp("store") / digits_run.path.name
    shutil.copytree(digits_run.path, path)
    folder = RunFolder(path)
    subject = load(folder)
    cases = read_cases(["clean", "pgd20"], subject.spec, n=64, n_classes=10)
    assert evaluate_cases(subject, folder, cases, how())
    return folder


@pytest.fixture(scope="module")
def worst(run):
    (images,) = worst_images(run, Path("nowhere"))
    return images


def test_counts_and_classes_are_those_of_the_verdicts(run):
    reports = evaluation_reports(run, tuple("abcdefghij"))
    assert [report.result["attack"] for report in reports] == ["none", "pgd20"]
    attacked = reports[1]
    verdicts = read_verdicts(run, attacked.result["name"])
    left = int((verdicts["fooled_by"] == "").sum())
    assert attacked.stages["right in the end"] == left
    assert left / 64 == attacked.result["accuracy"]
    assert sum(attacked.stages.values()) == sum(row.n for row in attacked.classes) == 64
    assert sum(row.n * row.robust / 100 for row in attacked.classes) == pytest.approx(
        left
    )
    first = attacked.classes[0]
    of_first = verdicts[verdicts["class"] == 0]["fooled_by"]
    assert (first.name, first.n) == ("a", len(of_first))
    assert first.clean == 100 * sum(v != "clean" for v in of_first) / len(of_first)


def test_map_has_a_pixel_an_image_in_the_order_of_the_data_behind_it(run):
    report = evaluation_reports(run, ())[1]
    data, pixels = json.loads(report.data), _pixels(report.picture)
    verdicts = read_verdicts(run, report.result["name"])
    assert data["index"] == list(verdicts["index"])
    assert pixels.shape == (2, COLUMNS, 4)
    for k, fooled_by in enumerate(verdicts["fooled_by"]):
        colour = "#" + bytes(pixels[k // COLUMNS, k % COLUMNS, :3]).hex()
        kind = {"": 0, "clean": 1}.get(fooled_by, 2)
        assert colour == VERDICT_COLOURS[kind] and data["verdict"][k] == kind
    assert not pixels[1, 64 - COLUMNS :, 3].any()  # beyond the last image: nothing


def test_map_of_more_attacks_than_colours_is_drawn():
    assert _pixels(verdict_map(range(9))).shape == (1, COLUMNS, 4)


def test_worst_images_are_wrong_now_and_were_right_when_clean(run, worst):
    assert not worst.missing and 0 < len(worst.images) <= SHOWN
    (result,) = [r for r in evaluations(run) if r["attack"] == "pgd20"]
    verdicts = read_verdicts(run, result["name"]).set_index("index")
    for image in worst.images:
        assert verdicts.loc[image.index, "fooled_by"] == "pgd20 1"
        assert image.label == str(verdicts.loc[image.index, "class"])
        assert image.before == image.label != image.after
        assert image.margin > 0
    margins = [image.margin for image in worst.images]
    assert margins == sorted(margins, reverse=True)
    assert worst.tried <= TRIED


def test_margin_and_pictures_are_those_of_a_naive_attack(run, worst):
    """PGD written out for one image, from the start that the evaluation gave it."""
    from rofit.evaluation.stages import starts

    subject = load(run)
    spec, image = subject.spec, worst.images[0]
    k = subject.images.index.index(image.index)
    x, y = subject.images.x[k : k + 1], subject.images.y[k : k + 1]
    start = starts(spec.threat, x, [image.index], 0, "pgd", 0)
    x_adv = (x + start).clamp(0, 1)
    for _ in range(20):
        x_adv = x_adv.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(subject.network(x_adv), y)
        (gradient,) = torch.autograd.grad(loss, x_adv)
        x_adv = x_adv + spec.step_size * gradient.sign()
        x_adv = x + (x_adv - x).clamp(-spec.epsilon, spec.epsilon)
        x_adv = x_adv.clamp(0, 1).detach()
    expected = margin(subject.network(x_adv), y).item()
    assert image.margin == pytest.approx(expected, abs=1e-3)
    for uri, tensor in ((image.clean, x), (image.adversarial, x_adv)):
        shown = np.rint(255 * tensor[0, 0].numpy())
        assert np.abs(_pixels(uri) - shown).max() <= 1
    delta = (x_adv - x)[0, 0].numpy()
    grey = np.rint(255 * (0.5 + delta / (2 * np.abs(delta).max())))
    assert np.abs(_pixels(image.perturbation) - grey).max() <= 1


def test_images_that_are_not_there_are_not_fetched(run, tmp_path, requested_urls):
    """Nor is anything shown of weights that were not evaluated."""
    copy = tmp_path / run.path.name
    shutil.copytree(run.path, copy)
    other = torch.load(copy / "checkpoints" / "last.pt", weights_only=False)
    (name, weight), *_ = other["model"].items()
    other["model"][name] = weight + 1
    torch.save(other, copy / "checkpoints" / "last.pt")
    (shown,) = worst_images(RunFolder(copy), tmp_path)
    assert "Images are not shown: " in shown.missing
    (copy / "checkpoints" / "last.pt").unlink()
    (shown,) = worst_images(RunFolder(copy), tmp_path)
    assert "there is no checkpoint" in shown.missing
    spec = json.loads((copy / "spec.json").read_text()) | {"dataset": "cifar10"}
    (copy / "spec.json").write_text(json.dumps(spec))
    (copy / "digests.jsonl").unlink()
    (shown,) = worst_images(RunFolder(copy), tmp_path)
    assert f"the images of cifar10 are not in {tmp_path}" in shown.missing
    assert requested_urls == []
