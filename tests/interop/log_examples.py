"""Short logs in the words of each program, written by hand, and what they say.

Formats are those of the logs and of the code that the readers cite.
"""

from typing import Any, NamedTuple

HEADER = " \t ".join(
    "Epoch|Train Time|Test Time|LR|Train Loss|Train Acc|Train Robust Loss|Train Robust "
    "Acc|Test Loss|Test Acc|Test Robust Loss|Test Robust Acc".split("|")
)
NAMESPACE = (
    "Namespace(attack='pgd', attack_iters=10, attack_iters_test=20, awp_iter=1, "
    "awp_size=0.01, awp_warmup=0, batch_size=128, cutout=False, cutout_len=None, "
    "data_dir='../../data', epochs=3, epsilon=8, eval=False, "
    "fname='experiments/cifar10_linf/awp(0.01)', half=False, l2=0, lr_max=0.1, "
    "lr_schedule='piecewise', mixup=False, mixup_alpha=None, model='PreActResNet18', "
    "norm='l_inf', pgd_alpha=2, restarts=1, resume=0, seed=0, val=False, "
    "width_factor=10)"
)


def stamped(*lines: str) -> str:
    """Return lines with the time of day before each, as logging writes them."""
    return "".join(
        f"[2020/04/26 13:08:{28 + n}] - {text}\n" for n, text in enumerate(lines)
    )


def line(epoch: int, *numbers: str) -> str:
    """Return a line of an epoch: times, learning rate, then the given numbers."""
    return f"{epoch} \t 303.7 \t \t 98.5 \t \t " + " \t ".join(numbers)


ROBUST_OVERFITTING = stamped(
    NAMESPACE,
    HEADER,
    line(0, "0.1000 2.2074 0.1775 2.3208 0.1319 2.0952 0.2303 2.1630 0.2002"),
    line(1, "0.0100 2.0266 0.2633 2.1834 0.1862 1.8794 0.3362 2.0390 0.2561"),
    line(2, "0.0100 1.8701 0.3294 2.1086 0.2154 1.8155 0.3619 2.0030 0.2504"),
)

TRADES = """waitGPU: Setting GPU to: [1, 2]
Files already downloaded and verified
Train Epoch: 1 [0/50000 (0%)]\tLoss: 2.293949
Train Epoch: 1 [38400/50000 (77%)]\tLoss: 1.856360
================================================================
Training: Average loss: 1.6614, Accuracy: 20866/50000 (42%)
Test: Average loss: 1.6430, Accuracy: 4189/10000 (42%)
natural_err_total:  tensor(5811., device='cuda:0')
robust_err_total:  tensor(7636., device='cuda:0')
================================================================
Train Epoch: 2 [0/50000 (0%)]\tLoss: 1.924386
================================================================
Training: Average loss: 1.4800, Accuracy: 26578/50000 (53%)
Test: Average loss: 1.4336, Accuracy: 5344/10000 (53%)
natural_err_total:  tensor(4656., device='cuda:0')
robust_err_total:  tensor(7098., device='cuda:0')
"""

MART = """Train Epoch: 1 [0/50000 (0%)]\tLoss: 2.293949
================================================================
natural_acc:  tensor(0.4189, device='cuda:0')
robust_acc:  tensor(0.2364, device='cuda:0')
using time: 210.5
================================================================
Train Epoch: 2 [0/50000 (0%)]\tLoss: 1.924386
natural_acc:  tensor(0.5344, device='cuda:0')
robust_acc:  tensor(0.2902, device='cuda:0')
"""

SGLS = """cifar10/adv_resnet18_sgls_m0.9_p90_
Namespace(arch='resnet18', batch_size=128, dataset='cifar10', epochs=2, \
epsilon=0.03137254901960784, loss='sgls', lr=0.1, momentum=0.9, num_steps=10, seed=7, \
sgls_alpha=0.9, sgls_es=90, step_size=0.00784313725490196, weight_decay=0.0005)
Using `SGD` optimizer
****************************************
Epoch: [1][150/391]\tLR 0.100000\tTime 0.300 (0.31)\tData 0.002 (0.00)\t\
Loss 2.2010 (2.2034)\tPrec@1 20.000 (18.334)
Epoch: [1][391/391]\tLR 0.100000\tTime 0.300 (0.31)\tData 0.002 (0.00)\t\
Loss 2.0101 (2.1034)\tPrec@1 25.000 (21.334)
****************************************
 * Prec@1 31.020
sa test:  31.02, \t , ra test:  25.17
****************************************
Epoch: [2][391/391]\tLR 0.010000\tTime 0.300 (0.31)\tData 0.002 (0.00)\t\
Loss 1.9101 (2.0034)\tPrec@1 27.000 (26.005)
****************************************
 * Prec@1 38.650
sa test:  38.65, \t , ra test:  28.59
"""

SAT = """Namespace(arch='wrn34', beta=6.0, epsilon=0.031, loss='trades_sat', \
lr=0.1, num_steps=10, seed=3)
****************************************
Epoch: [1][391/391]\tLR 0.100000\tTime 0.9 (0.9)\tData 0.002 (0.00)\t\
Loss 2.0101 (2.1034)\tPrec@1 25.000 (21.334)
****************************************
train:\t * Prec@1 40.112
test:\t * Prec@1 38.650
****************************************
Test acc of best checkpoint:\t * Prec@1 99.000
"""

FASTAT = """Method: pgd_at_wa
Seed: 2
Scheduler: OneCycleLR
Label smoothing: 0.4
Weight average: True, tau: 0.9995


============ Epoch 0 ============
Training time: 68.03s
Training loss: 2.2470
Training accuracy: 0.2105
Current GPU memory: 0.83 GB
Validation time: 2.90s
Model - Validation accuracy: 0.3780
Model - FGSM accuracy: 0.2640
Model - PGD accuracy: 0.2570
WA Model - Validation accuracy: 0.4070
WA Model - FGSM accuracy: 0.3170
WA Model - PGD accuracy: 0.3070
Best model: wa_model (PGD acc: 0.3070, Val acc: 0.4070)

============ Epoch 1 ============
Training loss: 2.2060
Training accuracy: 0.2517
Model - Validation accuracy: 0.4260
Model - FGSM accuracy: 0.2830
Model - PGD accuracy: 0.2780
WA Model - Validation accuracy: 0.4170
WA Model - FGSM accuracy: 0.3100
WA Model - PGD accuracy: 0.3000
Best model: wa_model (PGD acc: 0.3000, Val acc: 0.4170)

train_acc_list:
[0.2105, 0.2517]

==================================================
Starting final evaluation on test set...
==================================================
PGD test results:
  clean_acc: 0.8551
  pgd_10_acc: 0.4838
AutoAttack results:
  autoattack_acc: 0.4440
CR-Attack results:
  cr_attack_acc: -1.0000
"""


class Example(NamedTuple):
    """A log, some of the settings that it says, and its rows by epoch.

    Rows are ``split/attack/metric`` -> value; those of an evaluation at the end begin
    with its checkpoint.
    """

    layout: str
    text: str
    settings: dict[str, Any]
    rows: dict[int, dict[str, float]]


EXAMPLES = {
    "robust_overfitting": Example(
        "robust_overfitting",
        ROBUST_OVERFITTING,
        {
            "method": "awp",
            "method_params": {"awp_gamma": 0.01, "awp_start": 0.0},
            "dataset": "cifar10",
            "model": "preact_resnet18",
            "norm": "linf",
            "epsilon": 8 / 255,
            "step_size": 2 / 255,
            "attack_steps": 10,
            "eval_steps": 20,
            "epochs": 3,
            "batch_size": 128,
            "lr": 0.1,
            "seed": 0,
            "val_size": 0,
        },
        {
            1: {
                "train//learning_rate": 0.1,
                "train/none/loss": 2.2074,
                "train/none/accuracy": 0.1775,
                "train/pgd10/loss": 2.3208,
                "train/pgd10/accuracy": 0.1319,
                "test/none/loss": 2.0952,
                "test/none/accuracy": 0.2303,
                "test/pgd20/loss": 2.1630,
                "test/pgd20/accuracy": 0.2002,
            },
            3: {"test/pgd20/accuracy": 0.2504, "train//learning_rate": 0.01},
        },
    ),
    "trades": Example(
        "TRADES",
        TRADES,
        {},
        {
            1: {
                "train/none/accuracy": 20866 / 50000,
                "train/none/loss": 1.6614,
                "test/none/accuracy": 0.4189,
                "test/none/loss": 1.6430,
                "test/not_named/accuracy": 0.2364,
            },
            2: {"test/none/accuracy": 0.5344, "test/not_named/accuracy": 0.2902},
        },
    ),
    "mart": Example(
        "TRADES",
        MART,
        {},
        {
            1: {"test/none/accuracy": 0.4189, "test/not_named/accuracy": 0.2364},
            2: {"test/none/accuracy": 0.5344, "test/not_named/accuracy": 0.2902},
        },
    ),
    "sgls": Example(
        "SGLS",
        SGLS,
        {
            "method": "sgls",
            "dataset": "cifar10",
            "model": "resnet18",
            "epsilon": 8 / 255,
            "attack_steps": 10,
            "eval_steps": 10,
            "momentum": 0.9,
            "weight_decay": 5e-4,
            "seed": 7,
        },
        {
            1: {
                "train//learning_rate": 0.1,
                "train/pgd10/accuracy": 0.21334,
                "test/none/accuracy": 0.3102,
                "test/pgd10/accuracy": 0.2517,
            },
            2: {"train/pgd10/accuracy": 0.26005, "test/pgd10/accuracy": 0.2859},
        },
    ),
    "sat": Example(
        "SGLS",
        SAT,
        {"method": "sat", "model": "wrn_34_10", "epsilon": 0.031},
        {
            1: {
                "train//learning_rate": 0.1,
                "train/none/accuracy": 0.40112,
                "test/none/accuracy": 0.3865,
            }
        },
    ),
    "fastat": Example(
        "FastAT_Benchmark",
        FASTAT,
        {"method": "fastat_pgd_at_wa", "seed": 2},
        {
            1: {
                "train/not_named/accuracy": 0.2105,
                "train/not_named/own_loss": 2.2470,
                "val/none/own_accuracy": 0.3780,
                "val/fgsm/own_fgsm_accuracy": 0.2640,
                "val/not_named/own_accuracy": 0.2570,
                "val/none/accuracy": 0.4070,
                "val/fgsm/fgsm_accuracy": 0.3170,
                "val/not_named/accuracy": 0.3070,
                "best test/none/accuracy": 0.8551,
                "best test/pgd10/accuracy": 0.4838,
                "best test/autoattack/accuracy": 0.4440,
            },
            2: {"val/not_named/accuracy": 0.3000, "val/none/own_accuracy": 0.4260},
        },
    ),
}
