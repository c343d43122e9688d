"""How many connections file descriptors allow. Serving and stopping: test_shutdown.py and test_connections.py."""

import resource

import pytest

from arena.server.serving import MOST_CONNECTIONS, MOST_FILES, RESERVE, find_room


class Limit:
    """The limit of open files, as the system keeps it."""

    def __init__(self, soft: int, hard: int, *, is_fixed: bool) -> None:
        self.soft, self.hard, self.is_fixed = soft, hard, is_fixed

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return self.soft, self.hard

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        if self.is_fixed:
            raise ValueError("not allowed to raise maximum limit")
        self.soft, self.hard = limits


@pytest.mark.parametrize(
    ("soft", "hard", "is_fixed", "raised", "room"),
    [
        (1024, 2048, False, 2048, 2048 - RESERVE),
        (1024, 2048, True, 1024, 1024 - RESERVE),
        (300, 300, True, 300, 150),
        (1024, 10**6, False, MOST_FILES, MOST_CONNECTIONS),
        (1024, resource.RLIM_INFINITY, False, MOST_FILES, MOST_CONNECTIONS),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, False, resource.RLIM_INFINITY, MOST_CONNECTIONS),
    ],
)
def test_the_room_follows_from_the_limit_of_open_files_raised_as_far_as_possible(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, is_fixed: bool, raised: int, room: int
) -> None:
    limit = Limit(soft, hard, is_fixed=is_fixed)
    monkeypatch.setattr(resource, "getrlimit", limit.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limit.setrlimit)
    assert find_room() == room
    assert limit.soft == raised
