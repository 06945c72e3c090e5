"""Tables of the gallery: its pictures and tables by scale, and their claims."""

import json
from collections.abc import Iterable
from pathlib import Path

from rofit.commands.registries import KINDS
from rofit.settings.scales import SCALES

GALLERY = Path(__file__).parent.parent / "figures" / "gallery"

Rows = Iterable[dict[str, str]]


def analyses() -> Rows:
    """Return a row an analysis: its command, its state, and where its result is."""
    for row in KINDS["analyses"]():
        kind, number = row["paper"].split()
        command = f"rofit reproduce --{kind.lower()} {number}"
        if kind not in ("Figure", "Table"):
            command = f"rofit run {row['name']}"
        yield {
            "paper": row["paper"],
            "what": row["about"],
            "command": f"`{command}`",
            "content": row["status"],
            "in the gallery": _shown(row["name"]),
        }


def claims() -> Rows:
    """Return a row an item and scale of the gallery: what became of its claims."""
    for row in KINDS["analyses"]():
        for copy in _copies(row["name"]):
            text = (copy / "claims.md").read_text()
            by_t = "95 % interval" in text  # before, two standard errors were asked for
            manifest = json.loads((copy / "manifest.json").read_text())
            yield {
                "paper": row["paper"],
                "scale": manifest["scale"],
                "holds": str(text.count("| **holds** |")),
                "fails": str(text.count("| **fails** |")),
                "not decidable": str(text.count("| **not decidable at this scale** |")),
                "verdict by": "Student's t" if by_t else "2 std. errors",
                "of commit": f"`{manifest['commit']}`",
            }


def _shown(name: str) -> str:
    """Return the sizes of the gallery's copies, with links; nothing without one."""
    return "; ".join(map(_linked, _copies(name))) or "not yet"


def _copies(name: str) -> list[Path]:
    """Return the folders of an analysis in the gallery, from the smallest scale on."""
    folders = (GALLERY / scale / name for scale in SCALES)
    return [folder for folder in folders if folder.is_dir()]


def _linked(folder: Path) -> str:
    """Return the size of a copy, and links to its picture or table and its claims."""
    manifest = json.loads((folder / "manifest.json").read_text())
    seeds = manifest["seeds"] or SCALES[manifest["scale"]].seeds
    size = f"{seeds} seed{'s' * (seeds > 1)}" if manifest["runs"] else "times"
    name = folder.name
    (result,) = [*folder.glob(f"{name}.png"), *folder.glob(f"{name}.md")]
    links = {"picture" if result.suffix == ".png" else "table": result.name}
    links["claims"] = "claims.md"
    at = f"../figures/gallery/{folder.parent.name}/{name}"
    linked = (f"[{kind}]({at}/{file})" for kind, file in links.items())
    return f"{manifest['scale']}, {size}: {', '.join(linked)}"
