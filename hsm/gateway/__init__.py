"""The HSM gateway: a daemon beside the HSM that the console reaches over HTTPS (docs/gateway-protocol.md).

It imports no Django and nothing of the console; `hsm.device` and `hsm.gateway` are all of its code.
"""
