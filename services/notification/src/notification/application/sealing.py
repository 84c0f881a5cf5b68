"""What stands in the store of a message: sealed, for each channel by itself."""

from collections.abc import Sequence

from notification.application.ports import Letter, Vault
from notification.domain.vocabulary import Channel


def sealed_by_channel(vault: Vault, letters: Sequence[Letter]) -> dict[Channel, bytes]:
    """The letters of one notification, encrypted."""
    return dict(zip((each.channel for each in letters), vault.seal(letters), strict=True))
