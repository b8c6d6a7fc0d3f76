"""An RTSP server of GStreamer, run by Debian's Python: `rtsp_server.py PORT WIDTH [secret]`, on loopback.

/ball: a moving ball as H.264, 15 frames a second; /ball-jpeg: the same as JPEG; /blue: always the same
frame. secret: only for the user `u` with the password `p@ss`.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

CAPS = "video/x-raw,format=I420,width={},height=240,framerate=15/1"
H264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96"
JPEG = "jpegenc ! rtpjpegpay name=pay0 pt=26"
SHOWN = {
    "/ball": ("ball", H264),
    "/ball-jpeg": ("ball", JPEG),
    "/blue": ("blue", H264),
}


def factory(pattern: str, encoder: str) -> GstRtspServer.RTSPMediaFactory:
    """Return what plays a test pattern to all clients."""
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(
        f"( videotestsrc is-live=true pattern={pattern} ! {CAPS.format(sys.argv[2])} ! {encoder} )"
    )
    made.set_shared(True)
    return made


def restrict(server: GstRtspServer.RTSPServer, made: GstRtspServer.RTSPMediaFactory) -> None:
    """Let only the user `u` in, with the password `p@ss`."""
    permissions, token = GstRtspServer.RTSPPermissions(), GstRtspServer.RTSPToken()
    for action in ("access", "construct"):
        permissions.add_permission_for_role("user", f"media.factory.{action}", True)
    made.set_permissions(permissions)
    token.set_string("media.factory.role", "user")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("u", "p@ss"), token)
    server.set_auth(auth)


def main() -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    mounts = server.get_mount_points()
    for path, (pattern, encoder) in SHOWN.items():
        made = factory(pattern, encoder)
        if sys.argv[3:] == ["secret"]:
            restrict(server, made)
        mounts.add_factory(path, made)
    if server.attach(None) == 0:
        sys.exit("the port is taken")
    GLib.MainLoop().run()


main()
