"""How many pairs of machines are one hop apart, group by group: what a matrix is coloured by."""

from collections.abc import Mapping

from workbench.analysis.exposure.figures import Picture, pairs_of


class Between:
    """Answers cell by cell, as they come into view: most of a large matrix is never looked at."""

    def __init__(self, picture: Picture, groups: Mapping[str, int]) -> None:
        """groups: machines by name of the group, as bits; the outside may be among them."""
        self._groups = groups
        self._members = picture.spread.members
        self._direct = picture.spread.direct()
        self._inside = picture.machines.everybody
        self._clients: dict[str, list[tuple[int, int]]] = {}
        self._known: dict[tuple[str, str], tuple[int, int]] = {}

    def pairs(self, client: str, server: str) -> tuple[int, int]:
        """Pairs that are open on services to move by, and all pairs; none for unknown groups.

        A machine and itself are no pair; everybody outside is one client and never a server.
        """
        key = client, server
        if key not in self._known:
            start = self._groups.get(client, 0)
            goal = self._groups.get(server, 0) & self._inside
            near = (pairs_of(own, there & goal) for own, there in self._kinds(client, start))
            self._known[key] = sum(near), pairs_of(start, goal)
        return self._known[key]

    def _kinds(self, client: str, start: int) -> list[tuple[int, int]]:
        """Machines of the group kind by kind, and what is one hop from them."""
        if client not in self._clients:
            self._clients[client] = [
                (own, there)
                for members, there in zip(self._members, self._direct, strict=True)
                if (own := members & start) and there
            ]
        return self._clients[client]
