"""Derives what an installation signs with; apart from ``wiring_ground``, for most workers sign nothing."""

from cluster.settings import Settings
from core.access.keys import derived


def installation_key(settings: Settings) -> bytes | None:
    """Return what links and webhooks' secrets are derived from; None where an identity provider signs instead of us."""
    key = settings.auth.signing_key
    return derived(key.get_secret_value(), "installation") if key else None
