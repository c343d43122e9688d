"""A source with the votes that were chosen: the counts, the votes and what stands beside them."""

from collections.abc import Callable
from dataclasses import replace

from ratings.report.sources import Needs, Source, weigh
from ratings.votes.counts import ALL, count, count_by_category
from ratings.votes.which import Which, choose


def read_chosen(read: Callable[[Needs], Source], needs: Needs, which: Which) -> Source:
    """Return what is needed of a source, of the votes that were chosen.

    Without a choice the counts alone may do; with one the votes are read. Where people and programs voted and nothing
    was chosen, a note says that both count. Raises SettingsError where a choice matches nothing.
    """
    if not which.is_choice:
        return _with_note(read(needs), which)
    more = replace(
        needs,
        votes=True,
        times=needs.times or which.has_times,
        categories=needs.categories or bool(which.languages),
    )
    source = read(more)
    assert source.votes is not None
    votes, place = choose(source.votes, which)
    counts = weigh("the votes", votes) if needs.weights else count(votes)
    by_category = count_by_category(votes) if needs.categories else {}
    by_category.pop(ALL, None)
    styles = source.styles and (source.styles[0][place], source.styles[1][place])
    counts = replace(counts, notes=source.counts.notes)
    chosen = replace(source, counts=counts, votes=votes, by_category=by_category, styles=styles, voters=None)
    return _with_note(chosen, which)


def _with_note(source: Source, which: Which) -> Source:
    counts = source.counts
    if which.by is not None or not 0 < counts.simulated < counts.used:
        return source
    note = (
        f"{counts.simulated:,} of the {counts.used:,} votes are simulated and count as those of people do; "
        "--votes-by human or simulated leaves the others out, and --votes-by all this note"
    )
    return replace(source, counts=replace(counts, notes=(*counts.notes, note)))
