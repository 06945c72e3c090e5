"""HAT's helper labels: the class that a standard network predicts."""

import torch
from toy_problems import batch, conv_net

from rofit.labels.distilled import PredictedClass

K = 3
X, Y = batch(6)
HARD = torch.eye(K, dtype=torch.float64)[Y]


def test_predicted_class_is_the_teachers_highest_logit_and_stays_the_images_label():
    net = conv_net().eval()
    rule = PredictedClass(Y, K, net)
    part = torch.tensor([4, 1])
    rule.attacked(X[part], part)
    for x, label in zip(X[part], rule.current(part, Y[part]), strict=True):
        (logits,) = net(x[None]).tolist()
        assert label.tolist() == [float(value == max(logits)) for value in logits]
    others = torch.tensor([0, 2, 3, 5])
    assert torch.equal(rule.current(others, Y[others]), HARD[others].float())
