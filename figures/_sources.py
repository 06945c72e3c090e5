"""What a reader is told of who published a number: paper and year, kind, network."""

import re

# By `source` in analyses/reported.csv.
NAMES = {
    "sgls_readme": "SGLS 2023",
    "sgls_figure": "SGLS 2023",
    "rice_log": "Rice et al. 2020",
    "awp_log": "AWP, Wu et al. 2020",
    "awp_readme": "AWP, Wu et al. 2020",
    "trades_readme": "TRADES, Zhang et al. 2019",
    "sat_readme": "SAT, Huang et al. 2020",
    "kdswa_figure": "KD + SWA, Chen et al. 2021",
    "bag_of_tricks_readme": "Bag of Tricks, Pang et al. 2021",
    "adr_readme": "ADR, Wu et al. 2024",
    "robustbench_card": "RobustBench",
    "wot_rebuttal": "baseline of WOT 2023",
    "rpat_tables": "baseline of RPAT 2025",
    "dong_review": "Dong et al. 2022, in a review",
    "small_model_survey": "a survey of small networks",
    "pytorch_robust_rice2020": "Rice et al. 2020, in PyTorch-Robust",
    "pytorch_robust_pang2021": "Pang et al. 2021, in PyTorch-Robust",
    "pytorch_robust_dong2022": "Dong et al. 2022, in PyTorch-Robust",
    "pytorch_robust_awp": "AWP 2020, in PyTorch-Robust",
    "pytorch_robust_mart": "MART 2020, in PyTorch-Robust",
    "pytorch_robust_trades": "TRADES 2019, in PyTorch-Robust",
    "pytorch_robust_pgd_at": "PyTorch-Robust",
}
KINDS = {
    "authors": "authors",
    "authors_log": "authors' log",
    "digitised": "read off a figure",
    "second_hand": "second hand",
}
NETWORKS = {
    "resnet18": "ResNet-18",
    "preactresnet18": "PreAct ResNet-18",
    "wrn34_10": "WRN-34-10",
    "wrn34_20": "WRN-34-20",
}


def with_names(published: str) -> str:
    """Return what a table says is published, with names for its ids.

    Examples:
        >>> with_names("PGD-20 last 48.6 (kdswa_figure, digitised, resnet18)")
        'PGD-20 last 48.6 (KD + SWA, Chen et al. 2021; read off a figure; ResNet-18)'
    """
    return re.sub(r"\((\w+), (\w+), (\w+)\)", _named, published)


def _named(match: re.Match[str]) -> str:
    words = zip((NAMES, KINDS, NETWORKS), match.groups(), strict=True)
    return f"({'; '.join(names.get(word, word) for names, word in words)})"
