"""Labels predicted on the adversarial inputs by averaged weights: ReBAT."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rofit.labels.table import Tabled
from rofit.precision import PrecisionCopy
from rofit.settings.spec import epoch_at


class Averaged(Tabled):
    """The prediction of a network that another part of the method averages.

    Until its part of the run has come the labels are the given ones.

    Source: Wang et al. 2023 (ReBAT), its released code.
    """

    def __init__(
        self,
        y: Tensor,
        n_classes: int,
        network: nn.Module,
        *,
        start: float,
        precision: str = "fp32",
    ) -> None:
        """Look at *network*, which is in eval mode and moves after every step.

        Args:
            y: given class of every training image (N,).
            n_classes: K.
            network: has the averaged weights.
            start: fraction of the run at which it begins to predict.
            precision: of its convolutions, a field of RunSpec.
        """
        super().__init__(y, n_classes)
        self.network, self.start = network, start
        self.active = False
        self._rounded: PrecisionCopy | None = None
        if precision == "bf16":
            self._rounded = PrecisionCopy(network, torch.bfloat16)

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Begin to predict when the time has come (epoch from 0)."""
        self.active = epoch >= epoch_at(self.start, epochs)

    def attacked(self, x_adv: Tensor, index: Tensor) -> None:
        """Store the average's prediction on the adversarial inputs."""
        if not self.active:
            return
        network = self.network
        if self._rounded:
            self._rounded.refresh()
            network = self._rounded.network
        with torch.no_grad():
            logits = network(x_adv)
        self.table[index] = F.softmax(logits, dim=1).to(self.table)
