"""The mistakes that no row can cause: they need a machine, an engine or a device that refuses."""

from tests.messages import cluster_api

# the function that raises the mistake, and the test that covers it; once for each call
ELSEWHERE = [
    (
        "engine/tools/making.py: _failed",
        "tests/engine/tools/test_making.py::test_a_wheel_with_another_hash_is_refused",
    ),
    (
        "engine/drive.py: provide_images",
        "tests/engine/tools/test_providing.py::test_a_command_that_needs_it_is_refused_without_it",
    ),
    (
        "engine/pipeline_file.py: _mistakes",
        "tests/engine/test_pipeline_file.py::test_the_jobs_of_a_sweep_do_not_overwrite_each_others_file",
    ),
    (
        "engine/executors/kubeflow.py: place",
        "tests/engine/executors/test_kubeflow.py::test_a_project_that_only_a_process_can_run_is_refused",
    ),
    (
        "engine/executors/kubeflow.py: _image",
        "tests/engine/executors/test_kubeflow.py::test_an_image_that_nothing_here_builds_is_refused",
    ),
    (
        "engine/executors/kubeflow.py: _reach",
        "tests/engine/executors/test_kubeflow.py::test_an_optional_image_is_not_looked_for_without_an_engine",
    ),
    (
        "engine/kubeflow/document.py: validate",
        "tests/engine/kubeflow/test_document.py::test_without_kfp_the_message_says_how_to_install_it",
    ),
    (
        "engine/commands/imx500.py: main",
        "tests/engine/commands/test_imx500.py::test_a_model_that_the_stage_refuses_is_three_lines",
    ),
    *cluster_api.ELSEWHERE,
    *(
        (f"engine/kubeflow/bucket.py: {name}", f"tests/engine/kubeflow/test_data.py::test_{test}")
        for name, test in (
            ("_mistake", "a_bucket_that_does_not_exist_is_named"),
            ("_mistake", "a_wrong_key_and_no_key_are_different_errors"),
            ("_mistake", "a_wrong_key_and_no_key_are_different_errors"),
            ("_mistake", "a_server_that_does_not_answer_is_waited_for_only_so_long"),
        )
    ),
    (
        "engine/kubeflow/images.py: reference",
        "tests/engine/kubeflow/test_images.py::test_what_the_registry_has_lost_is_missing_until_it_is_pushed_again",
    ),
    (
        "engine/kubeflow/registry.py: _head",
        "tests/engine/kubeflow/test_images.py::test_wrong_credentials_are_an_error_and_not_a_missing_image",
    ),
    (
        "engine/kubeflow/registry.py: _answer",
        "tests/engine/kubeflow/test_images.py::test_a_server_error_is_not_a_missing_image",
    ),
    ("engine/gpus.py: refuse_platform", "tests/engine/test_gpus.py::test_only_a_pc_has_gpus"),
    (
        "engine/executors/docker.py: refuse_gpus",
        "tests/engine/executors/test_docker.py::test_an_engine_without_the_nvidia_runtime_is_refused_when_planning",
    ),
    (
        "engine/executors/docker.py: refuse_gpus",
        "tests/engine/executors/test_docker.py::test_a_stage_with_a_gpu_needs_an_image_of_the_users_own",
    ),
    (
        "engine/executors/device.py: refuse_gpus",
        "tests/engine/executors/test_docker.py::test_a_device_has_no_gpu_for_stages",
    ),
    (
        "engine/reproduction/again.py: made",
        "tests/engine/commands/test_reproduce.py::test_a_run_at_work_is_refused",
    ),
    (
        "engine/reproduction/again.py: made",
        "tests/engine/commands/test_reproduce.py::test_one_run_is_reproduced_by_one_process_at_a_time",
    ),
    (
        "engine/reproduction/again.py: _recorded",
        "tests/engine/commands/test_reproduce.py::test_without_the_recorded_request_it_says_what_to_repeat",
    ),
    (
        "engine/commands/tag.py: _pair",
        "tests/engine/commands/test_tag.py::test_a_word_without_a_value_is_refused",
    ),
    (
        "engine/run_annotations.py: add_note",
        "tests/engine/test_run_annotations.py::test_a_note_needs_a_text_of_limited_length",
    ),
    *(
        (
            "engine/run_annotations.py: _check_tag",
            "tests/engine/test_run_annotations.py::test_an_invalid_tag_is_refused_and_nothing_is_written",
        )
        for _ in range(4)
    ),
    (
        "engine/run_rows.py: check_known",
        "tests/engine/test_run_rows.py::test_a_key_that_no_run_has_is_refused_with_the_nearest",
    ),
    (
        "engine/run_names.py: check",
        "tests/messages/test_commands.py::test_a_name_that_another_run_has",
    ),
    (
        "engine/runs.py: of_request",
        "tests/messages/test_commands.py::test_a_run_of_another_use_case",
    ),
    (
        "engine/commands/forget.py: main",
        "tests/engine/commands/test_forget.py::test_a_run_in_progress_is_not_disturbed",
    ),
    (
        "engine/commands/forget.py: _require_outputs",
        "tests/engine/commands/test_forget.py::test_a_wrong_folder_of_outputs_is_refused_and_not_created",
    ),
    (
        "engine/commands/forget.py: _found",
        "tests/engine/commands/test_forget.py::test_a_name_that_is_nowhere_is_refused_with_the_nearest",
    ),
    (
        "engine/forgetting/removal.py: _clean_run",
        "tests/engine/commands/test_forget.py::test_a_run_that_is_being_recorded_is_not_disturbed",
    ),
    (
        "engine/when.py: _useless",
        "tests/engine/test_when.py::test_an_asset_that_needs_another_one_is_a_mistake_without_it",
    ),
    (
        "engine/compose.py: _located",
        "tests/engine/test_compose.py::test_a_wrong_setting_is_named_where_it_was_written",
    ),
    (
        "engine/start.py: _not_installed",
        "tests/engine/test_start.py::test_a_python_without_the_packages_names_the_environment",
    ),
    (
        "engine/planning.py: _other_files",
        "tests/engine/test_planning.py::test_a_file_that_the_stage_cannot_read_is_refused_when_planning",
    ),
    (
        "engine/commands/explain.py: _refuse_left_out",
        "tests/engine/commands/test_explain.py::test_a_stage_that_the_target_leaves_out_is_said_to_be",
    ),
    (
        "engine/commands/predict.py: _contract",
        "tests/engine/commands/test_predict.py::test_a_stage_that_reads_no_camera_says_so",
    ),
    (
        "engine/commands/predict.py: _contract",
        "tests/messages/test_commands.py::test_a_prediction_that_cannot_be_made",
    ),
    (
        "engine/commands/chat.py: _contract",
        "tests/engine/commands/test_chat.py::test_a_model_that_takes_no_sentences_is_refused",
    ),
    (
        "engine/commands/predict.py: _refuse_absent",
        "tests/engine/commands/test_predict.py::test_a_camera_that_is_not_there_is_named",
    ),
    (
        "engine/commands/predict.py: _refuse_overwriting",
        "tests/engine/commands/test_predict.py::test_the_input_is_never_overwritten",
    ),
    (
        "engine/packed.py: task",
        "tests/engine/commands/test_predict.py::test_a_package_that_names_no_task_is_refused",
    ),
    (
        "engine/signature.py: _no_such_module",
        "tests/engine/test_signature.py::test_a_module_that_cannot_be_loaded_is_refused_with_those_that_can",
    ),
    (
        "engine/commands/predict.py: _output",
        "tests/messages/test_commands.py::test_a_prediction_that_cannot_be_made",
    ),
    (
        "engine/commands/predict.py: _source",
        "tests/messages/test_commands.py::test_a_prediction_that_cannot_be_made",
    ),
    (
        "engine/commands/predict.py: _source",
        "tests/messages/test_commands.py::test_a_prediction_that_cannot_be_made",
    ),
    (
        "engine/batch.py: prepare",
        "tests/engine/test_batch.py::test_an_empty_folder_is_refused",
    ),
    (
        "engine/single_job.py: placed",
        "tests/engine/commands/test_predict.py::test_a_module_that_no_image_of_the_device_has_is_named",
    ),
    (
        "engine/containers/loading.py: _not_loaded",
        "tests/test_faults_containers.py::test_an_engine_that_goes_away_while_it_is_given_an_image_is_named",
    ),
    (
        "engine/containers/loading.py: _not_loaded",
        "tests/test_faults_device.py::test_a_device_without_room_for_an_image_is_told_so",
    ),
    (
        "engine/containers/loading.py: _not_loaded",
        "tests/test_faults_containers.py::test_a_damaged_image_archive_is_refused_in_a_sentence",
    ),
    (
        "engine/containers/daemon.py: _unreachable",
        "tests/test_faults_containers.py::test_a_user_who_may_not_speak_to_the_engine_is_told_the_group",
    ),
    (
        "engine/containers/daemon.py: _unreachable",
        "tests/engine/executors/test_docker.py::test_an_engine_behind_tls_tells_what_is_missing",
    ),
    (
        "engine/containers/daemon.py: _unreachable",
        "tests/test_faults_containers.py::test_an_engine_that_is_too_old_is_named_so",
    ),
    (
        "engine/containers/daemon.py: _unreachable",
        "tests/engine/executors/test_docker.py::test_where_no_engine_answers_a_fix_is_named",
    ),
    (
        "engine/containers/daemon.py: _unreachable",
        "tests/engine/containers/test_daemon.py::test_an_engine_that_does_not_answer_is_not_taken_for_none",
    ),
    (
        "engine/containers/daemon.py: connect",
        "tests/engine/containers/test_daemon.py::test_a_bad_address_is_named_with_a_good_one",
    ),
    (
        "engine/containers/daemon.py: connect",
        "tests/engine/containers/test_daemon.py::test_a_damaged_configuration_is_named",
    ),
    (
        "engine/containers/daemon.py: connect_here",
        "tests/engine/containers/test_daemon.py::test_a_context_that_does_not_exist_is_named",
    ),
    (
        "engine/containers/loading.py: load",
        "tests/test_faults_containers.py::test_a_damaged_image_archive_is_refused_in_a_sentence",
    ),
    (
        "engine/containers/jobs.py: _refuse_network",
        "tests/engine/executors/test_docker.py::test_a_network_that_the_engine_does_not_have_is_reported_before_anything_starts",
    ),
    (
        "engine/containers/jobs.py: call",
        "tests/engine/executors/test_lying_engine.py::test_a_list_of_containers_that_is_none_is_a_users_mistake_in_three_lines",
    ),
    (
        "engine/containers/pins.py: refuse_another",
        "tests/test_faults_containers.py::test_another_image_under_the_known_name_is_refused",
    ),
    (
        "engine/containers/selection.py: checked",
        "tests/engine/executors/test_docker.py::test_an_image_that_the_engine_lacks_is_named_with_the_command_that_builds_it",
    ),
    (
        "engine/containers/selection.py: checked",
        "tests/test_faults_containers.py::test_an_image_of_another_processor_is_refused_whatever_its_label_says",
    ),
    (
        "engine/containers/selection.py: choose",
        "tests/engine/executors/test_docker.py::test_an_image_that_nobody_defines_is_refused_with_the_nearest",
    ),
    (
        "engine/containers/tunnel.py: _look_for_the_end",
        "tests/engine/executors/test_device.py::test_a_host_key_that_is_not_known_is_not_taken",
    ),
    (
        "engine/containers/tunnel.py: _look_for_the_end",
        "tests/messages/test_devices.py::test_an_ssh_that_ends_without_a_word",
    ),
    (
        "engine/containers/tunnel.py: _open",
        "tests/engine/executors/test_device.py::test_a_machine_without_ssh_is_told_what_to_install",
    ),
    (
        "engine/containers/tunnel.py: _open",
        "tests/messages/test_devices.py::test_a_device_that_never_forwards",
    ),
    (
        "engine/containers/tunnel.py: connect",
        "tests/messages/test_devices.py::test_a_closed_way_is_not_opened_again",
    ),
    (
        "engine/containers/tunnel.py: connect",
        "tests/engine/executors/test_device.py::test_a_device_without_a_docker_engine_is_told_how_to_get_one",
    ),
    (
        "engine/drawing/picture.py: png",
        "tests/engine/drawing/test_picture.py::test_without_pillow_the_extra_is_named",
    ),
    (
        "engine/image_runs.py: _run",
        "tests/messages/test_devices.py::test_images_that_cannot_be_built",
    ),
    (
        "engine/executors/device.py: connect",
        "tests/messages/test_devices.py::test_a_target_without_a_device",
    ),
    (
        "engine/executors/device.py: refuse",
        "tests/engine/executors/test_device.py::test_a_device_of_another_platform_than_its_target_is_refused",
    ),
    (
        "engine/executors/docker.py: connect",
        "tests/messages/test_commands.py::test_an_engine_behind_ssh_is_a_device",
    ),
    (
        "engine/executors/docker.py: refuse",
        "tests/engine/executors/test_docker.py::test_a_rootless_engine_is_refused",
    ),
    (
        "engine/executors/docker.py: refuse",
        "tests/engine/executors/test_docker.py::test_a_platform_that_the_kernel_does_not_run_is_refused",
    ),
    (
        "engine/executors/docker.py: refuse",
        "tests/test_faults_containers.py::test_a_source_that_the_stages_of_root_may_not_read_is_named",
    ),
    ("engine/images.py: _image", "tests/messages/test_devices.py::test_an_image_for_no_platform"),
    (
        "engine/images.py: serving",
        "tests/engine/test_images.py::test_where_none_serves_the_refusal_names_what_is_lacking_and_a_fix",
    ),
    (
        "engine/images.py: serving",
        "tests/engine/test_images.py::test_where_none_serves_the_refusal_names_what_is_lacking_and_a_fix",
    ),
    (
        "engine/layout.py: check_name",
        "tests/engine/test_layout.py::test_an_outputs_folder_that_is_not_utf8_is_refused_before_it_is_made",
    ),
    (
        "engine/mlflow/client.py: _experiment_id",
        "tests/engine/mlflow/test_mlflow.py::test_an_experiment_that_was_deleted_is_named_with_a_fix",
    ),
    (
        "engine/mlflow/database.py: _check",
        "tests/engine/mlflow/test_mlflow.py::test_a_database_of_another_mlflow_is_left_as_it_is",
    ),
    (
        "engine/mlflow/ui.py: serve",
        "tests/messages/test_commands.py::test_the_page_of_a_server_is_the_servers",
    ),
    (
        "engine/mlflow/ui.py: _check_port",
        "tests/engine/commands/test_mlflow.py::test_a_port_that_is_taken_is_refused_before_anything_starts",
    ),
    (
        "engine/cli.py: _check_folder",
        "tests/test_faults.py::test_a_command_in_a_deleted_folder_says_so",
    ),
    (
        "engine/cli.py: _check_installation",
        "tests/test_how_to.py::test_an_engine_that_was_copied_without_its_configuration_says_so",
    ),
    (
        "engine/main_config.py: _with_own",
        "tests/engine/test_main_config.py::test_a_key_that_no_command_has_is_refused_with_the_nearest",
    ),
    (
        "engine/main_config.py: _with_own",
        "tests/engine/test_main_config.py::test_a_choice_that_is_no_name_is_refused",
    ),
    (
        "engine/mistakes.py: mistake_of",
        "tests/messages/test_commands.py::test_a_file_system_that_cannot_be_written",
    ),
    (
        "engine/planning.py: _refuse_left_out",
        "tests/test_foreach.py::test_until_cannot_name_a_stage_that_the_target_lacks",
    ),
    (
        "engine/mlflow/backend.py: _refuse_odd_letters",
        "tests/engine/mlflow/test_backend.py::test_a_password_with_letters_that_need_quoting_is_refused_unsaid",
    ),
    (
        "engine/studies.py: prepare",
        "tests/engine/test_studies.py::test_without_optuna_the_fix_is_to_install_it",
    ),
    (
        "engine/syntax.py: _parameter",
        "tests/engine/test_signature.py::test_what_is_no_stage",
    ),
    (
        "engine/containers/selection.py: choose",
        "tests/engine/executors/test_project_places.py::test_a_project_of_this_environment_runs_on_the_host_beside_containers",
    ),
    (
        "engine/containers/selection.py: choose",
        "tests/engine/executors/test_project_places.py::test_a_project_in_an_image_does_not_run_on_a_device",
    ),
    (
        "engine/containers/selection.py: _own",
        "tests/engine/executors/test_project_places.py::test_an_image_of_containers_is_found_by_its_whole_name_and_built_if_necessary",
    ),
    (
        "engine/containers/selection.py: _own",
        "tests/engine/executors/test_project_container.py::test_an_image_that_nobody_builds_is_refused_before_anything_starts",
    ),
    (
        "engine/executors/local.py: place",
        "tests/engine/executors/test_project_places.py::test_a_local_process_cannot_run_in_an_image",
    ),
    (
        "engine/projects/git.py: _git",
        "tests/engine/projects/test_git.py::test_the_fix_for_a_machine_without_git_is_to_install_it",
    ),
]
