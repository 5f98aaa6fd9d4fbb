"""A conversation with the model, independent of the screen: turns, transcripts, ratings, typing pace, the game."""
