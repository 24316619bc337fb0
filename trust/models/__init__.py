"""Django finds the models of this app here; everything else imports them from their own module."""

from trust.models.certificates import Batch, Certificate
from trust.models.clients import Client, PendingEnrolment, RegistrationChange, RootSet
from trust.models.counts import Adoption, Count
from trust.models.credentials import Credential
from trust.models.crls import ClientCrl
from trust.models.documents import DocumentCounter, SignedDocument
from trust.models.guesses import WrongCredential
from trust.models.initfiles import InitFile
from trust.models.questions import Answer, Question
from trust.models.readmissions import Readmission

__all__ = [
    "Adoption",
    "Answer",
    "Batch",
    "Certificate",
    "Client",
    "ClientCrl",
    "Count",
    "Credential",
    "DocumentCounter",
    "InitFile",
    "PendingEnrolment",
    "Question",
    "Readmission",
    "RegistrationChange",
    "RootSet",
    "SignedDocument",
    "WrongCredential",
]
