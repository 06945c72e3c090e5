"""A method's training step, slow and in float64, from the formulas of docs/.

Nothing of rofit computes here: attack, labels, averages, perturbed weights and SGD are
written out; only the network itself, BatchNorm included, is a copy of the run's.

Source: docs/method.md, "Losses of the other methods".
"""

import math
from copy import deepcopy
from typing import Any

import slow_labels
import slow_losses as loss
import torch
from slow_geometry import ball
from slow_losses import K, Step
from slow_methods import Slow
from slow_weights import follow, lengthened

# Rules whose label is the table's row.
FROM_TABLE = ("adr", "class", "clean", "average")


class SlowRun:
    """A training of its own, begun like a run of the product."""

    def __init__(self, how: Slow, s: dict[str, Any], run: Any, teachers: list) -> None:
        """Copy the network; teachers are the states of those that there are."""
        self.how, self.s, self.spec, self.y = how, s, run.spec, run.train.y
        self.epoch, self.epochs = run.epoch, run.spec.epochs
        self.net = deepcopy(run.model).train()
        self.average, self.teacher = self.copy(), self.copy()
        self.frozen = [self.copy() for _ in teachers]
        for network, state in zip(self.frozen, teachers, strict=True):
            network.load_state_dict(state)
        self.table = torch.eye(K, dtype=torch.float64)[self.y]
        if how.labels == "te":
            self.table = torch.zeros_like(self.table)
        if how.labels == "means":  # a row a class
            self.table = torch.full((K, K), 1 / K, dtype=torch.float64)
        self.sums = torch.zeros((K, K), dtype=torch.float64)  # of classes
        self.taught: list[list[list[float]]] = []  # a row of probabilities a teacher
        self.velocity: list[torch.Tensor] = []
        self.remembered = deepcopy(run.method.inner.state_dict())
        self.number = 0  # of the step in the epoch
        self.losses: list[float] = []  # of the given classes
        self.gradients: tuple[torch.Tensor, ...] = ()

    def step(self, number: int, x, y, index, start) -> float:
        """Make the step of that number in an epoch of three; return the loss."""
        how, net = self.how, self.net
        self.number = number
        self._before_the_attack(x, y, index, (self.epoch + number / 3) / self.epochs)
        x_adv = self._attack(x, y, index, start)
        self._look(x_adv, "adversarial")
        if how.labels == "kd":
            self.table[index] = self._taught(x_adv)
        if how.labels == "class":
            with torch.no_grad():
                classes = self.frozen[0](x_adv).argmax(1)
            self.table[index] = torch.eye(K, dtype=torch.float64)[classes]
        if how.labels == "average" and self._late("rebat_start"):
            self.table[index] = slow_labels.predicted(self.average, x_adv)
        moved = self._moved(x, x_adv, y, index)
        with torch.no_grad():
            for weight, added in moved:
                weight += added
        total = self._descent(net, x, x_adv, y, index, refine=True).mean()
        self.gradients = torch.autograd.grad(total, list(net.parameters()))
        with torch.no_grad():
            self._sgd()
            for weight, added in moved:
                weight -= added
            self._look(x, "clean_after_step")
            if how.labels == "adr":
                follow(self.teacher, net, self.s["adr_decay"])
            if how.averages == "ema":
                follow(self.average, net, self.s["ema_decay"])
            if how.averages == "late":
                late = self._late("rebat_start")
                follow(self.average, net, self.s["rebat_decay"] if late else 0.0)
        return total.item()

    def begin_epoch(self, epoch: int) -> None:
        """Go on to that epoch, as IKL's weights of classes do."""
        self.epoch = epoch
        if self.how.labels == "means":
            self.table = slow_labels.means(self.sums)
            self.sums = torch.zeros_like(self.sums)

    def copy(self) -> torch.nn.Module:
        """Return the network as it is, in eval mode."""
        return deepcopy(self.net).eval()

    def attacked(self) -> torch.nn.Module:
        """Return what an attack climbs on, in the mode that the run's field says."""
        return self.net if self.spec.attack_bn == "train" else self.copy()

    def _late(self, name: str) -> bool:
        return self.epoch >= round(self.s.get(name, 0.0) * self.epochs)

    @property
    def _refines(self) -> bool:
        name = "sat_start" if "sat_start" in self.s else "start"
        return self.how.labels == "table" and self._late(name)

    def _te_weight(self) -> float:
        return slow_labels.te_weight(self.s, self.epoch, self.epochs)

    def _labels(self, y, index) -> list[Any]:
        """Return what stands for the label of each example now."""
        rows, how = [loss.hard(int(label)) for label in y], self.how.labels
        if how == "smooth":
            rho = self.s["rho"]
            return [[(1 - rho) * v + rho / K for v in row] for row in rows]
        if how == "shared":
            given = self.s["pgi_given"]
            return [[given if v else (1 - given) / (K - 1) for v in r] for r in rows]
        if how == "table" and self._refines:
            r, table = self.s.get("r", 1.0), self.table[index].tolist()
            return [
                [r * t + (1 - r) * v for t, v in zip(a, b, strict=True)]
                for a, b in zip(table, rows, strict=True)
            ]
        if how == "te":
            sums = self.table[index].tolist()
            return (
                [[v / sum(q) for v in q] for q in sums] if self._te_weight() else rows
            )
        if how == "kd":
            return list(zip(*self.taught, strict=True))
        if how == "means":
            return self.table[y].tolist()
        return self.table[index].tolist() if how in FROM_TABLE else rows

    def _before_the_attack(self, x, y, index, progress: float) -> None:
        if self.how.labels == "clean":
            temperature = self.s.get("ard_temperature", 1.0)
            self.table[index] = slow_labels.predicted(self.frozen[0], x, temperature)
        if self.how.labels == "adr":
            half = (1 + math.cos(math.pi * progress)) / 2
            tau = self.s["adr_cool"] + (self.s["adr_hot"] - self.s["adr_cool"]) * half
            top = self.s["adr_last"] + (self.s["adr_first"] - self.s["adr_last"]) * half
            with torch.no_grad():
                logits = self.teacher(x)
            for i, row in enumerate(logits):
                p = [v.item() for v in loss.softmax(row, tau)]
                share = min(max(top - (max(p) - p[int(y[i])]), 0.0), 1.0)
                for k in range(K):
                    mixed = share * p[k] + (1 - share) * (k == int(y[i]))
                    self.table[index[i], k] = mixed
        if self.how.labels == "te" and self._te_weight():
            alpha, net = self.s["te_momentum"], self.copy()
            with torch.no_grad():
                p = net(x).softmax(1)
            for i, place in enumerate(index):
                self.table[place] = alpha * self.table[place] + (1 - alpha) * p[i]

    def _attack(self, x, y, index, start) -> torch.Tensor:
        if self.how.attack:
            return self.how.attack(self, x, y, index, start)
        spec, net = self.spec, self.attacked()
        inner = {"given": loss.given, "assigned": loss.plain}.get(
            self.s.get("attack_labels", ""), self.how.inner
        )
        if inner is None:
            return x
        steps, size = spec.attack_steps, spec.step_size
        if "reach" in self.s:
            steps, size = 1, self.s["reach"] * spec.epsilon
        x_adv = ball(x, x + start, spec) if spec.start_clamp else x + start
        for _ in range(steps):
            x_adv.requires_grad_()
            step = self.build_step(y, index, net(x_adv), None)
            if inner is loss.away:
                step.origin = net(x).detach()
            climbed = sum(inner(step, i) for i in range(len(y)))
            (up,) = torch.autograd.grad(climbed, x_adv)
            if spec.norm == "linf":
                up = up.sign()
            else:
                up = torch.stack([g / g.square().sum().sqrt() for g in up])
            x_adv = ball(x, x_adv.detach() + size * up, spec)
        return x_adv

    def _taught(self, x_adv) -> torch.Tensor:
        """Keep both teachers' predictions; return their mean by weight."""
        with torch.no_grad():
            logits = [net(x_adv) for net in self.frozen]
        p, q = [(z / self.s["kd_temperature"]).softmax(1) for z in logits]
        self.taught = [p.tolist(), q.tolist()]
        a, b = self.s["kd_clean"], self.s["kd_robust"]
        return (a * p + b * q) / (a + b)

    def build_step(self, y, index, adv, clean) -> Step:
        """Return what the losses of a batch with those logits are made of."""
        te = self.how.labels == "te"
        weight = self._te_weight() if te else self.how.weight(self)
        if self.how.labels == "average" and self._late("rebat_start"):
            weight = self.s["rebat_beta"]
        return Step(self.s, y.tolist(), self._labels(y, index), adv, clean, weight)

    def _descent(self, net, x, x_adv, y, index, *, refine) -> torch.Tensor:
        """Return the losses of the batch at *net*, in train mode."""
        clean = net(x) if self.how.both else None
        adv = net(x_adv)
        extra = self.how.extra
        beside = net(extra(self, x, x_adv, index)) if extra else None
        if refine:
            self._look(x, "clean")
        self.losses += (-adv.detach().log_softmax(1)[range(len(y)), y]).tolist()
        if refine and self._refines:
            with torch.no_grad():
                read = clean.detach() if clean is not None else net(x)
            self._refine(index, adv.detach().softmax(1), read.softmax(1))
        if refine and self.how.labels == "means":
            slow_labels.add(self.sums, y, clean.detach(), self.s["ikl_temperature"])
        step = self.build_step(y, index, adv, clean)
        step.extra = beside
        return torch.stack([self.how.outer(step, i) for i in range(len(y))])

    def _look(self, x, name: str) -> None:
        """Let BatchNorm's statistics, and nothing else, see a batch once more."""
        with torch.no_grad():
            for _ in [p for p in self.spec.extra_passes if p == name]:
                self.net(x)

    def _refine(self, index, p_adv, p_clean) -> None:
        alpha = self.s.get("sat_momentum", self.s.get("label_momentum"))
        c = self.s.get("clean_share", 1.0)  # SAT looks at the clean inputs only
        for i, place in enumerate(index):
            for k in range(K):
                q = c * p_clean[i, k] + (1 - c) * p_adv[i, k]
                self.table[place, k] = alpha * self.table[place, k] + (1 - alpha) * q

    def _moved(self, x, x_adv, y, index) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return weights with what is added to them: 5.6, or MLCAT_WP of 5.10."""
        kind = self.how.moves
        if not kind or (kind == "awp" and not self._late("awp_start")):
            return []
        mine = [w for w in self.net.parameters() if w.ndim > 1]
        total = [torch.zeros_like(w) for w in mine]
        added = [torch.zeros_like(w) for w in mine]
        for _ in range(1 if kind == "awp" else self.s["wp_ascents"]):
            proxy = deepcopy(self.net).train()  # its BatchNorm is nobody's
            theirs = [w for w in proxy.parameters() if w.ndim > 1]
            with torch.no_grad():
                for weight, more in zip(theirs, added, strict=True):
                    weight += more
            losses = self._descent(proxy, x, x_adv, y, index, refine=False)
            if kind == "mlcat":
                losses = torch.stack(
                    [v * (v.item() < self.s["wp_floor"]) for v in losses]
                )
            up = torch.autograd.grad(losses.sum() / len(y), theirs)
            total = [a + b for a, b in zip(total, up, strict=True)]
            added = lengthened(self.how.moves, self.s, total, mine)
        return list(zip(mine, added, strict=True))

    def _sgd(self) -> None:
        spec, weights = self.spec, list(self.net.parameters())
        pull = [
            g + spec.weight_decay * w
            for g, w in zip(self.gradients, weights, strict=True)
        ]
        old = self.velocity or [torch.zeros_like(p) for p in pull]
        self.velocity = [spec.momentum * v + p for v, p in zip(old, pull, strict=True)]
        for weight, v, p in zip(weights, self.velocity, pull, strict=True):
            ahead = p + spec.momentum * v if spec.nesterov else v
            weight -= spec.lr * ahead
