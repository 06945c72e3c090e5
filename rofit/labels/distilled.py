"""Labels predicted by frozen teachers: distillation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rofit.labels.table import Tabled


class Distilled(Tabled):
    """A weighted mean of teachers' predictions at a temperature.

    A cross entropy is linear in its label, so the weighted sum of the teachers' cross
    entropies is their total weight times that of this one label.

    Source: Chen et al. 2021, on the adversarial inputs; Goldblum et al. 2020 (ARD) and
    Zi et al. 2021 (RSLAD), on the clean ones; their released code.
    """

    def __init__(
        self,
        y: Tensor,
        n_classes: int,
        teachers: list[tuple[nn.Module, float]],
        temperature: float,
        *,
        on_clean: bool = False,
    ) -> None:
        """Take teachers in eval mode, each with its weight; a temperature above 0.

        They predict on the adversarial inputs, or *on_clean* ones before the attack.
        """
        super().__init__(y, n_classes)
        self.teachers, self.temperature = teachers, temperature
        self.on_clean = on_clean

    def prepare(self, network: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> None:
        """Store the prediction on the clean inputs, if it is on these."""
        if self.on_clean:
            self._store(x, index)

    def attacked(self, x_adv: Tensor, index: Tensor) -> None:
        """Store the prediction on the adversarial inputs, if it is on these."""
        if not self.on_clean:
            self._store(x_adv, index)

    def _store(self, x: Tensor, index: Tensor) -> None:
        """Store the teachers' mean prediction, if any counts."""
        total = sum(weight for _, weight in self.teachers)
        if not total:
            return
        soft = torch.zeros_like(self.table[index])
        for network, weight in self.teachers:
            with torch.no_grad():
                p = F.softmax(network(x) / self.temperature, dim=1)
            soft += weight / total * p
        self.table[index] = soft


class PredictedClass(Distilled):
    """The class that one teacher predicts of the adversarial inputs, one-hot.

    Source: Rade and Moosavi-Dezfooli 2022 (HAT's helper labels), its released code.
    """

    def __init__(self, y: Tensor, n_classes: int, teacher: nn.Module) -> None:
        """Take a teacher in eval mode."""
        super().__init__(y, n_classes, [(teacher, 1.0)], temperature=1.0)

    def attacked(self, x_adv: Tensor, index: Tensor) -> None:
        """Store the teacher's class of each adversarial input."""
        ((network, _),) = self.teachers
        with torch.no_grad():
            classes = network(x_adv).argmax(dim=1)
        hard = F.one_hot(classes, self.table.shape[1])
        self.table[index] = hard.to(self.table)
