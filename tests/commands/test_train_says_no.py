"""Engines and precisions that there are not, in one sentence."""

from command_line import is_one_sentence, rofit

TRAIN = ("train", "--scale", "smoke")


def test_training_with_an_unknown_engine_is_one_sentence(tmp_path):
    answer = rofit(tmp_path, *TRAIN, "--json", "--engine", "nonsense")
    is_one_sentence(answer, "unknown engine 'nonsense'; known: auto, compiled, eager")
    assert not list(tmp_path.iterdir())


def test_training_in_an_unknown_precision_names_those_there_are(tmp_path):
    answer = rofit(tmp_path, *TRAIN, "--set", "precision=fp64")
    is_one_sentence(answer, "unknown precision 'fp64'")
    for name in ("fp32", "tf32", "bf16"):
        assert name in answer.err
    assert not list(tmp_path.iterdir())
