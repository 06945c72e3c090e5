"""Memorisation against loops over images, by hand, and over stops of a run."""

import pytest
import torch
from made_up_views import (
    ATTACK,
    assert_watching_changes_nothing,
    random_logits,
    view_of,
)
from training_helpers import CPU, train

from rofit import diagnostics
from rofit.diagnostics.memorisation import Memorisation
from rofit.store.runs import read_rows
from rofit.training import checkpoint


def _noisy(n, *, share=0.5, seed=0):
    """Return logits, given and true classes, and which of them were redrawn."""
    logits, true = random_logits(n, 3, seed=seed)
    stream = torch.Generator().manual_seed(seed + 100)
    redrawn = torch.rand(n, generator=stream) < share
    drawn = torch.randint(3, (n,), generator=stream)
    return logits, torch.where(redrawn, drawn, true), true, redrawn


def _view(logits, given, true, redrawn, *, adversarial=None, epoch=1, epochs=20):
    """Return a view whose clean training logits are there, attacked ones if given."""
    all_logits = {("train", "none"): logits}
    if adversarial is not None:
        all_logits["train", ATTACK.name] = adversarial
    options = {"true": true, "redrawn": redrawn, "epoch": epoch, "epochs": epochs}
    return view_of(all_logits, y={"train": given}, label_noise=0.5, **options)


def _slow(logits, given, true, redrawn):
    """Return (portion, labels) -> (accuracy, n), an image at a time."""
    hits = {}
    for i, row in enumerate(logits.tolist()):
        best = row.index(max(row))
        portion = "corrupted" if redrawn[i] else "untouched"
        for labels, y in (("given", given), ("true", true)):
            hits.setdefault((portion, labels), []).append(best == y[i].item())
    return {
        key: (sum(correct) / len(correct), len(correct))
        for key, correct in hits.items()
    }


def _accuracies(rows, attack):
    chosen = [
        row
        for row in rows
        if row["metric"] == "portion_accuracy" and row["attack"] == attack
    ]
    assert all(row["split"] == "train" for row in chosen)
    accuracies = {(r["portion"], r["labels"]): (r["value"], r["n"]) for r in chosen}
    assert len(accuracies) == len(chosen)
    return accuracies


def _memory(rows):
    """Return what was ever learnt, what was forgotten, and of how many."""
    by_metric = {row["metric"]: row for row in rows}
    learnt, lost = by_metric["corrupted_ever_learnt"], by_metric["corrupted_forgotten"]
    assert learnt["n"] == lost["n"]
    return learnt["value"], lost["value"], learnt["n"]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("n", [40, 300])
def test_accuracies_equal_a_loop_over_images(n, share):
    """All clean images; of the attacked ones the first 256; nothing of no image."""
    clean, given, true, redrawn = _noisy(n, share=share)
    if not share:
        redrawn[n - 1] = True  # in the clean part alone where n is 300
    attacked, _ = random_logits(n, 3, seed=9)
    problem = (given, true, redrawn)
    view = _view(clean, *problem, adversarial=attacked, epoch=2)
    rows = Memorisation().measure(view).rows
    assert _accuracies(rows, "none") == _slow(clean, *problem)
    assert _accuracies(rows, ATTACK.name) == _slow(attacked[:256], *problem)


def test_hand_values():
    """Four untouched images, one wrong; three corrupted: fitted, seen through, lost.

    The last one drew its true class, so it counts for both.
    """
    predicted = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    given = torch.tensor([0, 1, 2, 1, 1, 0, 0])
    true = torch.tensor([0, 1, 2, 1, 2, 2, 0])
    redrawn = torch.tensor([0, 0, 0, 0, 1, 1, 1]).bool()
    logits = torch.eye(3)[predicted]
    rows = Memorisation().measure(_view(logits, given, true, redrawn)).rows
    assert _accuracies(rows, "none") == {
        ("untouched", "given"): (3 / 4, 4),
        ("untouched", "true"): (3 / 4, 4),
        ("corrupted", "given"): (2 / 3, 3),
        ("corrupted", "true"): (2 / 3, 3),
    }
    assert _memory(rows) == (2 / 3, 0, 3)


def test_attacked_ones_come_ten_times_a_run_and_clean_ones_each_epoch():
    clean, *problem = _noisy(30)
    attacked, _ = random_logits(30, 3, seed=9)
    watched = Memorisation()
    epochs = {"none": [], ATTACK.name: []}
    for epoch in range(1, 41):
        assert watched.when.due(epoch, range(1, 41))
        view = _view(clean, *problem, adversarial=attacked, epoch=epoch, epochs=40)
        rows = watched.measure(view).rows
        for attack, measured in epochs.items():
            if _accuracies(rows, attack):
                measured.append(epoch)
    assert epochs == {"none": list(range(1, 41)), ATTACK.name: list(range(4, 41, 4))}


def test_attack_is_made_where_no_attacked_logits_are_there():
    clean, *problem = _noisy(30)
    view = _view(clean, *problem, epoch=20)
    rows = Memorisation().measure(view).rows
    x_adv = view.adversarial("train", 256)
    with torch.no_grad():
        logits = view.network(x_adv)
    assert _accuracies(rows, ATTACK.name) == _slow(logits, *problem)


def _predictions(epochs, n, seed=3):
    """Return logits of each epoch; the classes wander."""
    return [random_logits(n, 3, seed=seed + epoch)[0] for epoch in range(epochs)]


def test_learnt_and_forgotten_equal_a_history_kept_in_sets():
    _, *problem = _noisy(60)
    given, _, redrawn = problem
    corrupted = set(redrawn.nonzero().flatten().tolist())
    watched, ever = Memorisation(), set()
    forgot = []
    for epoch, logits in enumerate(_predictions(6, 60), start=1):
        rows = watched.measure(_view(logits, *problem, epoch=epoch)).rows
        now = {i for i in corrupted if logits[i].argmax() == given[i]}
        ever |= now
        m = len(corrupted)
        assert _memory(rows) == (len(ever) / m, len(ever - now) / m, m)
        forgot.append(len(ever - now))
    assert forgot[0] == 0 and max(forgot) > 0


def test_measuring_an_epoch_twice_gives_the_same_rows():
    clean, *problem = _noisy(40)
    watched = Memorisation()
    once = watched.measure(_view(clean, *problem)).rows
    assert watched.measure(_view(clean, *problem)).rows == once


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_memory_goes_on_from_a_checkpoint(stop, tmp_path):
    _, *problem = _noisy(50)
    views = [_view(z, *problem, epoch=e) for e, z in enumerate(_predictions(5, 50), 1)]
    whole = Memorisation()
    rows = [whole.measure(view).rows for view in views]
    first, second = Memorisation(), Memorisation()
    before = [first.measure(view).rows for view in views[:stop]]
    checkpoint.save(first.state_dict(), tmp_path / "memory.pt")
    second.load_state_dict(checkpoint.load(tmp_path / "memory.pt", CPU))
    assert before + [second.measure(view).rows for view in views[stop:]] == rows


def test_it_says_what_to_do_where_nothing_was_redrawn():
    clean, given, true, redrawn = _noisy(20)
    assert Memorisation().why_not(_view(clean, given, true, redrawn)) == ""
    untouched = _view(clean, true, true, torch.zeros_like(redrawn))
    assert "--set label_noise=0.4" in Memorisation().why_not(untouched)


@pytest.mark.parametrize("method", ["standard", "pgd_at"])
def test_watching_memorisation_changes_no_weight(
    method, smoke_spec, tmp_path, monkeypatch
):
    folder = assert_watching_changes_nothing(
        "memorisation", Memorisation, smoke_spec(method=method), tmp_path, monkeypatch
    )
    rows = [row for row in read_rows(folder.path) if row["epoch"] == 2]
    assert {row["metric"] for row in rows} >= Memorisation.columns.keys()
    clean, attacked = _accuracies(rows, "none"), _accuracies(rows, "pgd2")
    assert clean.keys() == attacked.keys() and len(clean) == 4
    n = {portion: n for (portion, _), (_, n) in clean.items()}
    assert n == {"untouched": 128 - 51, "corrupted": 51}
    if method == "pgd_at":  # the learning curves know the accuracy of both together
        about = {"split": "train", "attack": "none", "metric": "accuracy"}
        (accuracy,) = (row["value"] for row in rows if about.items() <= row.items())
        whole = sum(v * n for (_, labels), (v, n) in clean.items() if labels == "given")
        assert accuracy == pytest.approx(whole / 128, rel=1e-12)


def test_run_without_noise_has_no_rows_of_it(smoke_spec, tmp_path, monkeypatch):
    monkeypatch.setitem(diagnostics.DIAGNOSTICS, "memorisation", Memorisation)
    spec = smoke_spec(label_noise=0.0)
    folder, _ = train(spec, tmp_path, diagnostics=("memorisation",))
    metrics = {row["metric"] for row in read_rows(folder.path)}
    assert not metrics & Memorisation.columns.keys()


@pytest.mark.parametrize("steps", [3, 8])
def test_stopped_run_writes_the_same_rows(steps, smoke_spec, tmp_path, monkeypatch):
    """Four epochs of three steps: stopped at an epoch's end, and within one."""
    monkeypatch.setitem(diagnostics.DIAGNOSTICS, "memorisation", Memorisation)
    spec = smoke_spec(method="standard", epochs=4, batch_size=48, lr=0.3)
    watching = {"diagnostics": ("memorisation",)}
    whole, _ = train(spec, tmp_path / "whole", **watching)
    stopped, done = train(spec, tmp_path / "stopped", stop_after=steps, **watching)
    assert not done
    train(spec, tmp_path / "stopped", **watching)
    one, other = ((f.path / "epochs.jsonl").read_bytes() for f in (whole, stopped))
    assert one == other
    lost = [
        row["value"]
        for row in read_rows(whole.path)
        if row["metric"] == "corrupted_forgotten"
    ]
    assert max(lost) > 0  # else a run that forgot its memory would pass as well
