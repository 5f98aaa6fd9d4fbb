"""The entry points of the three console scripts, in which Ctrl-C never shows a traceback.

While modules are being imported, Ctrl-C ends the process silently, as the system does by default. From
`selfchatbot.cli.shell.run` on, it raises KeyboardInterrupt again.
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
