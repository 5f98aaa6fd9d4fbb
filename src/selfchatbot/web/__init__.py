"""``-t web``: a chat page and an OpenAI-compatible API on this machine; needs the optional extra ``web``.

- `worker`: the one thread in which the model works, and the line of jobs before it
- `wire`: what comes in and goes out, in OpenAI's shapes
- `stops`: stop sequences
- `asking`: what endpoints that let the model work have in common
- `completions`: ``/v1/chat/completions`` and ``/v1/models``
- `guessing`: the game
- `guard`: who may ask, and how much at once
- `address`: where the server listens
- `server`: the application and its clean end
- `assets`: the page
"""
