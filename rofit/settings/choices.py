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
SCHEDULES = ("drops", "one_cycle", "cosine", "linear", "cyclic", "one_cycle_steps")
# rofit/models/forms.py
ACTIVATIONS = ("relu", "silu")
FORMS = ("usual", "deepmind", "no_last_bn", "raw_shortcut", "raw_shortcut_no_last_bn")
