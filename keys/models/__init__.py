"""Django finds the models of this app here; everything else imports them from their own module."""

from keys.models.backup import Backup
from keys.models.keystore import KeyStore
from keys.models.logkey import LogKey
from keys.models.root import Root, RootCounter
from keys.models.statements import Crl, CrossCertificate, Directive
from keys.models.subordinate import Subordinate

__all__ = ["Backup", "Crl", "CrossCertificate", "Directive", "KeyStore", "LogKey", "Root", "RootCounter", "Subordinate"]
