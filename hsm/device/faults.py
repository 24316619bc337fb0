"""What goes wrong inside the module host."""


class ModuleFaultError(Exception):
    """What the host reports as `wire.Failed`."""

    def __init__(self, code: str, detail: str = "", *, outcome_unknown: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.outcome_unknown = outcome_unknown
