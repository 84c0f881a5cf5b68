"""The loop over the shares of providers, on a stored log that is replayed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from notification.adapters.provider_log import StoredProviderLog
from notification.application.list_provider_steps import ListProviderSteps
from notification.application.pool import Pool
from notification.application.steer_providers import SteerProviders
from notification.domain.failover import Measured, Shares, Steering, resting, steer
from notification.domain.texts import Message, Submission
from notification.domain.vocabulary import Channel

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PROMPT = 4 * MINUTE
RULES = Steering(errors_a_minute=5, cool_down=10 * MINUTE)


class Named:
    """A provider that is only counted."""

    idempotent = confirms = True

    def __init__(self, name: str) -> None:
        self.name = name

    async def submit(self, message: Message, submission: Submission) -> str:
        raise NotImplementedError


def log_of(stage) -> StoredProviderLog:
    database = stage.database()
    names = ("provider_minutes", "provider_shares", "provider_steps")
    return StoredProviderLog(*map(database.collection, names), prompt=PROMPT)


def steering(log: StoredProviderLog, rules: Steering = RULES) -> SteerProviders:
    return SteerProviders(Channel.SMS, Pool([Named("a"), Named("b")]), log, rules)


async def test_a_provider_whose_messages_have_no_receipt_in_time_loses_a_tenth_when_that_can_be_told(stage):
    log = log_of(stage)
    for number in range(20):
        for name in ("a", "b"):
            log.count(name, "sent", AT)
            if name == "b" or number < 16:
                log.count(name, "receipted", AT)
    await log.flush()
    unripe = AT + PROMPT + MINUTE
    assert await log.measured(AT - MINUTE, AT, unripe) == {"a": Measured(20, 0, 0), "b": Measured(20, 0, 0)}
    ripe = AT + PROMPT + 2 * MINUTE
    assert (await log.measured(AT - MINUTE, AT, ripe))["a"] == Measured(20, 4, 0)
    loop = steering(log)
    await loop(unripe)
    assert loop.pool.shares == {"a": 50, "b": 50}
    await loop(ripe)
    assert loop.pool.shares == {"a": 40, "b": 60}
    (step,) = await log.steps(Channel.SMS, 10)
    assert (step.step.reason, step.step.provider) == ("slow", "a")


async def test_what_was_slow_to_be_taken_is_slow_at_once_and_not_counted_twice(stage):
    log = log_of(stage)
    for _ in range(10):
        log.count("a", "sent", AT)
    for _ in range(3):
        log.count("a", "slow", AT)
    for _ in range(8):
        log.count("a", "receipted", AT)
    await log.flush()
    slow = [(await log.measured(AT - MINUTE, AT, AT + later * MINUTE))["a"].slow for later in (0, 10)]
    assert slow == [3, 3]


async def test_the_whole_of_a_stored_log_replays_to_the_shares_that_hold_and_one_that_was_altered_does_not(stage):
    log = log_of(stage)
    loop = steering(log)
    for minute in range(150):
        at = AT + minute * MINUTE
        bad = "a" if minute < 40 else "b" if minute < 60 else ""
        for name in ("a", "b"):
            log.count(name, "sent", at)
            log.count(name, "receipted", at)
            for _ in range(6 if name == bad and minute % 7 == 0 else 0):
                log.count(name, "errors", at)
            if name == bad:
                log.count(name, "slow", at)
        await loop(at)
    # Somebody changes the settings: the steps that were taken before rest on those of then.
    later = steering(log, replace(RULES, step=20, errors_a_minute=1))
    log.count("a", "errors", AT + 150 * MINUTE)
    await later(AT + 150 * MINUTE)

    steps = list(reversed(await log_of(stage).steps(Channel.SMS, 500)))
    assert {each.step.reason for each in steps} == {"errors", "slow", "drift"}
    shares = Shares(resting(["a", "b"]))
    for each in steps:
        assert each.before == shares, "each step goes on where the one before it ended"
        replayed = steer(shares, each.measured, each.rest, each.rules, each.at)
        assert replayed == each.step
        shares = replayed.after
    assert await log.shares(Channel.SMS) == shares
    assert loop.pool.shares != shares.of
    assert later.pool.shares == shares.of

    documents = stage.database().collection("provider_steps")
    async for each in documents.find({}):
        worse = [[name, {**counts, "errors": 0, "slow": 0, "sent": 1}] for name, counts in each["measured"]]
        await documents.update(each["_id"], {"$set": {"measured": worse, "rest": each["before"]["of"]}})
    _, told = await ListProviderSteps(Channel.SMS, log)(500)
    assert [replays for _, replays in told] == [False] * len(steps), "what was altered does not replay"
