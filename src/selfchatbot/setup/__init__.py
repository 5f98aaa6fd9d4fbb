"""From exports to a dataset that can be preprocessed: what a person would otherwise do by hand."""
