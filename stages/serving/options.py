"""The options of the server: each once, with its type, default, bounds and meaning.

`python run.py serve` reads this file without importing it, for its help and its checks. The text below
an option is its description.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Tuple

from engine.stage.bounds import Range


@dataclass(frozen=True)
class Options:
    """The options of `python -m stages.serving PACKAGE key=value ...`."""

    source: Tuple[str, ...] = ()
    "what to watch: the number of a camera, such as 0; libcamera; a video, a picture or a folder; the \
    address of a stream (rtsp://, http://); - for standard input; several are watched at once"
    host: str = "127.0.0.1"
    "the address to listen on; any but a loopback address requires the token and TLS"
    port: Annotated[int, Range(ge=0, le=65535)] = 8800
    "the port of the page; 0: any free port"
    names: Tuple[str, ...] = ()
    "further names under which browsers reach the page, such as pi.local"
    token_file: str = ""
    "the file with the token; it is made at the first start. Default: token, in the state folder"
    tls: Literal["auto", "on", "off"] = "auto"
    "encryption of the page; auto: on, unless only this machine can reach it"
    certificate: str = ""
    "a certificate (.pem); default: one that the server makes itself"
    key: str = ""
    "the key of the certificate (.pem)"
    page_fps: Annotated[float, Range(gt=0, le=60)] = 12.0
    "the most pictures a second that a viewer gets"
    watchdog_s: Annotated[float, Range(gt=0)] = 5.0
    "how long one answer may take until the inference process is restarted"
    threads: Annotated[int, Range(ge=1, le=64)] = 1
    "threads of the CPU for the model"
    fps: Annotated[float, Range(ge=0)] = 0.0
    "the most frames a second to answer per source; 0: no limit"
    motion: Annotated[float, Range(ge=0, le=1)] = 0.0
    "answer only frames of which this share of the pixels has changed, such as 0.01; 0: all frames"
    speed: Literal["own", "fast"] = "own"
    "how to read files: at their own speed, or as fast as possible"
    loop: bool = True
    "begin files again when they end"
    watch: bool = False
    "wait for new pictures in a folder"
    picture_s: Annotated[float, Range(gt=0)] = 1.0
    "how long each picture of a folder is shown"
    camera_size: str = ""
    "the size wanted of cameras, such as 1280x720; default: their own choice"
    frozen_s: Annotated[float, Range(ge=0)] = 5.0
    "a source whose picture has not changed for this long is frozen; 0: never"
    seconds: Annotated[float, Range(ge=0)] = 0.0
    "stop after this time; 0: never"
    rules: str = ""
    "a file with rules (YAML or JSON); see docs/serving.md"
    mqtt: str = ""
    "an MQTT broker: mqtt://USER@HOST:1883/TOPIC, or mqtts:// with TLS; only HOST is required"
    mqtt_password_file: str = ""
    "the file with the broker's password; default: the environment variable MQTT_PASSWORD"
    mqtt_ca: str = ""
    "the certificate (.pem) that signed the broker's; default: those of the system"
    webhook_hosts: Tuple[str, ...] = ()
    "the hosts (HOST or HOST:PORT) to which rules may send events"
    snapshots_mb: Annotated[float, Range(ge=0)] = 0.0
    "the most space for pictures of events; the oldest are removed; 0: none are stored"
    clips_mb: Annotated[float, Range(ge=0)] = 0.0
    "the most space for clips of events; the oldest are removed; 0: none are stored"
    captures_mb: Annotated[float, Range(ge=0)] = 0.0
    "the most space for frames that the page's button stores under a class name; 0: none are stored"
    samples_mb: Annotated[float, Range(ge=0)] = 0.0
    "the most space for frames that the model was unsure of; the oldest are removed; 0: none are stored"
    samples_below: Annotated[float, Range(gt=0, le=1)] = 0.5
    "the score below which the model is unsure"
    state: str = ""
    "the folder of the token, the certificate and everything that is stored"
    accelerator: str = "none"
    "what the model runs on: none (the CPU), or the name of a file in stages/accelerators"
    runtime: Literal["any", "litert", "tflite_runtime"] = "any"
    "the TFLite runtime; any: the one that is installed"
