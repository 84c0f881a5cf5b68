"""How much of something each of many may have in a while."""

_SWEEP_ABOVE = 10_000


class Pace:
    """`allowed` units in `seconds`, for each key, in any rhythm (the generic cell rate algorithm, ITU-T I.371).

    A key costs one number, which says when all that it has had is forgotten. What is spent beyond the allowance is
    owed. An allowance of 0 is none: nothing is counted.
    """

    def __init__(self, allowed: float, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._cost = seconds / allowed if allowed else 0.0
        self._until: dict[str, float] = {}
        self._sweep_above = _SWEEP_ABOVE

    def over(self, key: str, now: float) -> bool:
        """Whether the key has had its share; `now` in seconds on any clock that only goes forward."""
        return self._until.get(key, now) - now > self._seconds - self._cost * 0.999

    def spend(self, key: str, amount: float, now: float) -> None:
        if not self._cost:
            return
        self._until[key] = max(self._until.get(key, now), now) + amount * self._cost
        if len(self._until) > self._sweep_above:
            self._until = {each: until for each, until in self._until.items() if until > now}
            self._sweep_above = max(_SWEEP_ABOVE, 2 * len(self._until))
