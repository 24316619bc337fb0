"""Creating root keys in pki.db and on tokens, and what follows from it."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import IntegrityError, transaction

from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib.digest import spki_fingerprint
from console.servers.models import Server
from keys import roots, stores
from keys.actions import Action
from keys.errors import CreationConflictError
from keys.jobs import CREATE_ROOT
from keys.models.root import Root, RootState
from keys.models.statements import CrossCertificate
from keys.models.subordinate import Subordinate
from tests.keys.conftest import ALICE, BOB

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]


def spki_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_root_in_pki_db_is_active_with_all_that_hangs_below_it(make_root: MakeRoot) -> None:
    # KEY-02, KEY-03, KEY-19, KEY-22, HSI-22, KEY-46, KEY-47, KEY-50
    root = make_root()
    assert (root.state, root.name, root.store) == (RootState.ACTIVE, "ts1.example.com Root 0", "local")
    below = Subordinate.objects.filter(root=root, state="active")
    assert {key.purpose for key in below} == {"server-tls", "message-signing", "client-tls-ca"}
    issuer = x509.load_der_x509_certificate(bytes(root.certificate_der))
    issuer.verify_directly_issued_by(issuer)
    for key in below:
        x509.load_der_x509_certificate(bytes(key.certificate_der)).verify_directly_issued_by(issuer)


def test_the_fingerprint_is_the_digest_of_the_public_key(make_root: MakeRoot) -> None:  # KEY-14
    root = make_root()
    certificate = x509.load_der_x509_certificate(bytes(root.certificate_der))
    assert root.fingerprint == spki_fingerprint(spki_of(certificate))
    assert certificate.not_valid_after_utc.year == 9999  # KEY-39


def test_numbers_go_up_and_are_never_reused(make_root: MakeRoot) -> None:  # KEY-04, KEY-20
    assert [make_root().number for _ in range(3)] == [0, 1, 2]
    assert Root.objects.filter(state=RootState.ACTIVE).count() == 3


def test_the_log_says_who_asked_and_what_came_of_it(make_root: MakeRoot) -> None:  # LOG-01, STK-06
    root = make_root()
    about = Entry.objects.filter(subject_id=str(root.pk)).order_by("seq")
    assert [(entry.action, entry.outcome, entry.actor) for entry in about][:2] == [
        (Action.ROOT_REQUESTED, "requested", "alice"),
        (Action.ROOT_CREATED, "succeeded", "alice"),
    ]
    assert str(root.fingerprint) in about[1].details


def test_roots_certify_each_other(make_root: MakeRoot) -> None:
    old, new = make_root(), make_root()
    pairs = set(CrossCertificate.objects.values_list("issuer_id", "subject_id"))
    assert pairs == {(old.pk, new.pk), (new.pk, old.pk)}
    cross = CrossCertificate.objects.get(issuer=old, subject=new)
    certificate = x509.load_der_x509_certificate(bytes(cross.certificate_der))
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(old.certificate_der)))
    assert spki_of(certificate) == bytes(new.spki_der)


def test_no_root_certifies_across_one_that_was_made_in_doubt(make_root: MakeRoot) -> None:
    make_root()
    doubting, later = make_root(in_doubt=True), make_root()
    pairs = set(CrossCertificate.objects.values_list("issuer_id", "subject_id"))
    assert pairs == {(doubting.pk, later.pk), (later.pk, doubting.pk)}


def test_a_new_root_takes_the_subordinate_keys_over(make_root: MakeRoot) -> None:  # KEY-53, HSI-22
    old, new = make_root(), make_root()
    assert set(Subordinate.objects.filter(root=old).values_list("state", flat=True)) == {"retired"}
    assert Subordinate.objects.filter(root=new, state="active").count() == 3


def test_a_double_click_meets_its_first_use(server: Server) -> None:
    token = uuid.uuid4()
    roots.request(actor=ALICE, form_token=token)
    with pytest.raises(CreationConflictError, match="sent before"):
        roots.request(actor=ALICE, form_token=token)
    assert Root.objects.count() == 1


def test_a_second_creation_waits_for_the_first(server: Server) -> None:
    roots.request(actor=ALICE, form_token=uuid.uuid4())
    with pytest.raises(CreationConflictError, match="being created right now"):
        roots.request(actor=BOB, form_token=uuid.uuid4())
    refused = Entry.objects.get(outcome="refused")
    assert (refused.action, refused.actor) == (Action.ROOT_REQUESTED, "bob")


def test_the_database_itself_refuses_a_second_creation_and_a_number_used_twice(make_root: MakeRoot) -> None:
    root = make_root()
    roots.request(actor=ALICE, form_token=uuid.uuid4())
    for changed in ({"number": 7, "state": "requested"}, {"number": root.number, "state": "failed"}):
        twin = Root.objects.get(pk=root.pk)
        twin.pk, twin.key_id, twin.fingerprint, twin.form_token = uuid.uuid4(), uuid.uuid4().bytes, None, None
        for name, value in changed.items():
            setattr(twin, name, value)
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.save(force_insert=True)


def test_on_a_token_the_keys_never_leave_it(
    make_root: MakeRoot, softhsm: Any, use_token: Callable[..., None]
) -> None:  # HSI-23, AMB-47
    token = softhsm.token("root-token")
    use_token(token)
    root = make_root()
    assert (root.state, root.store) == (RootState.ACTIVE, "token"), root.problem
    listing = softhsm.objects(token)
    assert root.cka_id.hex() in listing
    for attribute in ("sensitive", "always sensitive", "never extractable", "local"):
        assert attribute in listing
    below = dict(Subordinate.objects.filter(root=root).values_list("purpose", "store"))
    assert below == {"server-tls": "local", "message-signing": "token", "client-tls-ca": "local"}
    assert listing.count("Private Key Object") == 2


def test_disabling_the_hsm_makes_the_next_root_in_pki_db(
    make_root: MakeRoot, softhsm: Any, use_token: Callable[..., None], server: Server
) -> None:  # HSI-30, HSI-34
    from settings_store import store
    from settings_store.models import Scope, Setting

    use_token(softhsm.token("root-token"))
    first = make_root()
    for name in ("Keys.Root.UseHSM", "Keys.MessageSigning.UseHSM"):
        seen = Setting.objects.get(name=name).token
        store.change(name, "0", scope=Scope.LOCAL, seen=seen, actor=ALICE)
    second = make_root()
    assert (first.store, second.store) == ("token", "local")
    # The old key still works: it certified the new one.
    assert CrossCertificate.objects.filter(issuer=first, subject=second).exists()


def test_a_migration_makes_the_next_root_on_the_new_token(
    make_root: MakeRoot, softhsm: Any, use_token: Callable[..., None]
) -> None:  # HSI-31
    use_token(softhsm.token("first-token"))
    first = make_root()
    use_token(softhsm.token("second-token"))
    second = make_root()
    assert first.binding
    assert second.binding
    assert (first.binding.label, second.binding.label) == ("first-token", "second-token")
    with stores.open_device(first) as device:  # its binding outlives the settings
        assert device.find(first.cka_id) is not None


def test_a_missing_setting_fails_at_once_and_names_it(
    server: Server, run_jobs: Callable[..., list[Job]], softhsm: Any, use_token: Callable[..., None]
) -> None:  # SET-25
    from settings_store import store

    use_token(softhsm.token("root-token"))
    store.delete(["Local:Keys.Root.HSMTokenName"], actor=ALICE)
    root, _ = roots.request(actor=ALICE, form_token=uuid.uuid4())
    job = next(job for job in run_jobs() if job.kind_name == CREATE_ROOT.name)
    root.refresh_from_db()
    assert (root.state, job.state) == (RootState.FAILED, State.FAILED)
    assert "Keys.Root.HSMTokenName" in job.message
    assert "Keys.Root.HSMTokenID" in job.message


def test_a_wrong_pin_fails_at_once_and_leaves_nothing(
    server: Server, run_jobs: Callable[..., list[Job]], softhsm: Any, use_token: Callable[..., None]
) -> None:
    import dataclasses

    token = softhsm.token("root-token")
    use_token(dataclasses.replace(token, pin="00000000"))
    root, job = roots.request(actor=ALICE, form_token=uuid.uuid4())
    run_jobs()
    root.refresh_from_db()
    job.refresh_from_db()
    assert (root.state, job.state) == (RootState.FAILED, State.FAILED)
    assert "PIN" in job.message
    assert softhsm.objects(token).strip() == ""
    entry = Entry.objects.get(action=Action.ROOT_CREATED, outcome="failed")
    assert "00000000" not in entry.details
