"""The loop: what happens to a batch, to an epoch, and to a run.

It reads as the paper does: inner maximisation, labels, outer loss, backward, step. What
is watched and where things are kept comes from outside.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rofit.distributed.batch_norm import separated
from rofit.evaluation.finite import NotFinite
from rofit.measures.selection import improves
from rofit.training import checkpoint
from rofit.training.batches import Batch
from rofit.training.divergence import Diverged, Terms, check_finite, check_weights
from rofit.training.epoch_end import end_epoch
from rofit.training.schedules import learning_rate
from rofit.training.state import Training

if TYPE_CHECKING:
    from rofit.progress import Report
    from rofit.store.runs import RunFolder
    from rofit.training.stop import Stop


def train(
    run: Training,
    folder: "RunFolder",
    stop: "Stop",
    report: "Report",
    kept: Callable[[int], None] = lambda epoch: None,
) -> bool:
    """Train until the last epoch or until asked to stop; say whether it is done.

    *kept* is told the epoch of every checkpoint that is on the disk, in a thread.

    Raises:
        Diverged: loss, weights or predictions are not finite; nothing is kept of them,
            and an earlier checkpoint stays.
        NotWritten: the disk takes no more, or the folder was removed or replaced.
    """
    with checkpoint.Writer(folder.checkpoints, kept) as writer:
        while run.epoch < run.spec.epochs:
            begun, whole = time.monotonic(), run.step == 0
            terms = train_epoch(run, stop, report)
            first_step = run.step - len(terms) + 1
            check_finite(terms, epoch=run.epoch + 1, first_step=first_step)
            folder.require_same()
            check_weights(run)
            if run.step == run.steps:
                finish_epoch(run, folder, writer, report)
                if whole:
                    run.seconds.append(time.monotonic() - begun)
            ends = run.ends(stop)
            writer.save_last(run.state_dict, must=ends)
            if ends:
                break
    return run.epoch == run.spec.epochs


def train_epoch(run: Training, stop: "Stop", report: "Report") -> list[Terms]:
    """Make the steps that are left of the epoch; return the loss's terms of each."""
    spec = run.spec
    run.method.begin_epoch(run.epoch, spec.epochs)
    plan = run.plan()
    why_not = run.graphs.why_not if run.graphs else ""
    run.model.train()
    terms = []
    for batch, start in run.batches(plan, begin=run.step):
        share = (run.step + 1) / run.steps
        run.set_rate(learning_rate(spec, run.epoch, share))
        terms.append(make_step(run, batch, start))
        run.step += 1
        report.step(run.epoch, run.step, run.steps)
        if run.ranks.any(stop.now):
            break
    if run.graphs and run.graphs.why_not != why_not:
        report.note(run.graphs.why_not)
    return terms


def make_step(run: Training, batch: Batch, start: Tensor) -> Terms:
    """Make one step as the engine does: as it is, or by replaying a graph of it."""
    run.method.begin_step(run.progress, run.step)
    step = partial(train_step, run)
    return run.graphs(step, batch, start) if run.graphs else step(batch, start)


def train_step(run: Training, batch: Batch, start: Tensor) -> Terms:
    """Make one step of descent on the method's loss; return its terms, unread.

    On a GPU this is what a graph captures: all that changes is a tensor, in place.
    """
    model, method, engine = run.model, run.method, run.engine
    x, y, index = batch.x, batch.y, batch.index
    part = run.part(batch.step)  # of the batch, where several processes train
    method.labels.prepare(engine.frozen, x, y, index)
    attacked = engine.attacked(method.inner.attack)
    x_adv = method.maximise(attacked, x, y, index, start)
    method.labels.attacked(x_adv, index)
    part.exchange(method.labels.tables, index)
    if method.inner.attack:
        extra_passes(run, "adversarial", x_adv)
    if method.perturbation:
        method.perturbation.add(lambda: losses(run, x, x_adv, y, index), part.gradients)

    clean, logits, extra = predictions(run, x, x_adv, index)
    extra_passes(run, "clean", x)
    logits_clean = clean.detach() if clean is not None else None
    if method.labels.reads_clean and logits_clean is None:
        with torch.no_grad():  # in train mode: BatchNorm sees the clean batch as well
            logits_clean = engine.predict(x)
    if logits_clean is not None:
        logits_clean = part.whole(logits_clean)
    all_logits, all_y = part.whole(logits.detach()), part.whole(y)
    soft = method.labels.refine(part.whole(index), all_y, all_logits, logits_clean)

    losses_by_term = method.terms(logits, clean, part.own(soft), y, extra)
    terms = {name: part.mean(term) for name, term in losses_by_term.items()}
    loss = torch.stack(list(terms.values())).sum()
    run.optimizer.zero_grad()
    loss.backward()
    part.add_up_gradients(model.parameters())
    run.curves.record_step(all_logits, all_y)
    run.monitor.record_step(model, all_logits, all_y, soft, part.total(loss))
    run.optimizer.step()
    if method.perturbation:
        method.perturbation.remove()
    extra_passes(run, "clean_after_step", x)
    method.labels.after_step()
    if method.average:
        method.average.after_step(model)
    engine.follow()
    return {name: part.total(term) for name, term in terms.items()}


def predictions(
    run: Training, x: Tensor, x_adv: Tensor, index: Tensor
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Return the logits that the objective needs, in the order of their passes.

    Returns:
        On the clean inputs where the method learns from them, on the adversarial ones,
        and on its extra inputs where it has some; each (B, K), with gradients.
    """
    method, predict = run.method, run.engine.predict
    clean = predict(x) if method.learns_clean else None
    logits = predict(x_adv)
    if method.extra_inputs is None:
        return clean, logits, None
    return clean, logits, predict(method.extra_inputs(x, x_adv, index))


def extra_passes(run: Training, name: str, x: Tensor) -> None:
    """Pass *x* (B, C, H, W) in train mode, as often as the run's extra_passes name it.

    Nothing comes of it but BatchNorm's running statistics: released codes make such
    passes for a log, or twice where once is enough.
    """
    with torch.no_grad():
        for _ in range(run.spec.extra_passes.count(name)):
            run.engine.predict(x)


def losses(run: Training, x: Tensor, x_adv: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """Return the objective of each example at the weights as they are, (B,)."""
    clean, logits, extra = predictions(run, x, x_adv, index)
    soft = run.method.labels.current(index, y)
    terms = run.method.terms(logits, clean, soft, y, extra)
    return torch.stack(list(terms.values())).sum(dim=0)


def finish_epoch(
    run: Training, folder: "RunFolder", writer: checkpoint.Writer, report: "Report"
) -> None:
    """Evaluate, keep the rows, and keep the weights where they are the best so far.

    Best is chosen among the epochs that are evaluated.

    Raises:
        Diverged: the network's predictions are not finite.
    """
    lr = learning_rate(run.spec, run.epoch)
    run.close_epoch()
    try:
        with separated(run.model, run.evaluated):  # one process, where several train
            score = end_epoch(
                folder,
                run.epoch,
                run.engine.evaluated,
                run.curves,
                run.monitor,
                partial(run.view, run),
                lr=lr,
                evaluated=run.epoch in run.spec.evaluated_epochs,
            )
    except NotFinite as error:
        raise Diverged(f"after epoch {run.epoch}, {error}") from None
    if improves(score, run.best["score"]):
        run.best = {"score": score, "epoch": run.epoch}
        writer.save(run.evaluated_state(), checkpoint.BEST)
    if run.epoch in run.keep:
        writer.save(run.evaluated_state(), f"epoch-{run.epoch:04d}.pt")
    report.epoch(run.epoch, lr, score)
