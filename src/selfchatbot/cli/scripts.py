"""What the three console scripts call: from the first moment on, Ctrl-C ends them without a traceback.

While modules are still imported it ends the process as it ends any other; `selfchatbot.cli.shell.run` takes it back.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as in the background
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def preprocess() -> None:
    from selfchatbot.cli.preprocess import main

    main()


def train() -> None:
    from selfchatbot.cli.train import main

    main()


def play() -> None:
    from selfchatbot.cli.play import main

    main()
