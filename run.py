"""The command line: `python run.py [command] key=value ...`. Composes with Hydra, runs one command, tells mistakes.

Exit status: 0 done, 1 failed or rejected by a gate, 2 the request is wrong and nothing started, 130 interrupted.
"""

import importlib
import os
import re
import sys
from pathlib import Path

os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as exceptions; we print three lines of each

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from engine import compose
from engine.errors import UserError, did_you_mean

ROOT = Path(__file__).resolve().parent
COMMANDS = sorted(path.stem for path in (ROOT / "engine" / "commands").glob("[a-z]*.py"))

_command = "run"
_argv: list[str] = []
_statuses: list[int] = []


@hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="config")
def main(config: DictConfig) -> float | None:
    """Run the command once; a sweep calls this for each of its jobs and reads the objective."""
    request = compose.request(config, _argv)
    command = importlib.import_module(f"engine.commands.{_command}")
    status, objective = command.main(request)
    _statuses.append(status)
    return None if objective is None else float(objective)


def cli(argv: list[str]) -> int:
    """Return the exit status of the command line."""
    global _command, _argv
    try:
        _command, rest = _split(argv)
        compose.guard_environment()
        _argv = compose.register(rest)
        sys.argv = [str(ROOT / "run.py"), *_argv]
        main()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        mistakes = [_mistake(leaf) for leaf in _leaves(error)]
        if None in mistakes:
            raise  # ours, with its traceback
        print("\n".join(dict.fromkeys(map(str, mistakes))), file=sys.stderr)
        return 2
    return max(_statuses, default=0)


def _split(argv: list[str]) -> tuple[str, list[str]]:
    """Take the command from the front, or from wherever it stands alone among key=value words."""
    for at, word in enumerate(argv):
        previous = argv[at - 1] if at else ""
        if not word.startswith("-") and "=" not in word and not previous.startswith("-c") and not previous.startswith("--config"):
            if word not in COMMANDS:
                raise UserError(f"run.py {word}", "there is no such command", did_you_mean(word, COMMANDS))
            return word, argv[:at] + argv[at + 1 :]
    return "run", argv


def _mistake(error: BaseException) -> UserError | None:
    """Return the user's mistake that the exception stands for, or None where it is a fault of ours."""
    if isinstance(error, UserError):
        return error
    return _explained(error) if isinstance(error, HydraException | OmegaConfBaseException) else None


def _explained(error: BaseException) -> UserError:
    """Turn Hydra's mistake into our three lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    key = re.search(r"Key '([^']+)' is not in struct|Could not override '([^']+)'|Could not find '([^']+)'", str(error))
    full = re.search(r"full_key: (\S+)|Could not override '([^']+)'", str(error))
    word = next((g for g in (full.groups() if full else ()) if g), None) or next((g for g in (key.groups() if key else ()) if g), None)
    if word and "/" in word:
        group, _, name = word.partition("/")
        choices = [path.stem for path in (ROOT / "conf" / group).glob("*.yaml")]
        return UserError(f"{group}={name}", f"there is no such {group}", did_you_mean(name, choices))
    known = [*_config_keys(), *COMMANDS]
    return UserError(word or "the command line", text, did_you_mean(word, known) if word else "write key=value; see python run.py --help")


def _config_keys() -> list[str]:
    """Return the keys that the command line may set: the program's, and those of the use case's parameters."""
    from engine import yamlfile

    keys = list(yamlfile.load(ROOT / "conf" / "config.yaml"))
    for path in compose.usecase_files(compose.config_dirs(_argv)).values():
        data = yamlfile.load(path)
        keys += [f"{group}.{name}" for group in ("params", "assets", "stages") for name in data.get(group) or {}]
    return keys


def _leaves(errors: BaseException) -> list[BaseException]:
    if isinstance(errors, BaseExceptionGroup):
        return [leaf for error in errors.exceptions for leaf in _leaves(error)]
    return [errors]


if __name__ == "__main__":
    sys.exit(cli(sys.argv[1:]))
