"""Selects the environment variables that a stage gets from the caller: those that programs need to
run, and those in its `pass_env`. No I/O.

Proxies and settings of pip, MLflow, AWS or Docker may contain passwords, so they are passed on only if
`pass_env` lists them.
"""

import re
from collections.abc import Iterable, Mapping

READABLE = re.compile(r"(?:RPI_|MLFLOW_TRACKING_URI$|HOME$|USER$)")  # by YAML: they hold no secrets
ALLOWED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TERM",
        "TZ",
        "LANG",
        "LANGUAGE",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONIOENCODING",
        "PYTHONNOUSERSITE",
        "PYTHONUSERBASE",
        "PYTHONUTF8",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "XLA_FLAGS",
        "KERAS_HOME",
        "MPLBACKEND",
        "MPLCONFIGDIR",
    }
)
ALLOWED_PREFIXES = ("LC_", "XDG_", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_", "NVPL_")


def allowed(caller: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's variables that every local stage gets."""
    return {
        name: value
        for name, value in caller.items()
        if name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    }


def passed(names: Iterable[str], caller: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a stage's `pass_env` adds; names that the caller has not set are ignored."""
    return {name: caller[name] for name in names if name in caller}
