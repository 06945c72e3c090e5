"""Command lines that nobody means, and that train nothing where they are sound."""

from hostile_values import Draw, key, number, text


def pair(draw: Draw, method: str) -> str:
    """Return a K=V for `--set`, now and then none."""
    right = draw.choice((text, number, number))(draw)
    return draw.choice((f"{key(draw, method)}={right}",) * 9 + (text(draw),))


COMMANDS = {
    "train": "--method --labels --weights --dataset --recipe --keep --watch --spec",
    "run": "--seeds --scale --data",
    "reproduce": "--figure --table --seeds --jobs",
    "eval": "--attack --checkpoint --epsilon --norm --n --shard --from --seed "
    "--batch-size --precision --engine --network",
    "import checkpoint": "--model --dataset --normalise --form --weights --name",
    "import log": "--method --dataset --model --epochs --attack --columns",
    "status": "--seeds",
    "show": "",
    "compare": "--out",
    "report": "--port",
    "rm": "",
    "rename": "",
    "export": "--out",
    "data": "",
    "data logs": "--fetch",
    "bench": "--model --batch-size --rounds --engine --run --n",
}
SHARED = "--set --scale --store --out --data --device --engine --jobs --max-minutes"
# Where a sound line would train, attack or time something: there it is dry, or wrong.
ALWAYS = {"train": ["--dry-run"], "run": ["--dry-run"], "reproduce": ["--dry-run"]}
ALWAYS |= {"eval": ["--dry-run"], "bench": ["no such table"]}
TARGETS = {"show", "compare", "export", "eval", "run", "data", "report", "rm", "rename"}
TARGETS |= {"import checkpoint", "import log", "data logs"}


def command_line(draw: Draw) -> list[str]:
    """Return the words of a command, most of them hostile."""
    command = draw.choice((*COMMANDS, "train", "train", "eval", text(draw)))
    words = command.split() if command in COMMANDS else [command]
    words += ALWAYS.get(command, ())
    if command in ("train", "run", "reproduce") and draw.random() < 0.9:
        words += ["--scale", "smoke"]
    if command in TARGETS and draw.random() < 0.9:
        words += [draw.choice(("pgd_at-digits", "fig1_gradnorm", text(draw)))]
    if command == "rename" and draw.random() < 0.9:
        words += [text(draw)]
    options = [*COMMANDS.get(command, "").split(), *SHARED.split(), "--set"]
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        option = draw.choice(options) if draw.random() < 0.95 else text(draw)
        worth = pair(draw, "sgls") if option == "--set" else text(draw)
        worth = number(draw) if draw.random() < 0.2 else worth
        words += [f"{option}={worth}"] if draw.random() < 0.2 else [option, worth]
    if draw.random() < 0.3:
        words.append(draw.choice(("--json", "--quiet", text(draw))))
    # Decoding the devices and folders of the machine is another fuzzer's.
    return [word.replace("/dev/", "") for word in words]
