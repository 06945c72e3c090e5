"""What legends and stamps of pictures say, against what is drawn."""

import pytest
from drawn import legend, note, stamp
from matplotlib.collections import PathCollection
from pictures import PICTURES, color_and_marker, picture
from random_tables import OWN, random_table
from rofit.figures._style import LABELS, look_of, looks
from rofit.figures._style import METHODS as LOOKS

from rofit.reproduction import catalog

BEST = {"fig1_gradnorm": 1, "fig2_label_assignment": 0, "fig6_cifar100": 0}  # panels
# Legends of points and of Theorem 1 are tested with their pictures.
LINES = sorted({*PICTURES} - {"fig3_confidence", "fig5_embedding", "fig9_ablation"})
LINES.remove("theorem1_information")
MARKED = {*BEST, "fig7_iiw", "fig8_iiw_noise"}
GREY = "#4c4c4c"
ON_THE_FLY = {"-": "test, PGD-20", "--": "train, on the fly, PGD-7"}
STYLES = {  # what the legend says of line styles
    "fig1_gradnorm": ON_THE_FLY,
    "fig6_cifar100": ON_THE_FLY,
    "fig10_strength": {"-": "last", "--": "best"},
    "fig11_landscape": {"-": "gradient's sign (inputs)", "--": "random signs (inputs)"},
}
CHOSEN = "marks: best epoch of each run, chosen on validation images; "
RATE = "dotted: drops of the learning rate"
LOGARITHM = "geometric means over seeds, bands: one standard deviation of the logarithm"
NOTES = {  # and what it says above
    **dict.fromkeys(BEST, CHOSEN + RATE),
    "fig7_iiw": LOGARITHM,
    "fig8_iiw_noise": f"information: {LOGARITHM}",
    "fig10_strength": "dotted, and where steps vary: $\\epsilon$ of training, 8/255",
    "fig12_calibration": "bins of all seeds' images, without those of fewer than 10; "
    + RATE,
}


@pytest.mark.parametrize("name", LINES)
def test_legend_names_each_colour_and_line_style_as_what_they_are_drawn_for(name):
    table, figure = picture(name)
    names = LABELS if name == "fig4_memorization" else {}
    shown = [name for name in (*LOOKS, OWN) if name in set(table["method"])]
    assert legend(figure) == [
        (color_and_marker(method)[0], "-", names.get(method, look_of(method).label))
        for method in shown
    ] + [(GREY, style, text) for style, text in STYLES.get(name, {}).items()]
    assert note(figure) == NOTES.get(name, "")


@pytest.mark.parametrize("name", LINES)
def test_legend_has_the_widths_and_marks_of_what_ispicture(name):
    table, figure = picture(name)
    shown = looks(table["method"])
    handles = figure.legends[0].legend_handles[: len(shown)]
    for handle, look in zip(handles, shown.values(), strict=True):
        assert handle.get_linewidth() == look.width
        assert handle.get_marker() == (look.marker if name in MARKED else "None")
    for number in [BEST[name]] if name in BEST else []:
        sizes = [scatter.get_sizes()[0] for scatter in _scatters(figure.axes[number])]
        assert sizes == pytest.approx([h.get_markersize() ** 2 for h in handles])
        assert sizes == sorted(sizes, reverse=True), "those beneath are larger"


def _scatters(axes):
    return [s for s in axes.collections if isinstance(s, PathCollection)]


@pytest.mark.parametrize("name", PICTURES)
def test_stamp_says_scale_data_and_seeds_unless_it_is_the_papers(name):
    _, figure = picture(name)
    about = "scale demo, not the paper's · digits, linf 8/255 · 3 seeds"
    assert stamp(figure) == f"rofit · {about}"
    paper = catalog.load_figure(name).draw(random_table(name, scale="paper"))
    assert paper.get_supxlabel() == ""
