"""``-t web``: a chat page and an OpenAI-compatible API on this machine.

- `worker`: the one thread that runs the model, and the queue of jobs before it
- `openai_schema`: requests and responses in OpenAI's format
- `stop_sequences`: stop sequences
- `jobs`: what all endpoints that run the model have in common
- `completions`: ``/v1/chat/completions`` and ``/v1/models``
- `game_routes`: the game
- `model_routes`: the endpoints of the model that is loaded, which can be exchanged
- `setup_routes`: from files to a model; `uploads`, `datasets` and `tasks` are its files, folders and processes
- `rating_routes`: ratings
- `guard`: who may send requests
- `address`: where the server listens
- `server`: the application and its clean shutdown
- `assets`: the page
"""
