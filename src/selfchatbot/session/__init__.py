"""A conversation with the model, without a screen: turns, transcripts, ratings, typing pace, the game."""
