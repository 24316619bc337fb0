"""The help pages, as one table: slug, title, what it is about. The texts are templates of the same name."""

from dataclasses import dataclass

from console.lib.errors import NotFoundError


@dataclass(frozen=True)
class HelpPage:
    """A page of help; its text stands in `templates/help/<slug>.html`."""

    slug: str
    title: str
    about: str
    icon: str


PAGES = (
    HelpPage("hsm", "What an HSM is for", "Kinds of hardware security modules, and what they do with keys.", "cpu"),
    HelpPage("keys", "Keys and their life", "Root keys, what hangs below them, rotation and revocation.", "key"),
    HelpPage("clients", "Clients and their keys", "Enrolment, rotation, and what to do when one is lost.", "devices"),
    HelpPage(
        "groups",
        "Groups and gateways",
        "Where keys live, how an HSM is reached, and what happens when it is not.",
        "cpu",
    ),
    HelpPage(
        "gateway", "Setting up an HSM gateway", "The daemon on the host beside the HSM, step by step.", "server-2"
    ),
    HelpPage("pin", "PIN and security officer", "Slots, tokens, who sets a PIN, and what a wrong one does.", "lock"),
    HelpPage(
        "policy", "Key management policy and key scan", "What a change reaches, and what a sync brings.", "adjustments"
    ),
    HelpPage("objects", "Virtual keys and sync", "What the console keeps of a key that it does not hold.", "refresh"),
    HelpPage("using", "Using keys", "Sign, verify, encrypt and decrypt from the page of a key.", "writing-sign"),
    HelpPage("roles", "Roles in groups", "Who sees a group, uses its keys, and manages it.", "users-group"),
    HelpPage("tls", "Connections and protocols", "Which connections are secured, and by what.", "plug-connected"),
    HelpPage("jobs", "Background jobs", "What runs outside of the browser, and what to do when it fails.", "activity"),
    HelpPage("log", "Activity log and PKI log", "What is written down, what proves it, and how far.", "history"),
    HelpPage(
        "trouble", "When something does not work", "Where to look first, and what to send to support.", "lifebuoy"
    ),
)


def page(slug: str) -> HelpPage:
    """Return the page of that slug; raises NotFoundError."""
    for found in PAGES:
        if found.slug == slug:
            return found
    raise NotFoundError("There is no such help page.")
