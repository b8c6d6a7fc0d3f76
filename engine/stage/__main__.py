"""`python -m engine.stage JOB_FOLDER [LOG]`: runs one job in this process."""

import errno
import os
import sys
from pathlib import Path

from engine import stage

if len(sys.argv) > 2:
    stage.log_to(Path(sys.argv[2]))
else:
    os.dup2(1, 2)  # a single stream, because the order of messages in two streams is lost
stage.speak_utf8()
try:
    status = stage.run_job(Path(sys.argv[1]).absolute())
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
    os._exit(stage.NO_SPACE)  # without a message, since there is no space for it either
sys.exit(status)
