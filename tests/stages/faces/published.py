"""Random weights in the form and the shapes of the published face networks."""

import json

import numpy as np

CHANNELS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)  # MobileNet's


def mobilenet():
    """Return random weights of HSE FaceRes by name."""
    random = np.random.default_rng(0)

    def kernel(*shape):
        return random.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32)

    found = {"conv1/convolution/merged_input": kernel(3, 3, 3, 32) / 100}
    found["conv1_bn/batchnorm_1/sub"] = np.full(32, 0.5, np.float32)
    before = 32
    for number, after in enumerate(CHANNELS, 1):
        found[f"conv_dw_{number}/depthwise_kernel"] = kernel(3, 3, before, 1)
        found[f"conv_dw_{number}_bn/batchnorm_1/mul"] = np.full(before, 20, np.float32)
        found[f"conv_dw_{number}_bn/batchnorm_1/sub"] = np.zeros(before, np.float32)
        found[f"conv_pw_{number}/convolution/merged_input"] = kernel(1, 1, before, after)
        found[f"conv_pw_{number}_bn/batchnorm_1/sub"] = np.zeros(after, np.float32)
        before = after
    return found


def _convolutions():
    """The name, kernel size and channels of each convolution."""
    yield "conv32_down", 7, 3, 32
    before = 32
    for channels, blocks in ((32, ("1", "2", "3")), (64, ("down", *"123")), (128, ("down", *"12"))):
        for block in blocks:
            yield f"conv{channels}_{block}/conv1", 3, before, channels
            yield f"conv{channels}_{block}/conv2", 3, channels, channels
            before = channels
    for block in ("down", "1", "2", "down_out"):
        yield f"conv256_{block}/conv1", 3, before, 256
        yield f"conv256_{block}/conv2", 3, 256, 256
        before = 256


def resnet(folder):
    """Write random weights of dlib's network: kernels with 8 bits, the rest float; return the folder."""
    entries, data = [], b""
    random = np.random.default_rng(0)
    for name, side, inside, outside in _convolutions():
        shape = side, side, inside, outside
        deviation = 2 / (side * side * inside) ** 0.5
        how = {"dtype": "uint8", "scale": 4 * deviation / 255, "min": -2 * deviation}
        entries.append({"name": f"{name}/conv/filters", "shape": shape, "quantization": how})
        data += random.integers(0, 256, shape, np.uint8).tobytes()
        for kind, value in (("conv/bias", 0), ("scale/weights", 0.7), ("scale/biases", 0.01)):
            entries.append({"name": f"{name}/{kind}", "shape": [outside]})
            data += np.full(outside, value, np.float32).tobytes()
    entries.append({"name": "fc", "shape": [256, 128]})
    data += random.normal(0, 0.1, (256, 128)).astype(np.float32).tobytes()
    (folder / "manifest.json").write_text(json.dumps([{"weights": entries}]))
    (folder / "weights.bin").write_bytes(data)
    return folder
