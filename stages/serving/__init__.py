"""The server of packaged models: sources in, live page, events and metrics out. Runs on a PC and on
the device: Python 3.9, NumPy, a TFLite runtime, and OpenCV or PyAV for video.
"""
