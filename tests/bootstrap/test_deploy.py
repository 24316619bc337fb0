"""The files below deploy/ fit the code: same programs, names of variables that are read, and who gets which secret."""

import re
from configparser import RawConfigParser
from pathlib import Path

import pytest

from console.env import BASE_DIR

DEPLOY = BASE_DIR / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))
VARIABLE = re.compile(r"\b(?:KEYSTEAD_[A-Z_]+|(?:DATABASE_URL|BROKER_URL|SECRET_KEY)(?:_FILE)?)\b")


class Unit(RawConfigParser):
    """A systemd unit: an option may come several times, and all its values count."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.text = (DEPLOY / name).read_text().replace("\\\n", " ")
        self.read_string(self.text)

    def optionxform(self, optionstr: str) -> str:
        return optionstr

    def values_of(self, option: str) -> list[str]:
        """Return every value of an option of [Service]."""
        return [line.partition("=")[2] for line in self.text.splitlines() if line.startswith(f"{option}=")]


def _read_by_the_code() -> str:
    paths = [*(BASE_DIR / "console").rglob("*.py"), *(BASE_DIR / "trust" / "listening").rglob("*.py")]
    return "\n".join(path.read_text() for path in paths)


def test_there_is_a_unit_for_each_process() -> None:
    names = ("agent", "beat", "hmg", "listener", "listener-plain", "setup", "web", "worker")
    assert sorted(f"keystead-{name}.service" for name in names) == UNITS


@pytest.mark.parametrize("name", ["keystead.env", *UNITS])
def test_every_variable_is_one_that_the_console_reads(name: str) -> None:
    code = _read_by_the_code()
    for variable in set(VARIABLE.findall((DEPLOY / name).read_text())):
        assert variable.removesuffix("_FILE") in code, variable


@pytest.mark.parametrize("name", UNITS)
def test_every_unit_is_hardened_and_runs_as_nobody_special(name: str) -> None:
    unit = Unit(name)
    for option in ("NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "LockPersonality", "LimitCORE"):
        assert unit.get("Service", option) in {"yes", "strict", "0"}, option
    assert unit.get("Service", "CapabilityBoundingSet") == ""
    assert unit.get("Service", "User").startswith("keystead-")


def test_each_process_gets_the_secrets_it_needs_and_no_other() -> None:
    given = {name: {value.partition(":")[0] for value in Unit(name).values_of("LoadCredential")} for name in UNITS}
    assert given == {
        "keystead-agent.service": {"init-file"},
        "keystead-beat.service": {"broker-url"},
        "keystead-hmg.service": set(),  # a PIN comes with each request, and stays in memory
        "keystead-listener.service": {"database-url", "listener-key"},  # no broker, and nothing that signs sessions
        "keystead-listener-plain.service": {"database-url"},
        "keystead-setup.service": {"secret-key", "database-url", "broker-url"},
        "keystead-web.service": {"secret-key", "database-url", "broker-url"},
        "keystead-worker.service": {"database-url", "broker-url"},
    }


@pytest.mark.parametrize("name", ["web", "beat", "listener", "listener-plain"])
def test_what_seals_cannot_reach_what_opens(name: str) -> None:
    unit = Unit(f"keystead-{name}.service")
    assert "KEYSTEAD_SEALING_KEY_FILE=/dev/null" in " ".join(unit.values_of("Environment")).split()
    assert any("/var/lib/keystead/worker".startswith(path) for path in unit.values_of("InaccessiblePaths"))
    assert unit.get("Service", "User") != Unit("keystead-worker.service").get("Service", "User")


def test_the_commands_are_those_of_the_local_run() -> None:
    commands = (BASE_DIR / "console/supervisor/commands.py").read_text()
    for name in ("web", "worker", "beat", "listener", "listener-plain"):
        (line,) = Unit(f"keystead-{name}.service").values_of("ExecStart")
        words = [word for word in line.split()[1:] if not set(word) & set("/${@")]
        assert [word for word in words if word not in commands] == []


def test_set_up_does_what_the_local_start_does() -> None:
    done = [line.split("manage.py ")[1].split()[0] for line in Unit("keystead-setup.service").values_of("ExecStart")]
    assert done == ["migrate", "createcachetable", "collectstatic", "setup"]


def test_the_folders_are_the_ones_in_the_environment_file() -> None:
    made = {line.split()[1] for line in (DEPLOY / "tmpfiles.conf").read_text().splitlines() if line.startswith("d ")}
    for path in re.findall(r"=(/var/lib/\S+)", (DEPLOY / "keystead.env").read_text()):
        assert path in made or str(Path(path).parent) in made, path
