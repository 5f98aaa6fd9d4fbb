"""Reading export files, whatever their format: archives, lines, JSON streams, dates."""
