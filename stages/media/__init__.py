"""The stage library for pictures and video: find, read, draw on and write them.

It runs on the build machine and on the device, so it needs numpy and either Pillow or OpenCV.
"""
