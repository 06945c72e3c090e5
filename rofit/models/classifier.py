"""The contract of every network here: the rest of rofit knows one kind of model.

A classifier is three named parts: normalisation, features, linear map. Diagnostics call
`features` by that name, and all checkpoints have the same keys for the three.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Classifier(nn.Module, ABC):
    """Image classifier ``classifier(features(x))`` whose first layer normalises.

    Attributes:
        normalise: first layer, inputs in [0, 1] to standardised inputs; part of the
            state dict (see `rofit.models.normalise`).
        classifier: last layer, the linear map from features (B, D) to logits (B, K);
            D and K are its ``in_features`` and ``out_features``.
    """

    normalise: nn.Module
    classifier: nn.Linear

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Return the penultimate, spatially pooled activations.

        Args:
            x: inputs (B, C, H, W) in [0, 1], not normalised.

        Returns:
            Features (B, D), non-negative where a ReLU is what is pooled after, as in
            all networks here unless another activation or form was chosen. In train
            mode BatchNorm uses (and updates running statistics with) the batch's own
            mean and variance; in eval mode each row depends on its own input only.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (B, K) of inputs (B, C, H, W) in [0, 1]."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
