"""${...} in a use case: resolved, or reported with its key; and values that programs cannot represent."""

import pytest

from engine.errors import UserError


def _mistakes(asks, *words: str) -> list[list[str]]:
    return [[mistake.where, mistake.what, mistake.fix] for mistake in asks(*words).mistakes]


def test_a_reference_to_no_parameter_is_named_by_its_place(asks, project):
    project.usecase(
        "typo",
        'params: {epochs: 1}\nstages: {a: {uses: mystages.make, params: {n: "${params.epoch}"}}}',
    )
    [[where, what, fix]] = _mistakes(asks, "usecase=typo")
    assert (where, what, fix) == (
        "conf/usecases/typo.yaml: stages.a.params.n",
        "Interpolation key 'params.epoch' not found",
        "did you mean 'params.epochs'?",
    )


def test_parameters_that_mean_one_another_are_a_mistake(asks, project):
    project.usecase(
        "loop", 'params: {a: "${params.b}", b: "${params.a}"}\nstages: {a: {uses: mystages.make}}'
    )
    [where, what, _] = _mistakes(asks, "usecase=loop")[0]
    assert where.startswith("conf/usecases/loop.yaml: params.") and "ecursive" in what


def _told(asks, *words: str) -> list[UserError]:
    with pytest.raises(ExceptionGroup) as caught:
        asks(*words)
    return list(caught.value.exceptions)


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "1e999", "9" * 400, "[1,nan]", "{a:inf}", "{1:2}", "{nan:1}"]
)
def test_an_odd_value_is_named_with_each_key_and_a_fix(asks, value):
    keys = (
        "params.n",
        "+stages.a.params.x",
        "executor.cpus",
        "+stages.a.resources.cpus",
        "target.cpus",
        "+stages.a.retry_delay",
    )
    told = _told(asks, "usecase=chain", *(f"{key}={value}" for key in keys))
    unnamed = [key for key in keys if not any(key.lstrip("+") in mistake.where for mistake in told)]
    assert unnamed == [] and all(len(str(mistake).splitlines()) == 3 for mistake in told)


@pytest.mark.parametrize("key", ["executor.cpus", "target.cpus", "+stages.a.resources.cpus"])
@pytest.mark.parametrize("value", ["inf", "nan", "1e999"])
def test_text_is_no_way_to_an_endless_number(asks, key, value):
    words = f'{key}="{value}"'
    try:
        told = list(asks("usecase=chain", words).mistakes)
    except ExceptionGroup as several:
        told = list(several.exceptions)
    assert [key.lstrip("+").partition(".")[2] in mistake.where for mistake in told] == [True]


def test_an_odd_number_of_a_resolver_is_found_too(asks, project):
    project.usecase(
        "odd", "params: {n: '${oc.decode:\"nan\"}'}\nstages: {a: {uses: mystages.make}}"
    )
    assert [mistake.what for mistake in _told(asks, "usecase=odd")] == [
        "nan is not a finite number"
    ]
