"""How the best epoch of a training is chosen."""

from stages.training.course import Choice


def _chosen(choice, figures):
    """Return the number of the epoch that is kept, from 1."""
    top, kept = float("inf"), 0
    for epoch, figure in enumerate(figures, 1):
        row = {choice.name: figure}
        if choice.prefers(row, top):
            top, kept = min(top, choice.of(row)), epoch
    return kept


def test_the_lowest_figure_is_chosen_and_of_equal_ones_the_first():
    assert _chosen(Choice("val_loss"), [0.5, 0.3, 0.3, 0.4]) == 2


def test_a_highest_figure_is_chosen_if_that_is_better():
    assert _chosen(Choice("val_map50", is_highest=True), [0.5, 0.7, 0.6]) == 2


def test_within_the_tolerance_the_later_epoch_is_chosen():
    choice = Choice("val_map50", is_highest=True, tolerance=0.03)
    assert _chosen(choice, [0.5, 0.7, 0.68, 0.66]) == 3


def test_the_tolerance_does_not_add_up():
    choice = Choice("val_map50", is_highest=True, tolerance=0.03)
    assert _chosen(choice, [0.70, 0.68, 0.66, 0.64]) == 2
