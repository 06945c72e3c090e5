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


def test_training_whose_last_step_diverges_is_an_error_and_not_done(tmp_path):
    """Every loss was finite: what the last step made of the weights is in none."""
    settings = ("lr=1e38", "epochs=1", "train_size=64", "batch_size=64")
    words = [word for setting in settings for word in ("--set", setting)]
    answer = rofit(tmp_path, *TRAIN, *words)
    assert answer.code == 1
    assert "no checkpoint was saved before; a lower lr is the usual cure" in answer.err
    assert not list(tmp_path.glob("runs/*/done.json"))
