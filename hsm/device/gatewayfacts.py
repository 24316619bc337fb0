"""The codes of a connection to an HSM gateway, and of a group whose connections all fail.

Every fault of a connection counts as one of the device: this connection cannot serve now, another one may
(`group.verdict`).
"""

from hsm.device.errors import DeadlineError, PinError, TokenNotFoundError
from hsm.device.facts import CALLER, DEVICE, OPERATOR, CodeFacts

GATEWAY_LOG = "Look at the gateway's log on its host (journalctl -u keystead-hmg)."

GATEWAY: dict[str, CodeFacts] = {
    "GATEWAY_NAME": CodeFacts(
        None,
        DEVICE,
        "The host name of the gateway is not found.",
        "Correct the address of the connection, or the name service (DNS) of this server.",
    ),
    "GATEWAY_REFUSED": CodeFacts(
        None,
        DEVICE,
        "The gateway's host refused the connection: nothing listens on that port.",
        "Check the port, and that the gateway runs on its host (systemctl status keystead-hmg).",
    ),
    "GATEWAY_UNREACHABLE": CodeFacts(
        None,
        DEVICE,
        "The gateway cannot be reached over the network.",
        "Check the address, that the gateway's host is up, and that no firewall lies between.",
    ),
    "GATEWAY_TLS": CodeFacts(
        None,
        DEVICE,
        "No TLS connection to the gateway came about.",
        "Check that the port is the gateway's HTTPS port, and that it offers TLS 1.2 or 1.3.",
    ),
    "GATEWAY_TLS_UNTRUSTED": CodeFacts(
        None,
        DEVICE,
        "The gateway's certificate is not trusted. The PIN was not sent.",
        "Add the CA that signed it, or the certificate itself when it is self-signed, as Custom CA Certificate.",
    ),
    "GATEWAY_TLS_NAME": CodeFacts(
        None,
        DEVICE,
        "The gateway's certificate is for another host name. The PIN was not sent.",
        "Use the name that the certificate carries, give the gateway a certificate for this one, or untick Validate "
        "Host.",
    ),
    "GATEWAY_TLS_EXPIRED": CodeFacts(
        None,
        DEVICE,
        "The gateway's certificate has expired or is not valid yet. The PIN was not sent.",
        "Renew the gateway's certificate, and check the clocks of both hosts.",
    ),
    "GATEWAY_CLIENT_CERT": CodeFacts(
        None,
        DEVICE,
        "The gateway did not accept the client certificate, or asks for one that is missing.",
        "Enter a client certificate of a CA that the gateway trusts (its CA_FILE), with its key.",
    ),
    "GATEWAY_TLS_SETTINGS": CodeFacts(
        None,
        DEVICE,
        "The certificates of the connection cannot be used.",
        "Enter the Custom CA Certificate as PEM, and a client certificate with the key that belongs to it.",
    ),
    "GATEWAY_ADDRESS": CodeFacts(
        None,
        DEVICE,
        "The address of the gateway is no address. Nothing was sent.",
        "Enter an IP address or a host name without https:// or a path, and a port from 1 to 65535.",
    ),
    "GATEWAY_REDIRECT": CodeFacts(
        None,
        DEVICE,
        "What answers sends the request elsewhere. That is never followed.",
        "Enter the gateway's own address and port.",
    ),
    "GATEWAY_GARBAGE": CodeFacts(
        None,
        DEVICE,
        "What answers is no HSM gateway: its answer cannot be read.",
        f"Check the address and the port. {GATEWAY_LOG}",
    ),
    "GATEWAY_TOO_LARGE": CodeFacts(
        None,
        DEVICE,
        "The answer is larger than a gateway's ever is. It was not read.",
        f"Check the address and the port. {GATEWAY_LOG}",
    ),
    "GATEWAY_DEADLINE": CodeFacts(
        None,
        DEVICE,
        "The gateway did not answer in time.",
        f"Check that the gateway and its HSM are up. {GATEWAY_LOG}",
        DeadlineError,
    ),
    "GATEWAY_LOST": CodeFacts(
        None,
        DEVICE,
        "The connection to the gateway ended before the answer was there.",
        f"Check that the gateway is up. {GATEWAY_LOG}",
    ),
    "GATEWAY_VERSION": CodeFacts(
        None,
        DEVICE,
        "The gateway speaks another version of the protocol.",
        "Install the gateway's release that belongs to this console.",
    ),
    "GATEWAY_FAULT": CodeFacts(
        None,
        DEVICE,
        "The gateway itself failed.",
        GATEWAY_LOG,
    ),
    "GATEWAY_PATH": CodeFacts(
        None,
        CALLER,
        "The gateway does not know this operation. Nothing was done.",
        "Install the gateway's release that belongs to this console.",
    ),
    "GATEWAY_REQUEST": CodeFacts(
        None,
        CALLER,
        "The gateway refused the request as malformed. Nothing was done.",
        "Install the gateway's release that belongs to this console.",
    ),
    "GATEWAY_BUSY": CodeFacts(
        None,
        DEVICE,
        "The gateway has too much to do. Nothing was done.",
        "Run the job again in a moment.",
    ),
    "GATEWAY_SLOT": CodeFacts(
        None,
        OPERATOR,
        "The gateway serves no such slot. The PIN was not tried.",
        "Compare the slot with the list that pkcs11-tool -L prints on the gateway's host.",
        TokenNotFoundError,
    ),
    "GATEWAY_PIN_UNVERIFIED_WAIT": CodeFacts(
        None,
        OPERATOR,
        "Another PIN was tried for this token less than 15 minutes ago, so the gateway did not try this one.",
        "Wait 15 minutes, then test the connection. Make sure first that the PIN is right.",
        PinError,
    ),
    "NO_CONNECTION": CodeFacts(
        None,
        DEVICE,
        "No connection of the group works. Nothing was done.",
        "Open the group's HSM tab, which names the fault of each connection.",
    ),
}
