"""Use case: somebody who will verify rolls takes the public keys along."""

from collections.abc import Sequence
from dataclasses import dataclass

from news.application.ports import RollSigner


@dataclass(frozen=True, slots=True)
class GetRollKeys:
    signer: RollSigner

    def __call__(self) -> Sequence[bytes]:
        """The key that signs now, then those that signed before it, 32 bytes each; they are no secret."""
        return (self.signer.public_key, *self.signer.earlier)
