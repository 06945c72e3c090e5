"""What happens to weights around the optimizer's step: perturbed, averaged."""
