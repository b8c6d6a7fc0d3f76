"""`uses: stages.pose.train`: a stage that is a Python function. Its signature is its contract."""

from engine.contract import Contract, Declared
from engine.errors import UserError
from engine.signature import Library

VALUE = str
DESCRIPTION = "the stage's function, such as stages.pose.train"


def contract(declared: Declared, library: Library) -> Contract:
    """Return the contract in the function's signature."""
    found: Contract | None = None
    mistakes: list[UserError] = []
    if declared.outputs:
        what = "outputs of a `uses:` stage come from its function signature; remove this key"
        mistakes.append(UserError(f"{declared.where}.outputs", what, "remove the key"))
    try:
        found = library.signature(declared.value, f"{declared.where}.uses")
        found = library.loading(found, declared.params, f"{declared.where}.params")
    except UserError as mistake:
        mistakes.append(mistake)
    if mistakes or found is None:
        raise ExceptionGroup("the stage is invalid", mistakes)
    return found
