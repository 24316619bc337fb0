"""What set-up makes for the listener: a sealing pair of its own, and the first file that is sealed for it."""

from console.lib.errors import UnavailableError
from console.lib.sealing import SealingPublic
from console.lib.sealingpair import SealingPair
from console.lib.setup import register_step
from console.servers.current import current
from keys import resealing
from trust.issuing import filing, places


def make_listener_pair() -> str | None:
    """Make the pair when it is missing or its halves do not belong together; nothing lasts that was sealed for it."""
    if _fits():
        return None
    replace_listener_pair()
    return "Sealing pair of the listener made."


def replace_listener_pair() -> None:
    """Make a new pair in place of the one that is there; what the worker files next is for it."""
    private, public = places.private_file(), places.public_file()
    for path in (private, public):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = [path.with_name(f"{path.name}.next") for path in (private, public)]
    for path in beside:
        path.unlink(missing_ok=True)
    SealingPair.generate().save(*beside)
    # A crash between the two leaves halves that do not fit: the next set-up finds that.
    for new, path in zip(beside, (private, public), strict=True):
        new.replace(path)


def _fits() -> bool:
    try:
        return SealingPair.load(places.private_file()).public == SealingPublic.load(places.public_file())
    except UnavailableError:
        return False


def file_issuing() -> str | None:
    """Hand the keys in use to the listener, so that it serves as soon as it starts."""
    return "Keys handed to the listener." if filing.file_if_changed(current()) else None


def renew_listener_pair() -> None:
    """Replace the listener's pair, and seal for the new one what the old one opened."""
    replace_listener_pair()
    filing.file_if_changed(current())


resealing.register_pair(renew_listener_pair)
register_step("sealing pair of the listener", make_listener_pair)
register_step("keys of the listener", file_issuing)
