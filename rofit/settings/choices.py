"""Names in the registries of rooms above, that fields of RunSpec choose from.

Each is held to its registry by a test beside the registry's own.
"""

# rofit/augmentation/
AUGMENTATIONS = (
    "crop_flip",
    "cutout",
    "autoaugment",
    "cropshift",
    "idbh_weak",
    "idbh_strong",
    "idbh_svhn",
    "mixup",
    "cutmix",
)
MIXED = ("mixup", "cutmix")  # those that make one image of two, labels too
# rofit/training/schedules.py
SCHEDULES = (
    "drops",
    "piecewise",
    "one_cycle",
    "one_cycle_steps",
    "cosine",
    "linear",
    "cyclic",
)
# rofit/models/forms.py
ACTIVATIONS = ("relu", "silu")
FORMS = ("usual", "deepmind", "no_last_bn", "raw_shortcut", "raw_shortcut_no_last_bn")
# rofit/attacks/geometry.py
L2_STARTS = ("ball", "radius", "gaussian")
# rofit/training/loop.py: of the adversarial batch before the step, of the clean batch
# after the adversarial one, and of the clean batch after the step.
EXTRA_PASSES = ("adversarial", "clean", "clean_after_step")
