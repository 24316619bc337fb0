"""Settings in clear, and a message-signing key with a token and a PIN of its own."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.lib.errors import RefusedError
from console.servers.models import Server
from hsm import bindings
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from settings_store import store, values
from settings_store.catalogue import ROTATIONS
from settings_store.models import Scope, ValueType
from tests.fixtures.softhsm import SoftHsm
from tests.keys.conftest import ALICE

MakeRoot = Callable[..., Root]
UseToken = Callable[..., None]


def test_values_that_are_not_protected_are_shown_in_the_grid(admin_client: Client, server: Server) -> None:  # SET-09
    store.add("HSMModulePath", "/opt/vendor/p11.so", scope=Scope.LOCAL, value_type=ValueType.TEXT, actor=ALICE)
    store.change("OptionalTLSMaxBackoffSeconds", "2468", scope=Scope.GLOBAL, seen="default", actor=ALICE)
    page = unescape(admin_client.get(reverse("settings_store:list")).content.decode())
    for shown in ("/opt/vendor/p11.so", "2468", "3", "180"):
        assert shown in page


def test_the_message_signing_key_has_a_token_and_a_pin_of_its_own(
    make_root: MakeRoot, softhsm: SoftHsm, use_token: UseToken
) -> None:  # SET-18, SET-20, SET-22
    roots, messages = softhsm.token("roots", pin="11112222"), softhsm.token("messages", pin="33334444")
    use_token(roots, "Root")
    use_token(messages, "MessageSigning")
    root = make_root()
    key = Subordinate.objects.get(root=root, purpose="message-signing")
    assert (root.binding and root.binding.label, key.binding and key.binding.label) == ("roots", "messages")
    assert root.cka_id.hex() in softhsm.objects(roots)
    assert key.cka_id.hex() in softhsm.objects(messages)
    assert key.cka_id.hex() not in softhsm.objects(roots)


def test_an_unknown_name_or_a_wrong_pin_names_the_setting_of_the_message_signing_key(
    softhsm: SoftHsm, use_token: UseToken, server: Server
) -> None:  # SET-20, SET-22
    import dataclasses

    messages = softhsm.token("messages", pin="33334444")
    use_token(dataclasses.replace(messages, label="omega"), "MessageSigning")
    with pytest.raises(RefusedError, match=r"Keys\.MessageSigning\.HSMTokenName"):
        bindings.resolve("MessageSigning")
    use_token(dataclasses.replace(messages, pin="99990000"), "MessageSigning")
    with pytest.raises(RefusedError) as caught:
        bindings.resolve("MessageSigning")
    assert caught.value.code == "CKR_PIN_INCORRECT"


def test_a_slot_number_alone_finds_the_token_of_the_message_signing_key(
    softhsm: SoftHsm, use_token: UseToken, server: Server
) -> None:  # SET-24
    softhsm.token("roots")
    messages: Any = softhsm.token("messages", pin="33334444")
    use_token(messages, "MessageSigning")
    store.delete(["Local:Keys.MessageSigning.HSMTokenName"], actor=ALICE)
    store.add(
        "Keys.MessageSigning.HSMTokenID",
        str(messages.slot_id),
        scope=Scope.LOCAL,
        value_type=ValueType.NUMERIC,
        actor=ALICE,
    )
    binding = bindings.resolve("MessageSigning").binding
    assert binding is not None
    assert binding.serial == messages.serial
    assert bindings.resolve("Root").is_local


def test_each_rotation_setting_is_changed_by_its_name(admin_client: Client, server: Server) -> None:  # ROT-08, SET-38
    for number, name in enumerate((name for kind in ROTATIONS for name in (kind.duration, kind.window)), start=500):
        key = f"Global:{name}"
        assert f'href="{reverse("settings_store:edit", args=[key])}"' in unescape(
            admin_client.get(reverse("settings_store:list"), {"q": name}).content.decode()
        )
        url = reverse("settings_store:save", args=[key])
        assert admin_client.post(url, {"seen": "default", "value": str(number)}).status_code == 302
        assert values.integer(name) == number
