"""The contract of a stage of any kind."""

from engine.contract import Contract, Declared, unread

DECLARED = Declared(
    value="x", inputs={"a": "s.o"}, outputs=("b",), params={"n": 1}, where="u.yaml: stages.s"
)


def test_the_packages_that_a_stage_needs_are_those_it_cannot_do_without():
    contract = Contract(
        label="x",
        imports=frozenset({"json", "numpy", "psutil"}),
        optional_imports=frozenset({"psutil"}),
    )
    assert contract.needs == {"numpy"}


def test_a_stage_that_cannot_be_read_has_what_the_yaml_declares_and_may_return_any_metric():
    contract = unread(DECLARED)
    assert (contract.inputs, contract.outputs, contract.metrics) == ({"a": True}, ("b",), None)
    assert contract.params["n"].refusal("anything") is None
