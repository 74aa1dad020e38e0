"""Progress is reported in order, and a call that was stopped anywhere can be made again."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from process_state import process_state
from toy_system import Reports, Stop


def test_stages_come_once_in_order_and_count_up_to_their_total(stage, system, whole):
    events = whole.reports.events
    assert [name for name, _ in groupby(events, key=lambda event: event[0])] == [*system.stages]
    counts = [done for name, done, _ in events if name == stage]
    totals = {total for name, _, total in events if name == stage}
    assert len(totals) == 1
    assert all(before <= after for before, after in pairwise(counts))
    assert counts[0] >= 0
    assert counts[-1] == totals.pop() > 0


@pytest.mark.thorough_if_long
def test_a_call_stopped_within_a_stage_can_be_made_again(stage, system, whole, saved, tmp_path):
    """The same pipeline is used again: a stopped call leaves nothing half-changed in it."""
    total = next(total for name, _, total in whole.reports.events if name == stage)
    pipeline, stopped, before = system.make(), Reports(Stop(stage, total // 2)), process_state()
    with pytest.raises(KeyboardInterrupt):
        system.call(pipeline, work_dir=tmp_path, progress=stopped)
    assert process_state() == before
    again = Reports()
    portrait = system.call(pipeline, work_dir=tmp_path, progress=again)
    assert saved(portrait) == whole.saved
    if system.resumable and stage == system.stages[-1]:
        assert not {name for name, _, _ in again.events} & {*system.kept_stages}
    if system.resumable and stage == system.stages[-1] and not system.kept_stages:
        assert min(done for name, done, _ in again.events if name == stage) >= total // 2
