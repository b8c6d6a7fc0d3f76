"""The mistakes of a run on a cluster that need a server to cause them, and the tests that do."""

_CLIENT = "tests/engine/kubeflow/test_client.py"
_CANCEL = "tests/engine/commands/test_cancel.py"
_DRIVER = "tests/engine/drivers/test_kubeflow_runs.py"

ELSEWHERE = [
    ("engine/kubeflow/client.py: check", f"{_CLIENT}::test_a_closed_port_is_refused_with_a_fix"),
    (
        "engine/kubeflow/client.py: _refuse",
        f"{_CLIENT}::test_an_expired_token_is_named_with_its_source_and_without_its_value",
    ),
    (
        "engine/kubeflow/client.py: _refuse",
        f"{_CLIENT}::test_a_forbidden_request_names_the_namespace",
    ),
    (
        "engine/kubeflow/client.py: _refuse",
        f"{_CLIENT}::test_a_redirect_to_a_login_is_not_followed",
    ),
    ("engine/kubeflow/client.py: _refuse", f"{_CLIENT}::test_an_invalid_request_is_not_repeated"),
    (
        "engine/kubeflow/client.py: _not_kfp",
        f"{_CLIENT}::test_a_server_without_the_api_is_no_kfp_api",
    ),
    (
        "engine/kubeflow/client.py: _refuse_certificate",
        f"{_CLIENT}::test_a_self_signed_certificate_is_refused_unless_it_is_trusted",
    ),
    ("engine/kubeflow/client.py: _token_in", f"{_CLIENT}::test_a_missing_token_file_is_refused"),
    ("engine/kubeflow/client.py: _token_in", f"{_CLIENT}::test_an_empty_token_file_is_refused"),
    (
        "engine/kubeflow/client.py: _token",
        f"{_CLIENT}::test_a_file_that_contains_more_than_a_token_is_refused",
    ),
    (
        "engine/kubeflow/client.py: _address",
        f"{_CLIENT}::test_a_host_that_is_no_address_is_refused",
    ),
    (
        "engine/kubeflow/client.py: _address",
        f"{_CLIENT}::test_an_address_with_a_password_is_refused_and_not_repeated",
    ),
    (
        "engine/kubeflow/client.py: _readable",
        f"{_CLIENT}::test_a_missing_certificate_file_is_refused",
    ),
    (
        "engine/kubeflow/part.py: _submitted",
        f"{_DRIVER}::test_a_run_that_could_not_be_created_is_an_error_and_the_same_command_creates_it",
    ),
    ("engine/commands/cancel.py: main", f"{_CANCEL}::test_a_server_that_does_not_answer_is_named"),
    (
        "engine/commands/cancel.py: _chosen",
        f"{_CANCEL}::test_a_run_that_was_not_on_a_cluster_is_refused",
    ),
    (
        "engine/commands/cancel.py: _chosen",
        f"{_CANCEL}::test_without_a_run_on_a_cluster_there_is_nothing_to_cancel",
    ),
]
